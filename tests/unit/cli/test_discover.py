"""What `strongroom discover` proposes for what an Engine told: policies that can be applied, and what is left out."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from tests.unit.domain import domain_objects as objects

from strongroom.api.backuppolicy import BackupPolicySpec
from strongroom.api.resources import parse_policy, parse_store
from strongroom.cli.discover import find_time_zone, render_json, render_yaml
from strongroom.cli.main import main
from strongroom.cli.proposals import Proposals, Wishes, propose
from strongroom.engine.stacks import DatabaseFacts, MountFacts, ServiceFacts, Stack, Stacks

WISHES = Wishes("default", "local", "disk", "/backups", "Europe/Paris")
PGDATA = MountFacts("volume", "shop_pgdata", "/var/lib/postgresql/data")
MEDIA = MountFacts("volume", "shop_media", "/srv/media")


def service(name: str = "db", *mounts: MountFacts, image: str = "postgres:16", **more: Any) -> ServiceFacts:
    base: dict[str, Any] = {
        "containers": [f"shop-{name}-1"],
        "is_postgres": "postgres" in image,
        "policy_label": None,
    }
    return ServiceFacts(name=name, image=image, mounts=mounts, **(base | more))


def stack(*services: ServiceFacts, name: str = "shop", folder: str | None = "/srv/shop") -> Stacks:
    volumes = sorted({mount.source for each in services for mount in each.mounts if mount.kind == "volume"})
    databases = [
        DatabaseFacts(container, name, each.name, each.image, each.policy_label)
        for each in services
        if each.is_postgres
        for container in each.containers
    ]
    return Stacks([Stack(name, folder, [], services, volumes)], databases)


SHOP = stack(service("db", PGDATA), service("web", MEDIA, image="shop/web:1"))


def specs(proposals: Proposals) -> dict[str, BackupPolicySpec]:
    bodies = list(yaml.safe_load_all(render_yaml(proposals)))
    parse_store(bodies[0] | {"metadata": objects.meta(bodies[0]["metadata"]["name"])})
    policies = [
        parse_policy(each | {"metadata": objects.meta(each["metadata"]["name"])}) for each in bodies[1:]
    ]
    return {each.meta.name: each.spec for each in policies}


def test_a_project_gets_a_policy_for_its_databases_its_files_and_its_configuration():
    found = specs(propose(SHOP, WISHES))
    assert list(found) == ["shop-database", "shop-media", "shop-config"]
    database, media, config = found.values()
    assert (database.schedule, database.time_zone) == ("0 2 * * *", "Europe/Paris")
    assert database.retention.keep_within == "7d"
    assert str(database.sources[0].postgres.container) == "shop/db"
    assert (media.schedule, media.retention.keep_within) == ("0 3 * * 0", "30d")
    assert [source.files.volume for source in media.sources] == ["shop_media"]
    assert (config.schedule, config.sources[0].config.project) == (None, "shop")
    assert not config.sources[0].config.allow_unencrypted


def test_the_configurations_policy_says_that_somebody_must_decide_about_its_secrets():
    text = render_yaml(propose(SHOP, WISHES))
    (line,) = [line for line in text.splitlines() if "allowUnencrypted:" in line and not line.startswith("#")]
    assert "# decide" in line
    assert "strongroom backup shop-config" in text


def test_files_of_a_database_server_are_no_media():
    redis = service("cache", MountFacts("volume", "shop_redis", "/data"), image="redis:7")
    proposals = propose(stack(service("db", PGDATA), redis), WISHES)
    assert list(specs(proposals)) == ["shop-database", "shop-config"]
    assert any("shop/cache (redis:7)" in line for line in proposals.left_out)


def test_what_is_left_out_is_said_with_its_reason():
    mounts = (
        MountFacts("volume", "f" * 64, "/tmp/x"),
        MountFacts("bind", "/srv/uploads", "/uploads"),
        MountFacts("bind", "/srv/shop/nginx.conf", "/etc/nginx/nginx.conf"),
    )
    extra = MountFacts("volume", "shop_dumps", "/dumps")
    proposals = propose(stack(service("web", *mounts, image="nginx"), service("db", extra)), WISHES)
    told = "\n".join(proposals.left_out)
    assert all(word in told for word in ("ffffffffffff…", "/srv/uploads", "--allow-path", "shop_dumps"))
    assert "nginx.conf" not in told
    homeless = propose(stack(service("db"), folder=None), WISHES)
    assert list(specs(homeless)) == ["shop-database"]
    assert "folder" in homeless.left_out[0]


def test_a_labelled_service_gets_the_policy_that_its_label_names():
    found = specs(propose(stack(service("db", PGDATA, policy_label="nightly")), WISHES))
    assert list(found) == ["nightly", "shop-config"]
    assert found["nightly"].sources[0].postgres.labelled


def test_a_label_for_another_namespace_or_that_is_no_name_is_left_out():
    for label in ("elsewhere/nightly", "No Name"):
        proposals = propose(stack(service("db", PGDATA, policy_label=label)), WISHES)
        assert list(specs(proposals)) == ["shop-config"]
        assert any(label in line for line in proposals.left_out)
    ours = propose(stack(service("db", PGDATA, policy_label="default/nightly")), WISHES)
    assert "nightly" in specs(ours)


def test_each_container_of_a_scaled_service_is_a_source_of_its_own():
    scaled = service("db", containers=["shop-db-1", "shop-db-2"])
    sources = specs(propose(stack(scaled), WISHES))["shop-database"].sources
    assert [str(source.postgres.container) for source in sources] == [
        "container shop-db-1",
        "container shop-db-2",
    ]


def test_a_container_without_a_project_gets_a_policy_by_its_name():
    alone = Stacks([], [DatabaseFacts("Old_DB", None, None, "postgres:13", None)])
    found = specs(propose(alone, WISHES))
    assert str(found["old-db-database"].sources[0].postgres.container) == "container Old_DB"


def test_names_of_two_projects_that_become_one_stay_apart():
    one, other = stack(service("db"), name="a_b"), stack(service("db"), name="a-b")
    both = Stacks([*one.projects, *other.projects], [*one.databases, *other.databases])
    assert list(specs(propose(both, WISHES))) == [
        "a-b-database",
        "a-b-config",
        "a-b-database-2",
        "a-b-config-2",
    ]


def test_more_volumes_than_one_policy_takes_become_several_policies():
    many = [MountFacts("volume", f"shop_v{n:02}", f"/v{n}") for n in range(40)]
    found = specs(propose(stack(service("web", *many, image="web")), WISHES))
    assert [len(found[name].sources) for name in ("shop-media", "shop-media-2", "shop-media-3")] == [
        16,
        16,
        8,
    ]


def test_names_that_no_policy_can_hold_are_left_out_and_break_no_document():
    odd = MountFacts("bind", "/srv/x\n- evil: true\n---", "/x")
    proposals = propose(stack(service("db", odd), name="Bad Project"), WISHES)
    assert specs(proposals) == {}
    assert len(proposals.left_out) == 3
    assert "\n- evil" not in render_yaml(proposals)


def test_json_is_one_list_of_the_same_resources():
    proposals = propose(SHOP, WISHES)
    told = json.loads(render_json(proposals))
    assert (told["kind"], told["items"]) == ("List", [each.body for each in proposals.resources])


def test_the_time_zone_is_the_machines_own_or_utc(tmp_path: Path):
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Pacific/Auckland")
    assert find_time_zone(link) == "Pacific/Auckland"
    assert find_time_zone(tmp_path / "absent") == "UTC"


@pytest.mark.parametrize("address", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_without_an_engine_the_answer_is_one_line_and_a_way_out(address: str):
    done = CliRunner().invoke(main, ["discover", "--engine", address])
    assert done.exit_code == 1
    assert "Docker" in done.output
    assert "Traceback" not in done.output
