from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from strongroom.agent.allowances import Allowances
from strongroom.agent.asks import list_asks
from strongroom.agent.hostview import HostView, look_at_host
from strongroom.agent.permissions import Permissions, build_permissions
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.workorder import WorkOrder
from strongroom.engine.containers import Container
from strongroom.engine.inspection import Inspected, Mount

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN78xiVUYIUdvLTX1burMQKWaSCA6hVRj1wA85iAd7OW"
SSH_KEY = {"name": "keys", "key": "ssh"}
DB = {"project": "shop", "service": "db"}
STORE = [{"name": "disk", "spec": {"local": {"path": "/var/backups/strongroom"}}}]
PLAIN = Inspected(
    container=Container(
        id="1" * 64,
        name="shop_db_1",
        image="postgres:15",
        state="running",
        labels={
            "com.docker.compose.project": "shop",
            "com.docker.compose.service": "db",
            "com.docker.compose.project.working_dir": "/home/ada/shop",
            "com.docker.compose.project.config_files": "docker-compose.yml",
        },
    ),
    mounts=(),
    root_reason=None,
    environment_names=frozenset(),
    program="postgres",
)
PRIVILEGED = replace(PLAIN, root_reason="it is privileged")


def order(*sources, hooks=None, stores=STORE):
    backup = {
        "policy": "shop",
        "policyUid": "p",
        "run": "r",
        "reason": "Manual",
        "slot": "2026-11-22T02:00:00Z",
        "sources": [{"name": f"s{n}", **source} for n, source in enumerate(sources)]
        or [{"name": "db", "postgres": {"container": DB}}],
        "compression": {},
        "verification": "Full",
        "minSizePercent": 0,
        "retention": {},
        "timeZone": "UTC",
    }
    return WorkOrder.model_validate(
        {
            "kind": "Backup",
            "namespace": "n",
            "runUid": "u",
            "stores": stores,
            "deadlineSeconds": 60,
            "backup": backup | ({"hooks": hooks} if hooks else {}),
        }
    )


def refusal(work, container=PLAIN, resolved=None, **allowed):
    """The refusal's text, or None when all is allowed."""
    asks = list_asks(work)
    view = HostView(
        resolved={path: PurePosixPath(real) for path, real in (resolved or {}).items()},
        containers={ask: [container] for ask in asks},
    )
    allowances = Allowances(**allowed)
    try:
        Permissions(allowances, allowances.stores, allowances.paths).check(asks, view)
    except StrongroomError as error:
        return error.message if error.reason is Reason.HostForbids else f"wrong reason: {error.reason}"
    return None


@pytest.mark.parametrize(
    "source",
    [
        {"postgres": {"container": DB}},
        {"postgres": {"labelled": True}},
        {"postgres": {"host": "db.internal", "user": "u", "databases": ["d"]}},
        {"files": {"volume": "shop_media"}},
        {"files": {"inContainer": {"container": DB, "path": "/app/media"}}},
        {"config": {"project": "shop"}},
    ],
)
def test_what_stacks_need_is_allowed_by_default(source):
    assert refusal(order(source)) is None


def bucket(**more):
    keys = {name: {"name": "keys", "key": name} for name in ("accessKeySecret", "secretKeySecret")}
    return [{"name": "vault", "spec": {"s3": {"bucket": "backups", **keys, **more}}}]


def test_buckets_with_credentials_of_their_own_are_allowed_by_default_and_by_name():
    assert refusal(order(stores=bucket())) is None
    assert refusal(order(stores=bucket()), buckets=("aws/back*",)) is None
    away = order(stores=bucket(endpoint="https://s3.example:9000"))
    assert refusal(away, buckets=("s3.example:9000/backups",)) is None
    assert "--allow-bucket s3.example:9000/backups" in refusal(away, buckets=("aws/*",))
    assert "BackupStore n/vault: spec.s3" in refusal(away, buckets=("aws/*",))


