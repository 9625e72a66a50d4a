"""What a restore's worker in a container sees of its host, and may do there."""

import json
from dataclasses import replace

import pytest
from tests.unit.agent.restoreorders import DB, PLAIN, drilling, dropping, restoring, stopping, view_of
from tests.unit.agent.test_permissions import order

from strongroom.agent.allowances import matches_path
from strongroom.agent.asks import list_asks
from strongroom.agent.folders import JobFolder
from strongroom.agent.gate.deciding import decide
from strongroom.agent.gate.requests import Refused, parse_head
from strongroom.agent.gatekeeping import build_rules
from strongroom.agent.hostview import look_at_host
from strongroom.agent.mounting import capabilities, find_sights, network, store_binds
from strongroom.agent.working import Launch
from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.drillcontainers import build_drill_config, drill_container
from strongroom.engine.inspection import Mount

VOLUME = {"files": {"volume": "media"}}
DATABASE = {"postgres": {"container": DB}}
INSIDE = {"files": {"inContainer": {"container": DB, "path": "/data/pictures"}}}


@pytest.fixture
def launched(tmp_path):
    """A launch on a host that allows restores into some of its paths."""

    def launch(work, *allowed, container=PLAIN):
        resolved = look_at_host(work, list_asks(work), None).resolved
        view = view_of(work, container, resolved=resolved)
        patterns = [str(path) for path in allowed]
        return Launch(
            None,
            JobFolder(tmp_path / "job", tmp_path / "secrets"),
            1,
            work,
            view,
            may_restore=lambda path: matches_path(path, patterns),
        )

    return launch


def binds(launch):
    return {bind.source: (bind.target, bind.writable) for bind in find_sights(launch).binds(launch)}


def test_a_restore_writes_to_its_volumes_and_a_plan_does_not(launched):
    assert binds(launched(restoring(VOLUME))) == {"media": ("/strongroom/volumes/media", True)}
    assert binds(launched(restoring(VOLUME, kind="PlanRestore"))) == {
        "media": ("/strongroom/volumes/media", False)
    }
    assert binds(launched(dropping(VOLUME)))["media"][1]


def test_the_folder_above_is_seen_only_where_it_may_be_written_to_itself(launched, tmp_path):
    (tmp_path / "shop/media").mkdir(parents=True)
    media = tmp_path / "shop/media"
    work = restoring({"files": {"path": str(media)}})
    alone = launched(work, media)
    assert binds(alone) == {str(media): ("/strongroom/paths/0", True)}
    above = launched(work, tmp_path)
    assert binds(above) == {str(media.parent): ("/strongroom/paths/0", True)}
    assert find_sights(above).paths[str(media)] == "/strongroom/paths/0/media"


def test_a_path_that_is_not_there_is_made_only_below_a_folder_that_may_be_written_to(launched, tmp_path):
    work = restoring(mode="Directory", path=str(tmp_path / "new"))
    assert find_sights(launched(work, tmp_path)).paths[str(tmp_path / "new")] == "/strongroom/paths/0/new"
    with pytest.raises(StrongroomError, match="--allow-restore-path") as caught:
        find_sights(launched(work, tmp_path / "new"))
    assert caught.value.reason is Reason.TargetMissing


def test_the_whole_host_is_never_seen_for_being_above_a_path(launched):
    work = restoring({"files": {"path": "/srv"}})
    assert binds(launched(work, "/")) == {"/srv": ("/strongroom/paths/0", True)}


def test_a_mount_behind_a_containers_path_is_what_is_written_to(launched, tmp_path):
    (tmp_path / "pictures").mkdir()
    volume = replace(PLAIN, mounts=(Mount("/vol/_data", "/data", "v"),))
    bind = replace(PLAIN, mounts=(Mount(str(tmp_path), "/data"),))
    assert set(binds(launched(restoring(INSIDE), container=volume))) == {"v"}
    found = binds(launched(restoring(INSIDE), tmp_path / "pictures", container=bind))
    assert found == {str(tmp_path / "pictures"): ("/strongroom/paths/0", True)}
    assert binds(launched(restoring(INSIDE))) == {}


def test_stores_are_only_read_by_a_restore_and_not_seen_by_a_drop(launched, tmp_path):
    stores = [{"name": "disk", "spec": {"local": {"path": str(tmp_path)}}}]
    assert [bind.writable for bind in store_binds(launched(restoring(VOLUME, stores=stores)))] == [False]
    assert [bind.writable for bind in store_binds(launched(order(stores=stores)))] == [True]
    assert list(store_binds(launched(dropping(VOLUME)))) == []


