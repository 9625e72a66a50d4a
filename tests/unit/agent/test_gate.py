"""What the gate to the Engine passes on, and in which words. The socket itself is tested against a real Engine."""

import json

import pytest

from strongroom.agent.gate.deciding import decide
from strongroom.agent.gate.requests import Refused, parse_head
from strongroom.agent.gate.rules import Rules, read_rules, rules_text

DB, APP, OTHER = "d" * 64, "a" * 64, "f" * 64
RULES = Rules(
    engine="/run/docker.sock",
    socket="docker.sock",
    seconds=60,
    names={"shop-db-1": DB, DB[:12]: DB, "shop-app-1": APP},
    inspect=frozenset([DB, APP]),
    exec=frozenset([DB]),
    control=frozenset([APP]),
    volumes=frozenset(["shop_media"]),
)
EXECS = {"e1": DB, "e2": OTHER}
UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")


def head(line, *headers):
    return "\r\n".join([line, "Host: docker", *headers]).encode()


def ask(line, body=b"", *headers):
    if body:
        headers = (*headers, f"Content-Length: {len(body)}")
    return decide(parse_head(head(f"{line} HTTP/1.1", *headers)), body, RULES, EXECS.get)


def passed(line, body=b"", *headers):
    it = ask(line, body, *headers)
    return f"{it.method} {it.target}"


def refused(*request):
    with pytest.raises(Refused) as caught:
        ask(*request)
    return caught.value.status


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        ("GET /_ping", "GET /_ping"),
        ("GET /version", "GET /version"),
        ("GET /v1.41/version", "GET /v1.41/version"),
        (
            "GET /v1.47/containers/json?all=1&filters=%7B%7D",
            "GET /v1.47/containers/json?all=1&filters=%7B%7D",
        ),
        ("GET /containers/shop-db-1/json", f"GET /containers/{DB}/json"),
        (f"GET /containers/{APP}/json", f"GET /containers/{APP}/json"),
        ("POST /v1.41/containers/shop-app-1/stop?t=30", f"POST /v1.41/containers/{APP}/stop?t=30"),
        ("POST /containers/shop-app-1/start", f"POST /containers/{APP}/start?"),
        ("POST /containers/shop-app-1/pause", f"POST /containers/{APP}/pause?"),
        ("GET /exec/e1/json", "GET /exec/e1/json"),
        ("GET /volumes/shop_media", "GET /volumes/shop_media"),
    ],
)
def test_what_an_order_needs_is_passed_on_by_ids(asked, goes):
    assert passed(asked) == goes


@pytest.mark.parametrize(
    "asked",
    [
        "GET /info",
        "GET /events",
        "GET /images/json",
        "POST /images/create?fromImage=evil",
        "POST /build",
        "POST /containers/create",
        "POST /v1.41/containers/create?name=x",
        "DELETE /containers/shop-db-1",
        "POST /containers/shop-db-1/update",
        "POST /containers/shop-db-1/kill",
        "POST /containers/shop-db-1/attach",
        "GET /containers/shop-db-1/archive",
        "GET /containers/shop-db-1/export",
        "GET /containers/shop-db-1/logs",
        "POST /volumes/create",
        "GET /volumes",
        "GET /swarm",
        "POST /swarm/init",
        "GET /secrets",
        "POST /plugins/pull",
        "POST /session",
        "POST /grpc",
        "POST /containers/prune",
        "GET /v2/version",
        "GET /v1.24/version",
    ],
)
def test_everything_else_that_an_engine_can_do_is_refused(asked):
    assert refused(asked) in {400, 403}


@pytest.mark.parametrize(
    "asked",
    [
        "GET /containers/someone/json",
        f"GET /containers/{OTHER}/json",
        f"POST /containers/{OTHER}/exec",
        "POST /containers/shop-app-1/exec",
        "POST /containers/shop-db-1/stop",
        "GET /exec/e2/json",
        "POST /exec/e2/start",
        "POST /exec/unknown/start",
        "GET /volumes/other",
    ],
)
def test_other_containers_execs_and_volumes_are_refused_and_each_is_used_as_the_order_does(asked):
    assert refused(asked) == 403


