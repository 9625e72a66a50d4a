import base64

import pytest

from strongroom.kube.connection import NoCluster, connect
from strongroom.kube.errors import AlreadyExists, Conflict, Gone, Invalid, NotFound, Unavailable
from strongroom.kube.kinds import JOBS, LEASES, POLICIES, SECRETS


def secret(name, *, labels=None, **data):
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"name": name, "labels": labels or {}}, "data": encoded}


def lease(name, owner=None):
    owners = [{"apiVersion": "v1", "kind": "Secret", "name": "o", "uid": owner, "controller": True}]
    return {"metadata": {"name": name, **({"ownerReferences": owners} if owner else {})}, "spec": {}}


async def test_an_object_is_created_read_patched_and_deleted(client, namespace):
    made = await client.create(SECRETS, namespace, secret("one", password="x"))
    assert (made["kind"], made["metadata"]["namespace"]) == ("Secret", namespace)
    patched = await client.patch(SECRETS, namespace, "one", {"metadata": {"labels": {"a": "b"}}})
    assert patched["metadata"]["labels"] == {"a": "b"}
    assert (await client.get(SECRETS, namespace, "one"))["metadata"]["uid"] == made["metadata"]["uid"]
    await client.delete(SECRETS, namespace, "one")
    assert await client.get(SECRETS, namespace, "one") is None
    await client.delete(SECRETS, namespace, "one")


async def test_the_servers_refusals_have_a_class_each(client, namespace):
    await client.create(SECRETS, namespace, secret("one"))
    with pytest.raises(AlreadyExists):
        await client.create(SECRETS, namespace, secret("one"))
    with pytest.raises(Conflict):
        await client.patch(SECRETS, namespace, "one", {"metadata": {"resourceVersion": "1"}})
    with pytest.raises(NotFound):
        await client.patch(SECRETS, namespace, "none", {"metadata": {}})
    with pytest.raises(NotFound):
        await client.create(SECRETS, "no-such-namespace", secret("one"))
    with pytest.raises(Invalid, match="spec"):
        await client.create(POLICIES, namespace, {"metadata": {"name": "p"}, "spec": {"schedule": 3}})


async def test_an_error_names_what_went_wrong(client, namespace):
    with pytest.raises(NotFound) as error:
        await client.patch(SECRETS, namespace, "none", {"metadata": {}})
    assert (error.value.status, error.value.reason) == (404, "NotFound")
    assert 'secrets "none" not found' in str(error.value)


async def test_a_listing_is_filtered_and_its_items_are_typed(client, namespace):
    await client.create(SECRETS, namespace, secret("a", labels={"of": "us"}))
    await client.create(SECRETS, namespace, secret("b"))
    assert [i["metadata"]["name"] for i in (await client.list(SECRETS, namespace)).items] == ["a", "b"]
    listing = await client.list(SECRETS, namespace, labels={"of": "us"})
    assert [(i["kind"], i["apiVersion"], i["metadata"]["name"]) for i in listing.items] == [
        ("Secret", "v1", "a")
    ]
    assert int(listing.resource_version) > 0
    by_name = await client.list(SECRETS, namespace, fields={"metadata.name": "b"})
    assert [i["metadata"]["name"] for i in by_name.items] == ["b"]


async def test_a_listing_comes_in_pages_and_whole(client, namespace, monkeypatch):
    monkeypatch.setattr("strongroom.kube.client.PAGE_SIZE", 2)
    for number in range(5):
        await client.create(LEASES, namespace, lease(f"l{number}"))
    assert len((await client.list(LEASES, namespace)).items) == 5


async def test_ensure_creates_once_and_adopts_only_its_own(client, namespace):
    owner = (await client.create(SECRETS, namespace, secret("o")))["metadata"]["uid"]
    made = await client.ensure(LEASES, namespace, lease("mine", owner))
    assert (await client.ensure(LEASES, namespace, lease("mine", owner)))["metadata"] == made["metadata"]
    with pytest.raises(Conflict, match="another controller"):
        await client.ensure(LEASES, namespace, lease("mine", "another-uid"))
    with pytest.raises(Conflict, match="another controller"):
        await client.ensure(LEASES, namespace, lease("mine"))


async def test_deleting_by_uid_spares_a_later_object_of_that_name(client, namespace):
    made = await client.create(SECRETS, namespace, secret("one"))
    await client.delete(SECRETS, namespace, "one", uid="00000000-0000-0000-0000-000000000000")
    assert await client.get(SECRETS, namespace, "one") is not None
    await client.delete(SECRETS, namespace, "one", uid=made["metadata"]["uid"])
    assert await client.get(SECRETS, namespace, "one") is None


async def test_a_watch_brings_each_change_after_its_version(client, namespace):
    listing = await client.list(SECRETS, namespace)
    await client.create(SECRETS, namespace, secret("one"))
    await client.patch(SECRETS, namespace, "one", {"metadata": {"labels": {"a": "b"}}})
    await client.delete(SECRETS, namespace, "one")
    seen = []
    stream = client.watch(SECRETS, namespace, resource_version=listing.resource_version)
    async for type_, _ in stream:
        seen.append(type_)
        if type_ == "DELETED":
            break
    await stream.aclose()
    assert seen == ["ADDED", "MODIFIED", "DELETED"]


async def test_a_watch_from_too_old_a_version_is_gone(client, namespace):
    with pytest.raises(Gone):
        async for _ in client.watch(SECRETS, namespace, resource_version="1"):
            pass


async def test_a_server_that_is_not_there_is_unavailable(api, tmp_path):
    text = api.admin.read_text().replace(f":{(api.state / 'port').read_text().strip()}", ":1")
    (tmp_path / "config").write_text(text)
    async with connect(tmp_path / "config") as client:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await client.list(JOBS)


async def test_a_kubeconfig_is_found_by_its_variable_and_must_exist(api, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(api.admin))
    async with connect(None) as client:
        assert (await client.list(SECRETS, "default")).items is not None
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    with pytest.raises(NoCluster):
        async with connect(None):
            pass
    with pytest.raises(NoCluster, match="does not exist"):
        async with connect(tmp_path / "nothing"):
            pass