def test_the_hosts_own_credentials_are_for_buckets_that_the_host_names():
    own = order(stores=bucket(accessKeySecret=None, secretKeySecret=None))
    assert "own credentials" in refusal(own)
    assert "--allow-bucket aws/backups" in refusal(own)
    assert refusal(own, buckets=("aws/backups",)) is None


@pytest.mark.parametrize("kind", ["sftp", "rsync"])
def test_servers_are_allowed_by_default_and_by_name(kind):
    place = {"host": "s.example", "user": "u", "path": "/srv/b/", "hostKey": HOST_KEY}
    far = order(stores=[{"name": "far", "spec": {kind: {**place, "privateKeySecret": SSH_KEY}}}])
    assert refusal(far) is None
    assert refusal(far, servers=("s.example:22/srv/*",)) is None
    assert "--allow-server s.example:22/srv/b" in refusal(far, servers=("s.example:2222/*",))
    assert f"BackupStore n/far: spec.{kind}" in refusal(far, servers=("s.example:22/home/*",))


def test_stopping_pausing_and_commands_are_allowed_by_default():
    commands = [{"container": DB, "command": ["true"]}]
    assert refusal(order(hooks={"stop": [DB], "pause": [DB], "before": commands, "after": commands})) is None


@pytest.mark.parametrize(
    ("source", "field", "option"),
    [
        ({"files": {"path": "/etc/shadow"}}, "sources[0].files.path", "--allow-path /etc/shadow"),
        (
            {"config": {"paths": ["/root/.ssh"]}},
            "sources[0].config.paths[0]",
            "--allow-path /root/.ssh",
        ),
    ],
)
def test_no_path_of_the_host_is_readable_by_default(source, field, option):
    text = refusal(order(source))
    assert "BackupPolicy n/shop: spec." + field in text
    assert option in text


def test_a_path_is_allowed_with_all_below_it_and_nothing_beside_it():
    assert refusal(order({"files": {"path": "/srv/media/a"}}), paths=("/srv/media",)) is None
    assert refusal(order({"files": {"path": "/srv/media2"}}), paths=("/srv/media",)) is not None
    assert refusal(order({"files": {"path": "/srv/a/media/x"}}), paths=("/srv/*/media",)) is None
    assert refusal(order({"files": {"path": "/srv/a/b/media"}}), paths=("/srv/*/media",)) is not None


def test_a_link_is_judged_by_where_it_leads():
    work = order({"files": {"path": "/srv/media/link"}})
    text = refusal(work, resolved={"/srv/media/link": "/etc"}, paths=("/srv/media",))
    assert "/srv/media/link (which leads to /etc)" in text


def test_stores_are_where_backups_belong_or_where_the_machine_says():
    work = order(stores=[{"name": "disk", "spec": {"local": {"path": "/etc/cron.d"}}}])
    assert "BackupStore n/disk: spec.local.path: /etc/cron.d" in refusal(work)
    assert refusal(work, stores=("/etc/cron.d",)) is None


def test_volumes_and_containers_can_be_narrowed():
    volume = order({"files": {"volume": "shop_media"}})
    assert "--allow-volume shop_media" in refusal(volume, volumes=("blog_*",))
    assert "--allow-container shop/db" in refusal(order(), containers=("blog/*",))
    assert refusal(order(), containers=("shop/*",)) is None
    assert refusal(order(), containers=("shop_db_1",)) is None


def test_commands_in_a_container_that_is_root_on_the_host_need_its_name():
    hooks = {"before": [{"container": DB, "command": ["sh"]}]}
    text = refusal(order(hooks=hooks), PRIVILEGED)
    assert "it is privileged" in text
    assert "--allow-root-container shop_db_1" in text
    assert refusal(order(hooks=hooks), PRIVILEGED, root_containers=("shop_db_1",)) is None
    files = order({"files": {"inContainer": {"container": DB, "path": "/host"}}})
    assert refusal(files, PRIVILEGED) is not None


def test_no_dump_runs_programs_in_such_a_container_either():
    assert "--allow-root-container shop_db_1" in refusal(order(), PRIVILEGED)
    assert refusal(order(), PRIVILEGED, root_containers=("shop_db_1",)) is None