@pytest.mark.parametrize(
    "path",
    [
        "//containers/json",
        "/containers/../containers/create",
        "/containers/shop-db-1/../create",
        "/containers/%63reate",
        "/containers/shop-db-1%2Fjson",
        "/./version",
        "/version/",
        "/version#x",
        "/v1.41//version",
        "http://docker/version",
        "docker:80",
        "*",
        "/containers/shop-db-1/json;x",
        "/version\t",
    ],
)
def test_a_path_can_be_written_in_one_way_only(path):
    assert refused(f"GET {path}") in {400, 403}


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /version HTTP/1.0\r\nHost: docker",
        b"GET  /version HTTP/1.1\r\nHost: docker",
        b"get /version HTTP/1.1\r\nHost: docker",
        b"GET /version HTTP/1.1\nHost: docker",
        b"GET /version HTTP/1.1\r\nHost: docker\r\n X-Folded: yes",
        b"GET /version HTTP/1.1\r\nHost: docker\nX: y",
        b"GET /version HTTP/1.1\r\nHost : docker",
        b"GET /version HTTP/1.1\r\nHost: docker\r\nHost: other",
        b"GET /version HTTP/1.1",
        b"GET /version HTTP/1.1\r\nHost: docker\r\nContent-Length: 5",
        b"POST /exec/e1/start HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked",
        b"POST /exec/e1/start HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: identity\r\nContent-Length: 2",
        b"POST /exec/e1/start HTTP/1.1\r\nHost: docker\r\nContent-Length: 2\r\ncontent-length: 9",
        b"POST /exec/e1/start HTTP/1.1\r\nHost: docker\r\nContent-Length: +2",
        b"POST /exec/e1/start HTTP/1.1\r\nHost: docker\r\nContent-Length: 0x2",
        b"POST /exec/e1/start HTTP/1.1\r\nHost: docker\r\nContent-Length: 2, 2",
        b"POST /exec/e1/start HTTP/1.1\r\nHost: docker\r\nContent-Length: 999999999",
        b"POST /exec/e1/start HTTP/1.1\r\nHost: docker\r\nExpect: 100-continue",
        b"POST /exec/e1/start HTTP/1.1\r\nHost: docker\r\nUpgrade: h2c\r\nConnection: Upgrade",
        b"POST /exec/e1/start HTTP/1.1\r\nHost: docker\r\nUpgrade: tcp\r\nConnection: keep-alive",
        b"GET /version HTTP/1.1\r\nHost: docker\r\nX: a\x00b",
        b"GET /version\xff HTTP/1.1\r\nHost: docker",
        b"PRI * HTTP/2.0",
        b"",
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(raw):
    with pytest.raises(Refused):
        parse_head(raw)


def test_only_the_start_of_an_exec_becomes_a_stream():
    assert refused("GET /version", b"", *UPGRADE) == 400
    assert refused("POST /containers/shop-app-1/stop", b"", *UPGRADE) == 400
    started = ask("POST /exec/e1/start", b'{"Detach": false, "Tty": false}', *UPGRADE)
    assert started.upgrades
    assert json.loads(started.body) == {"Detach": False, "Tty": False}
    assert refused("POST /exec/e1/start", b'{"Detach": true}', *UPGRADE) == 400
    assert refused("POST /exec/e1/start", b'{"Detach": false}') == 400
    assert not ask("POST /exec/e1/start", b'{"Detach": true}').upgrades


def test_a_query_is_passed_only_where_it_is_known():
    for line in (
        "POST /containers/shop-app-1/stop?signal=SIGKILL",
        "POST /containers/shop-app-1/start?t=1",
        "GET /version?x=1",
        "POST /exec/e1/start?x=1",
        "GET /containers/json?size=1",
        "GET /containers/json?all=1&s%69ze=1",
    ):
        assert refused(line) == 400


def test_an_exec_is_made_of_known_fields_only():
    body = {
        "Container": "elsewhere",
        "Cmd": ["pg_dump"],
        "User": "postgres",
        "AttachStdin": True,
        "Privileged": False,
    }
    made = json.loads(ask("POST /containers/shop-db-1/exec", json.dumps(body).encode()).body)
    assert made == {
        "AttachStdin": True,
        "AttachStdout": False,
        "AttachStderr": False,
        "User": "postgres",
        "Cmd": ["pg_dump"],
        "Env": [],
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{"Cmd": ["x"], "Privileged": true}',
        b'{"Cmd": ["x"], "privileged": true}',
        b'{"Cmd": ["x"], "PRIVILEGED": true}',
        b'{"Cmd": ["x"], "Privileged": false, "Privileged": true}',
        b'{"Cmd": ["x"], "Tty": true}',
        b'{"Cmd": ["x"], "WorkingDir": "/proc/self/fd/7"}',
        b'{"Cmd": ["x"], "workingDir": "/proc/self/fd/7"}',
        b'{"Cmd": "x"}',
        b'{"Cmd": ["x"], "User": 0.5}',
        b'{"Cmd": ["x"], "HostConfig": {}}',
        b"[]",
        b"not json",
        b'{"Cmd": ["x"]} {"Privileged": true}',
    ],
)
def test_an_exec_with_more_rights_or_unknown_fields_is_refused(body):
    assert refused("POST /containers/shop-db-1/exec", body) in {400, 403}


def test_rules_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "gate.json"
    path.write_bytes(rules_text(RULES))
    assert read_rules(path) == RULES
