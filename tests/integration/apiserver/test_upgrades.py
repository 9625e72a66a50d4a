"""A new version of the server brings new schemas: what is stored stays usable."""

import copy

import pytest
from tests.integration.apiserver.serving import ServerThread
from tests.integration.apiserver.test_objects import MERGE, refused
from tests.integration.apiserver.widgets import build_widget, build_widget_crd

from strongroom.apiserver.settings import Settings

PATH = "/apis/demo.dev/v1/namespaces/default/widgets"


def test_stored_objects_meet_a_stricter_schema_with_new_defaults(tmp_path):
    with (
        ServerThread(Settings(tmp_path / "s", crds=[build_widget_crd()])) as server,
        server.client() as client,
    ):
        held = build_widget(size=3, color="red") | {
            "metadata": {"name": "a", "finalizers": ["demo.dev/hold"]}
        }
        made = client.post(PATH, json=held).json()
        crd_before = client.get(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.demo.dev"
        ).json()
    newer = copy.deepcopy(build_widget_crd())
    spec = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["size"]["minimum"] = 10
    spec["properties"]["shape"] = {"type": "string", "default": "round"}
    with ServerThread(Settings(tmp_path / "s", crds=[newer])) as server, server.client() as client:
        crd = client.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.demo.dev").json()
        assert crd["metadata"]["uid"] == crd_before["metadata"]["uid"]
        assert crd["metadata"]["generation"] == 2
        read = client.get(f"{PATH}/a").json()
        assert read["spec"] == {"size": 3, "color": "red", "shape": "round"}
        assert read["metadata"] == made["metadata"]
        refused(
            client.post(PATH, json=build_widget("b", size=3)), 422, "Invalid", "greater than or equal to 10"
        )
        refused(client.patch(f"{PATH}/a", json={"spec": {"size": 4}}, headers=MERGE), 422, "Invalid")
        assert client.patch(f"{PATH}/a", json={"spec": {"color": "blue"}}, headers=MERGE).status_code == 200
        assert (
            client.patch(f"{PATH}/a/status", json={"status": {"phase": "x"}}, headers=MERGE).status_code
            == 200
        )
        client.delete(f"{PATH}/a")
        assert (
            client.patch(f"{PATH}/a", json={"metadata": {"finalizers": None}}, headers=MERGE).status_code
            == 200
        )
        assert client.get(f"{PATH}/a").status_code == 404


def test_a_definition_that_is_served_no_more_keeps_its_objects(tmp_path):
    with (
        ServerThread(Settings(tmp_path / "s", crds=[build_widget_crd()])) as server,
        server.client() as client,
    ):
        client.post(PATH, json=build_widget())
    with ServerThread(Settings(tmp_path / "s", crds=[])) as server, server.client() as client:
        assert client.get(f"{PATH}/a").status_code == 200


def test_one_state_folder_has_one_server(tmp_path):
    with ServerThread(Settings(tmp_path / "s")) as server:
        other = Settings(tmp_path / "s", port=server.endpoint.port + 1)
        with pytest.raises(AssertionError) as failure, ServerThread(other):
            pass
        assert "another API server works in this folder" in str(failure.value.__cause__)
