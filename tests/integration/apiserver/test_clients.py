"""Client libraries, unchanged: kopf as an operator, the official client typed, custom and dynamic."""

import asyncio
import threading
from typing import Self

import kopf
import pytest
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from tests.integration.apiserver.conftest import eventually
from tests.integration.apiserver.serving import Running
from tests.integration.apiserver.test_objects import MERGE, make

WIDGETS = ("demo.dev", "v1")


@pytest.fixture
def official(server):
    with config.new_client_from_config(str(server.endpoint.kubeconfigs.admin)) as api_client:
        yield api_client


def test_typed_objects_through_the_official_client(official, namespace):
    core = client.CoreV1Api(official)
    secret = client.V1Secret(metadata=client.V1ObjectMeta(name="s"), string_data={"a": "b"})
    made = core.create_namespaced_secret(namespace, secret)
    assert made.data == {"a": "Yg=="}
    core.patch_namespaced_secret("s", namespace, {"metadata": {"labels": {"x": "y"}}})
    assert core.list_namespaced_secret(namespace, label_selector="x=y").items[0].metadata.name == "s"
    made.string_data = {"c": "d"}
    with pytest.raises(ApiException) as refusal:
        core.replace_namespaced_secret("s", namespace, made)
    assert refusal.value.status == 409
    core.delete_namespaced_secret("s", namespace)
    leases = client.CoordinationV1Api(official)
    lease = client.V1Lease(
        metadata=client.V1ObjectMeta(name="l"), spec=client.V1LeaseSpec(holder_identity="me")
    )
    assert leases.create_namespaced_lease(namespace, lease).spec.holder_identity == "me"
    assert client.VersionApi(official).get_code().minor == "35"


def test_jobs_and_events_through_the_official_client(official, namespace):
    batch = client.BatchV1Api(official)
    container = client.V1Container(name="c", image="i")
    pod = client.V1PodTemplateSpec(spec=client.V1PodSpec(containers=[container], restart_policy="Never"))
    spec = client.V1JobSpec(template=pod, managed_by="strongroom.dev/agent", backoff_limit=0)
    made = batch.create_namespaced_job(
        namespace, client.V1Job(metadata=client.V1ObjectMeta(name="j"), spec=spec)
    )
    assert made.spec.managed_by == "strongroom.dev/agent"
    condition = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}
    changed = batch.patch_namespaced_job_status(
        "j", namespace, {"status": {"failed": 1, "conditions": [condition]}}
    )
    assert changed.status.conditions[0].reason == "DeadlineExceeded"
    batch.delete_namespaced_job("j", namespace, propagation_policy="Background")


def test_custom_objects_and_watches_through_the_official_client(official, namespace):
    custom = client.CustomObjectsApi(official)
    place = (*WIDGETS, namespace, "widgets")
    body = {"apiVersion": "demo.dev/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {"size": 1}}
    made = custom.create_namespaced_custom_object(*place, body)
    custom.patch_namespaced_custom_object_status(*place, "a", {"status": {"phase": "Done"}})
    events = watch.Watch().stream(
        custom.list_namespaced_custom_object,
        *place,
        resource_version=made["metadata"]["resourceVersion"],
        timeout_seconds=2,
    )
    assert [(event["type"], event["object"]["status"]["phase"]) for event in events] == [("MODIFIED", "Done")]
    with pytest.raises(ApiException) as gone:
        list(
            watch.Watch().stream(
                custom.list_namespaced_custom_object, *place, resource_version="1", timeout_seconds=2
            )
        )
    assert gone.value.status == 410


def test_the_dynamic_client_discovers_and_applies(official, namespace, tmp_path):
    dynamic = DynamicClient(official, cache_file=str(tmp_path / "cache"))
    widgets = dynamic.resources.get(api_version="demo.dev/v1", kind="Widget")
    body = {"apiVersion": "demo.dev/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {"size": 1}}
    made = dynamic.server_side_apply(widgets, body, name="a", namespace=namespace, field_manager="test")
    assert made.metadata.managedFields[0].manager == "test"
    assert dynamic.get(widgets, namespace=namespace).items[0].spec.size == 1


class Operator:
    """A kopf operator in a thread; it notes what it handled."""

    def __init__(self, server: Running, namespace: str, *, initial_streaming: bool) -> None:
        self.handled: list[tuple[str, str]] = []
        self._server, self._namespace = server, namespace
        self._initial_streaming = initial_streaming
        self._stop, self._ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
        settings.watching.initial_streaming = self._initial_streaming
        login = kopf.ConnectionInfo(
            server=self._server.endpoint.url,
            ca_path=str(self._server.ca),
            scheme="Bearer",
            token=self._server.token(),
        )
        kopf.on.login(registry=registry)(lambda **_: login)

        @kopf.on.create(*WIDGETS, "widgets", registry=registry)
        def create(name, spec, patch, body, **_):
            self.handled.append(("create", name))
            kopf.event(body, type="Normal", reason="Sized", message="it has its size")
            patch.status["phase"] = f"size {spec['size']}"

        @kopf.on.update(*WIDGETS, "widgets", field="spec", registry=registry)
        def update(name, **_):
            self.handled.append(("update", name))

        @kopf.on.delete(*WIDGETS, "widgets", registry=registry)
        def delete(name, **_):
            self.handled.append(("delete", name))

        await kopf.operator(
            registry=registry,
            settings=settings,
            namespaces=[self._namespace],
            standalone=True,
            ready_flag=self._ready,
            stop_flag=self._stop,
        )


@pytest.mark.parametrize("initial_streaming", [False, True])
def test_kopf_handles_creation_update_and_deletion(server, api, namespace, widgets, initial_streaming):
    make(api, widgets, "before")
    with Operator(server, namespace, initial_streaming=initial_streaming) as operator:
        make(api, widgets, size=7)
        eventually(lambda: api.get(f"{widgets}/a").json().get("status", {}).get("phase") == "size 7", 20)
        assert api.get(f"{widgets}/a").json()["metadata"]["finalizers"]
        api.patch(f"{widgets}/a", json={"spec": {"size": 8}}, headers=MERGE)
        eventually(lambda: ("update", "a") in operator.handled, 20)
        api.delete(f"{widgets}/a")
        eventually(lambda: api.get(f"{widgets}/a").status_code == 404, 20)
        eventually(lambda: ("create", "before") in operator.handled, 20)
        assert [kind for kind, name in operator.handled if name == "a"] == ["create", "update", "delete"]
    events = api.get(f"/api/v1/namespaces/{namespace}/events").json()["items"]
    sized = [event for event in events if event["involvedObject"]["name"] == "a"]
    assert (sized[0]["reason"], sized[0]["message"]) == ("Sized", "it has its size")