def test_rights_to_give_owners_and_modes_go_to_those_who_restore_files(launched):
    assert capabilities(launched(restoring(VOLUME)), 0) == ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]
    special = launched(restoring(VOLUME, allowSpecialFiles=True))
    assert capabilities(special, 0)[4:] == ["MKNOD", "SETFCAP"]
    assert capabilities(launched(restoring(VOLUME, kind="PlanRestore")), 0) == ["DAC_OVERRIDE"]
    assert capabilities(launched(restoring(DATABASE)), 0) == []
    assert capabilities(launched(restoring(VOLUME)), 1000) == []


def test_the_network_is_for_servers_and_stores_away_and_for_urls():
    remote = {"postgres": {"host": "h", "user": "u", "databases": ["d"]}}
    check = {"healthCheck": {"url": "http://127.0.0.1/"}}
    assert network(restoring(DATABASE, VOLUME)) == "none"
    assert network(restoring(DATABASE, **check)) == "host"
    assert network(restoring(DATABASE, kind="PlanRestore", **check)) == "none"
    assert network(restoring(remote)) == "host"
    assert network(dropping(remote)) == "host"
    assert network(restoring(remote, mode="Directory", path="/srv/new")) == "none"


@pytest.mark.parametrize(
    ("work", "needed"),
    [
        (restoring(VOLUME), True),
        (restoring(DATABASE), True),
        (restoring({"files": {"path": "/srv"}}), False),
        (restoring({"files": {"path": "/srv"}}, hooks=stopping(DB)), True),
        (restoring(DATABASE, mode="Directory", path="/srv/new"), False),
        (restoring(mode="Directory", volume="new"), True),
        (dropping(VOLUME), True),
        (dropping({"files": {"path": "/srv"}}), False),
        (drilling(), False),
        (drilling(image="postgres:15"), True),
        (drilling(targets=[{"name": "db", **DATABASE}]), True),
        (drilling(targets=[{"name": "m", **VOLUME}]), False),
    ],
)
def test_the_engine_is_needed_for_services_volumes_and_what_is_inside_containers(work, needed):
    assert work.needs_engine is needed


def rules(launch):
    return build_rules(launch, "unix:///run/docker.sock")


def test_services_are_stopped_by_a_restore_and_only_looked_at_by_its_plan(launched):
    real = rules(launched(restoring(VOLUME, hooks=stopping(DB))))
    planned = rules(launched(restoring(VOLUME, kind="PlanRestore", hooks=stopping(DB))))
    assert (real.control, real.exec, real.volumes) == ({PLAIN.container.id}, frozenset(), {"media"})
    assert (planned.control, planned.inspect) == (frozenset(), {PLAIN.container.id})


def test_programs_run_where_databases_are_restored_and_where_health_is_checked(launched):
    check = {"exec": {"container": DB, "command": ["true"]}}
    assert rules(launched(restoring(DATABASE))).exec == {PLAIN.container.id}
    assert rules(launched(restoring(VOLUME, healthCheck=check))).exec == {PLAIN.container.id}
    mounted = replace(PLAIN, mounts=(Mount("/vol/_data", "/data", "v"),))
    inside = rules(launched(restoring(INSIDE), container=mounted))
    assert (inside.exec, inside.volumes, inside.inspect) == (frozenset(), {"v"}, {PLAIN.container.id})
    assert rules(launched(restoring(INSIDE))).exec == frozenset()


def test_a_drill_only_looks_at_the_containers_that_tell_its_image_and_makes_the_one_that_it_describes(
    launched,
):
    work = drilling(targets=[{"name": "db", **DATABASE}])
    found = rules(launched(work))
    planned = drill_container(work, "db", None, PLAIN.container.image)
    assert found.drills == {planned.name: build_drill_config(planned)}
    assert (found.exec, found.control) == ({planned.name}, {planned.name})
    assert found.inspect == {PLAIN.container.id, planned.name}


@pytest.mark.parametrize("change", [{"Privileged": True}, {"Binds": ["/:/host"]}, {"NetworkMode": "host"}])
def test_the_gate_passes_a_drills_container_word_for_word_and_none_that_differs(launched, change):
    found = rules(launched(drilling(targets=[{"name": "db", **DATABASE}])))
    ((name, config),) = found.drills.items()

    def asked(body, called=name):
        path = f"/v1.41/containers/create?name={called}"
        content = json.dumps(body).encode()
        raw = f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Length: {len(content)}".encode()
        return decide(parse_head(raw), content, found, lambda _: None)

    assert json.loads(asked(config).body) == config
    with pytest.raises(Refused):
        asked({**config, "HostConfig": {**config["HostConfig"], **change}})
    with pytest.raises(Refused):
        asked(config, "strongroom-drill-other")


def test_all_hooks_of_a_restore_are_what_it_stops():
    assert restoring(VOLUME, hooks=stopping(DB)).all_hooks.keys() == {None}
    assert restoring(VOLUME, kind="PlanRestore", hooks=stopping(DB)).all_hooks == {}
