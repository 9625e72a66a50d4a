from dataclasses import replace

from tests.unit.agent.test_permissions import DB, PLAIN, order

from strongroom.agent.asks import list_asks
from strongroom.agent.folders import JobFolder
from strongroom.agent.gatekeeping import build_rules
from strongroom.agent.hostview import HostView
from strongroom.agent.working import Launch
from strongroom.engine.inspection import Mount

MOUNTED = replace(PLAIN, mounts=(Mount("/var/lib/docker/volumes/v/_data", "/data", "v"),))
DB_ID = PLAIN.container.id


def rules_for(tmp_path, work, container=MOUNTED):
    view = HostView(containers={ask: [container] for ask in list_asks(work)})
    launch = Launch(None, JobFolder(tmp_path / "job", tmp_path / "secrets"), 1, work, view)
    return build_rules(launch, "unix:///run/docker.sock")


def reading(path):
    return order({"files": {"inContainer": {"container": DB, "path": path}}})


def test_programs_are_run_where_something_is_dumped_or_commanded_or_a_containers_own_layer_is_read(tmp_path):
    hooks = {"after": [{"container": DB, "command": ["true"]}]}
    for work in (order(), order({"files": {"volume": "media"}}, hooks=hooks), reading("/etc")):
        assert rules_for(tmp_path, work).exec == {DB_ID}


def test_no_program_is_run_in_a_container_whose_mount_is_read(tmp_path):
    rules = rules_for(tmp_path, reading("/data/x"))
    assert (rules.exec, rules.inspect, rules.volumes) == (frozenset(), {DB_ID}, {"v"})


def test_a_way_around_a_mount_leads_to_it_all_the_same(tmp_path):
    assert rules_for(tmp_path, reading("/etc/../data")).volumes == {"v"}


def test_only_what_hooks_name_is_stopped_and_no_program_is_run_there(tmp_path):
    work = order({"files": {"volume": "media"}}, hooks={"stop": [DB]})
    assert (rules_for(tmp_path, work).control, rules_for(tmp_path, work).exec) == ({DB_ID}, frozenset())
    assert rules_for(tmp_path, order()).control == frozenset()