def test_such_a_container_is_stopped_and_paused_as_any_other():
    volume = {"files": {"volume": "shop_media"}}
    assert refusal(order(volume, hooks={"stop": [DB], "pause": [DB]}), PRIVILEGED) is None


def test_a_bind_of_the_host_is_readable_through_a_container_only_inside_its_projects_folder():
    files = order({"files": {"inContainer": {"container": DB, "path": "/app/media/2026"}}})
    inside = replace(PLAIN, mounts=(Mount("/home/ada/shop/media", "/app/media"),))
    outside = replace(PLAIN, mounts=(Mount("/etc", "/app/media"),))
    assert refusal(files, inside) is None
    assert "--allow-path /etc/2026" in refusal(files, outside)
    assert refusal(files, outside, paths=("/etc",)) is None


def test_a_link_that_a_container_has_put_into_its_volume_leads_nowhere():
    files = order({"files": {"inContainer": {"container": DB, "path": "/data/x"}}})
    volume = replace(PLAIN, mounts=(Mount("/var/lib/docker/volumes/v/_data", "/data", "v"),))
    assert refusal(files, volume) is None
    assert refusal(files, volume, volumes=()) is not None
    resolved = {"/var/lib/docker/volumes/v/_data/x": "/etc"}
    assert "--allow-path /etc" in refusal(files, volume, resolved=resolved)


def test_the_configuration_of_a_project_is_inside_its_own_folder():
    work = order({"config": {"project": "shop"}})
    labels = PLAIN.container.labels | {"com.docker.compose.project.config_files": "a.yml,/etc/common.yml"}
    outside = replace(PLAIN, container=replace(PLAIN.container, labels=labels))
    assert "--allow-path /etc/common.yml" in refusal(work, outside)
    assert refusal(work, outside, paths=("/etc/common.yml",)) is None
    assert "which leads to /etc/shadow" in refusal(work, resolved={"/home/ada/shop/.env": "/etc/shadow"})


@pytest.mark.parametrize("folder", ["/", "/etc", "/srv", "/var/lib/docker/volumes/x/_data"])
def test_a_project_whose_folder_is_the_whole_host_opens_nothing(folder):
    labels = PLAIN.container.labels | {"com.docker.compose.project.working_dir": folder}
    everywhere = replace(PLAIN, container=replace(PLAIN.container, labels=labels))
    assert refusal(order({"config": {"project": "shop"}}), everywhere) is not None


def test_an_image_that_is_not_this_agents_own_is_refused():
    permissions = build_permissions(Allowances(images=("strongroom:1.0",)))
    permissions.check_image("Job n/j", "strongroom:1.0")
    with pytest.raises(StrongroomError, match="--allow-image evil:latest"):
        permissions.check_image("Job n/j", "evil:latest")


def test_links_are_followed_on_the_disk_in_what_is_asked_and_in_what_is_allowed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "backups").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "out").symlink_to("/etc")
    permissions = build_permissions(Allowances(stores=(f"{tmp_path}/backups",)))

    def check(path):
        work = order(stores=[{"name": "disk", "spec": {"local": {"path": str(path)}}}])
        asks = list_asks(work)
        permissions.check(asks, look_at_host(work, asks, None))

    check(tmp_path / "backups" / "strongroom")
    check(tmp_path / "disk")
    for path in (tmp_path / "backups" / "out" / "x", tmp_path / "disk" / ".." / "other"):
        with pytest.raises(StrongroomError, match="not allowed"):
            check(path)


def test_no_store_is_where_the_agent_keeps_its_own_files(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "agent")
    permissions = build_permissions(Allowances(stores=(str(tmp_path),)), [tmp_path / "link"])

    def check(path):
        work = order(stores=[{"name": "disk", "spec": {"local": {"path": str(path)}}}])
        asks = list_asks(work)
        permissions.check(asks, look_at_host(work, asks, None))

    check(tmp_path / "store")
    for path in (tmp_path, tmp_path / "agent", tmp_path / "agent" / "jobs"):
        with pytest.raises(StrongroomError, match="the agent keeps its own files"):
            check(path)
