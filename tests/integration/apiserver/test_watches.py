"""Watches: begin anywhere, miss nothing, end properly."""

import json
import socket
import ssl
import threading
from contextlib import ExitStack, suppress
from functools import partial
from http.client import HTTPException, HTTPSConnection
from typing import Self
from urllib.parse import urlencode

import pytest
from tests.integration.apiserver.conftest import eventually
from tests.integration.apiserver.serving import Running
from tests.integration.apiserver.test_objects import MERGE, make, refused
from tests.integration.apiserver.widgets import build_widget

LABELS = {"metadata": {"labels": {"t": "x"}}}


class Watch:
    """Events of a watch, gathered by a thread."""

    def __init__(self, server: Running, path: str, accept: str = "*/*", **params: str) -> None:
        self.events: list[dict] = []
        self.ended = False
        context = ssl.create_default_context(cafile=server.ca)
        self._connection = HTTPSConnection("127.0.0.1", server.endpoint.port, context=context, timeout=60)
        query = urlencode({"watch": "true", **params})
        headers = {"authorization": f"Bearer {server.token()}", "accept": accept}
        self._connection.request("GET", f"{path}?{query}", headers=headers)
        self._response = self._connection.getresponse()
        assert self._response.status == 200
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._response.close()
        self._connection.close()

    def _read(self) -> None:
        with suppress(OSError, HTTPException):
            while line := self._response.readline():
                self.events.append(json.loads(line))
            self.ended = self._response.isclosed()

    def wait_for(self, count: int) -> list[tuple[str, str]]:
        eventually(lambda: len(self.events) >= count)
        return self.seen()

    def seen(self) -> list[tuple[str, str]]:
        return [(event["type"], event["object"].get("metadata", {}).get("name", "")) for event in self.events]


@pytest.fixture
def watch(server: Running, widgets: str):
    return partial(Watch, server, widgets)


def version(obj: dict) -> str:
    return obj["metadata"]["resourceVersion"]


def test_a_watch_without_a_version_begins_with_what_exists(api, widgets, watch):
    make(api, widgets)
    with watch() as running:
        running.wait_for(1)
        changed = api.patch(f"{widgets}/a", json={"spec": {"size": 4}}, headers=MERGE).json()
        api.delete(f"{widgets}/a")
        assert running.wait_for(3) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
        assert running.events[1]["object"] == changed
        last = running.events[2]["object"]
        assert last["spec"] == {"size": 4, "color": "red"}
        assert int(version(last)) > int(version(changed))


def test_a_watch_from_a_version_replays_what_came_after(api, widgets, watch):
    first = make(api, widgets)
    make(api, widgets, "b")
    with watch(resourceVersion=version(first)) as running:
        assert running.wait_for(1) == [("ADDED", "b")]
    with watch(resourceVersion=api.get(widgets).json()["metadata"]["resourceVersion"]) as running:
        make(api, widgets, "c")
        assert running.wait_for(1) == [("ADDED", "c")]


def test_selectors_see_objects_enter_and_leave(api, widgets, watch):
    start = version(make(api, widgets))
    with watch(labelSelector="t=x", resourceVersion=start) as running:
        api.patch(f"{widgets}/a", json=LABELS, headers=MERGE)
        api.patch(f"{widgets}/a", json={"spec": {"size": 5}}, headers=MERGE)
        left = api.patch(f"{widgets}/a", json={"metadata": {"labels": None}}, headers=MERGE).json()
        api.patch(f"{widgets}/a", json={"spec": {"size": 6}}, headers=MERGE)
        api.patch(f"{widgets}/a", json=LABELS, headers=MERGE)
        api.delete(f"{widgets}/a")
        types = ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
        assert [type_ for type_, _ in running.wait_for(5)] == types
        departed = running.events[2]["object"]
        assert departed["metadata"]["labels"] == {"t": "x"}
        assert version(departed) == version(left)


def test_a_streamed_list_ends_with_a_marked_bookmark(api, widgets, watch):
    make(api, widgets)
    params = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    with watch(**params) as running:
        assert [type_ for type_, _ in running.wait_for(2)] == ["ADDED", "BOOKMARK"]
        bookmark = running.events[1]["object"]
        assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert (bookmark["kind"], bookmark["apiVersion"]) == ("Widget", "demo.dev/v1")
        make(api, widgets, "b")
        assert running.wait_for(3)[2] == ("ADDED", "b")
    refused(
        api.get(widgets, params={"watch": "1", "sendInitialEvents": "true"}),
        422,
        "Invalid",
        "sendInitialEvents",
    )


@pytest.mark.parametrize("revision", ["1", "99999999999999"])
def test_a_version_out_of_reach_is_an_error_in_the_stream(watch, revision):
    with watch(resourceVersion=revision) as running:
        running.wait_for(1)
        (event,) = running.events
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == (
            "ERROR",
            410,
            "Expired",
        )
        assert event["object"]["message"].startswith(f"too old resource version: {revision} (")
        eventually(lambda: running.ended)


def test_a_timeout_ends_the_stream_properly(watch):
    with watch(timeoutSeconds="1") as running:
        eventually(lambda: running.ended)
        assert running.events == []


def test_one_object_and_one_namespace_can_be_watched(api, widgets, watch):
    make(api, widgets, "b")
    with watch(fieldSelector="metadata.name=a", resourceVersion="0") as running:
        make(api, widgets)
        assert running.wait_for(1) == [("ADDED", "a")]
    assert api.get(f"{widgets}/a", params={"watch": "1"}).json()["kind"] == "Widget"


def test_watches_in_tables_name_the_columns_once(server, api, widgets):
    make(api, widgets)
    make(api, widgets, "b")
    with Watch(server, widgets, "application/json;as=Table;v=v1;g=meta.k8s.io") as running:
        running.wait_for(2)
        first, second = (event["object"] for event in running.events)
        assert first["columnDefinitions"]
        assert not second["columnDefinitions"]
        assert second["rows"][0]["cells"][0] == "b"


def test_many_watchers_all_see_every_change(server, api, widgets):
    with ExitStack() as stack:
        running = [stack.enter_context(Watch(server, widgets)) for _ in range(20)]
        for number in range(30):
            assert api.post(widgets, json=build_widget(f"n{number}")).status_code == 201
        wanted = [("ADDED", f"n{number}") for number in range(30)]
        assert all(one.wait_for(30) == wanted for one in running)
