"""What a restore or a drill may do to this host, by default and by its allowances."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from tests.unit.agent.restoreorders import (
    DB,
    PLAIN,
    drilling,
    dropping,
    permissions,
    refusal,
    restoring,
    stopping,
    view_of,
)

from strongroom.agent.asks import list_asks
from strongroom.agent.urls import EVERYWHERE, HostNetworks, look_at_urls, origin_of
from strongroom.engine.inspection import Mount

VOLUME = {"files": {"volume": "shop_media"}}
FOLDER = {"files": {"path": "/srv/shop/media"}}
DATABASE = {"postgres": {"container": DB}}
PROJECT = {"config": {"project": "shop"}}
INSIDE = {"files": {"inContainer": {"container": DB, "path": "/data/pictures"}}}
KINDS = ("PlanRestore", "Restore")


@pytest.mark.parametrize("kind", KINDS)
def test_databases_and_volumes_and_services_need_no_allowance(kind):
    check = {"exec": {"container": DB, "command": ["true"]}}
    order = restoring(DATABASE, VOLUME, kind=kind, hooks=stopping(DB), healthCheck=check)
    assert refusal(order) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("target", "field", "path"),
    [
        (FOLDER, "source s0: files.path", "/srv/shop/media"),
        ({"config": {"paths": ["/etc/cron.d"]}}, "source s0: config.paths[0]", "/etc/cron.d"),
        (PROJECT, "source s0: config.project", "/home/ada/shop"),
    ],
)
def test_nothing_of_the_hosts_own_is_replaced_unless_the_host_says_so(kind, target, field, path):
    order = restoring(target, kind=kind)
    text = refusal(order, paths=("/",))
    assert text.startswith(f"HostForbids: RestoreRequest n/again: {field}: {path}")
    assert f"--allow-restore-path {path}" in text
    assert refusal(order, restore_paths=(path,)) is None


def test_a_restore_into_a_folder_asks_for_the_folder_alone():
    order = restoring(DATABASE, FOLDER, PROJECT, mode="Directory", path="/srv/restores/new")
    text = refusal(order)
    assert text.startswith("HostForbids: RestoreRequest n/again: spec.target.path: /srv/restores/new")
    assert refusal(order, restore_paths=("/srv/restores",)) is None
    assert {type(ask).__name__ for ask in list_asks(order)} == {"StoreAsk", "RestorePathAsk"}


def test_volumes_that_restores_may_write_to_can_be_narrowed_and_are_never_more_than_may_be_read():
    order = restoring(VOLUME)
    assert "--allow-restore-volume shop_media" in refusal(order, restore_volumes=("other",))
    assert "--allow-volume shop_media" in refusal(order, volumes=("other",))
    assert refusal(order, restore_volumes=("shop_*",)) is None


@pytest.mark.parametrize("target", [VOLUME, INSIDE])
def test_a_folder_of_the_host_is_no_less_forbidden_for_being_bound_as_a_volume(target):
    order = restoring(target)
    mounted = replace(PLAIN, mounts=(Mount("/vol/_data", "/data", "shop_media"),))
    view = view_of(order, mounted, bound={"shop_media": PurePosixPath("/srv/any")})
    assert "which is /srv/any of the host" in refusal(order, view=view)
    assert refusal(order, view=view, restore_paths=("/srv/any",)) is None


def test_a_path_in_a_container_is_judged_by_the_mount_behind_it():
    order = restoring(INSIDE)
    volume = replace(PLAIN, mounts=(Mount("/vol/_data", "/data", "shop_media"),))
    assert refusal(order, volume) is None
    assert "--allow-restore-volume" in refusal(order, volume, restore_volumes=("other",))
    bind = replace(PLAIN, mounts=(Mount("/home/ada/shop/data", "/data"),))
    assert "--allow-restore-path /home/ada/shop/data/pictures" in refusal(order, bind)
    assert refusal(order, bind, restore_paths=("/home/ada/shop",)) is None
    led_out = view_of(order, volume, resolved={"/vol/_data/pictures": "/etc"})
    assert "--allow-restore-path /etc" in refusal(order, view=led_out)


def test_what_was_replaced_is_dropped_only_where_it_may_be_replaced():
    assert "--allow-restore-path" in refusal(dropping(FOLDER))
    assert refusal(dropping(FOLDER), restore_paths=("/srv/shop",)) is None
    assert refusal(dropping(VOLUME, DATABASE)) is None


def test_a_drop_asks_for_no_store():
    assert refusal(dropping(VOLUME), stores=()) is None
    assert "--allow-store" in refusal(restoring(VOLUME), stores=())


def check_of(url):
    return restoring(DATABASE, healthCheck={"url": url})


def looked(order, **more):
    return view_of(order, networks=HostNetworks(**more))


def test_a_url_that_leads_elsewhere_is_fetched_only_if_the_host_names_its_server():
    order = check_of("https://Shop.Example/health?token=x")
    view = looked(order, strangers={"https://Shop.Example/health?token=x": "192.0.2.7"})
    text = refusal(order, view=view)
    assert text.startswith(
        "UrlForbidden: RestoreRequest n/again: spec.healthCheck.url: https://shop.example "
    )
    assert "192.0.2.7" in text
    assert "--allow-url https://shop.example" in text
    assert "token" not in text
    assert refusal(order, view=view, urls=("https://*.example",)) is None
    assert refusal(order, view=view, urls=("http://shop.example",)) is not None


def test_a_health_check_reaches_the_containers_or_everything_that_is_named():
    order = check_of("http://172.17.0.3:8000/")
    view = looked(order, containers=("172.17.0.0/16",))
    asks = list_asks(order)
    assert permissions().reach(asks, view) == ("172.17.0.0/16",)
    assert permissions(urls=("http://172.17.0.3:8000",)).reach(asks, view) == EVERYWHERE
    assert permissions().reach(list_asks(restoring(DATABASE)), view) == ()


@pytest.mark.parametrize("url", ["http://user:word@127.0.0.1/", "http:///x", "http://[::1/"])
def test_a_url_with_a_password_or_without_a_server_is_refused_and_not_repeated(url):
    text = refusal(check_of(url))
    assert text.startswith("UrlForbidden")
    assert "word" not in text


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://LOCALHOST:80/a", "http://localhost"),
        ("https://h:8443/?q", "https://h:8443"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_a_server_has_one_name_whatever_is_fetched_from_it(url, origin):
    assert origin_of(url) == origin


def test_without_an_engine_no_url_is_judged_and_no_network_is_a_containers():
    assert look_at_urls(["http://127.0.0.1:9/"], None) == HostNetworks()


def test_drills_start_postgres_and_what_runs_here_already():
    named = drilling(image="registry.example/db:15")
    assert refusal(drilling(image="postgres:15-bookworm")) is None
    assert refusal(named, view=view_of(named, images=None)) is None
    text = refusal(named, view=view_of(named, images=frozenset(["web"])))
    assert text.startswith("HostForbids: BackupPolicy n/shop: spec.drill.image: image registry.example/db:15")
    assert "--allow-drill-image registry.example/db:15" in text
    assert refusal(named, view=view_of(named, images=frozenset(["registry.example/db:15"]))) is None
    application = {"image": "evil", "port": 80}
    order = drilling(application=application, targets=[{"name": "db", **DATABASE}])
    assert "drill.application.image" in refusal(order, view=view_of(order, images=frozenset(["web"])))
    seen = view_of(order, images=frozenset(["web"]))
    assert refusal(order, view=seen, drill_images=("evil",)) is None
