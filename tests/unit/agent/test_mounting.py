import pytest
from tests.unit.agent.test_permissions import DB, HOST_KEY, PLAIN, SSH_KEY, order

from strongroom.agent.asks import list_asks
from strongroom.agent.folders import JobFolder
from strongroom.agent.hostview import HostView, look_at_host
from strongroom.agent.mounting import capabilities, find_sights, job_binds, list_users, network, store_binds
from strongroom.agent.working import Launch
from strongroom.api.errors import Reason, StrongroomError


@pytest.fixture
def launched(tmp_path):
    """A launch of an order, with paths looked at and the container PLAIN wherever one is asked for."""

    def launch(work, container=PLAIN):
        asks = list_asks(work)
        paths = look_at_host(work, asks, None).resolved
        view = HostView(resolved=paths, containers={ask: [container] for ask in asks})
        return Launch(None, JobFolder(tmp_path / "job", tmp_path / "secrets"), 1, work, view)

    return launch


def local(path):
    return [{"name": "disk", "spec": {"local": {"path": str(path)}}}]


def test_only_what_is_read_is_seen_and_none_of_it_can_be_written(launched, tmp_path):
    launch = launched(order({"files": {"volume": "media"}}, {"files": {"path": str(tmp_path)}}))
    sights = find_sights(launch)
    assert sights.volumes == {"media": "/strongroom/volumes/media"}
    assert sights.paths == {str(tmp_path): "/strongroom/paths/0"}
    assert {(bind.source, bind.volume, bind.writable) for bind in sights.binds(launch)} == {
        ("media", True, False),
        (str(tmp_path), False, False),
    }


def test_a_path_below_another_is_seen_there_and_a_link_where_it_leads(launched, tmp_path):
    (tmp_path / "top" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "top" / "below")
    top = tmp_path / "top"
    launch = launched(order({"config": {"paths": [str(top), str(tmp_path / "link")]}}))
    assert find_sights(launch).paths == {
        str(top): "/strongroom/paths/0",
        str(tmp_path / "link"): "/strongroom/paths/0/below",
    }
    assert [bind.source for bind in find_sights(launch).binds(launch)].count(str(top)) == 1


def test_a_path_that_is_missing_is_told_before_a_container_is_made(launched, tmp_path):
    launch = launched(order({"files": {"path": str(tmp_path / "gone")}}))
    with pytest.raises(StrongroomError, match="does not exist") as caught:
        find_sights(launch)
    assert caught.value.reason is Reason.SourceMissing


def test_a_worker_writes_its_output_and_the_stores_alone(launched, tmp_path):
    launch = launched(order(stores=local(tmp_path)))
    binds = [*job_binds(launch), *store_binds(launch)]
    assert {bind.target for bind in binds if bind.writable} == {
        "/strongroom/output",
        "/strongroom/scratch",
        "/strongroom/journal",
        str(tmp_path),
    }
    assert str(launch.files.record.parent) not in {bind.source for bind in binds}


def test_the_gate_is_seen_only_by_a_worker_that_needs_the_engine(launched):
    needing = launched(order({"postgres": {"container": DB}}))
    not_needing = launched(order({"postgres": {"host": "h", "user": "u", "databases": ["d"]}}))
    assert "/strongroom/engine" in {bind.target for bind in job_binds(needing)}
    assert "/strongroom/engine" not in {bind.target for bind in job_binds(not_needing)}


def test_a_store_that_is_missing_is_left_to_the_worker_to_tell(launched, tmp_path):
    assert list(store_binds(launched(order(stores=local(tmp_path / "gone"))))) == []


def test_rights_are_given_to_root_for_reading_files_and_for_foreign_stores(launched, tmp_path):
    (tmp_path / "store").mkdir()
    files = launched(order({"files": {"volume": "media"}}, stores=local(tmp_path / "store")))
    dump = launched(order({"postgres": {"container": DB}}, stores=local(tmp_path / "store")))
    uid = (tmp_path / "store").stat().st_uid
    assert capabilities(dump, 0) == ([] if uid == 0 else ["DAC_OVERRIDE"])
    assert capabilities(files, 0) == ["DAC_OVERRIDE"]
    assert capabilities(files, 1000) == []


def test_the_network_is_the_hosts_only_where_something_is_reached_over_it():
    assert network(order({"postgres": {"container": DB}})) == "none"
    assert network(order({"postgres": {"host": "h", "user": "u", "databases": ["d"]}})) == "host"
    sftp = {"host": "h", "user": "u", "path": "/b", "hostKey": HOST_KEY, "privateKeySecret": SSH_KEY}
    assert network(order(stores=[{"name": "far", "spec": {"sftp": sftp}}])) == "host"


def test_the_worker_is_a_user_that_its_container_knows():
    assert list_users(0, 0) == "root:x:0:0::/root:/bin/sh\n"
    assert "worker:x:1000:1001::/strongroom/scratch:/bin/sh\n" in list_users(1000, 1001)
