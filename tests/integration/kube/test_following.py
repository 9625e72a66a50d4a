from contextlib import aclosing

from tests.integration.embedded import served

from strongroom.kube.connection import connect
from strongroom.kube.following import follow
from strongroom.kube.kinds import LEASES, NAMESPACES


async def next_named(changes, name):
    async for change in changes:
        names = [body["metadata"]["name"] for body in change.objects]
        if name in names:
            return change.type, names
    raise AssertionError("following ended")


async def test_it_begins_with_all_there_is_and_brings_what_comes(client, namespace):
    await client.create(LEASES, namespace, {"metadata": {"name": "old"}, "spec": {}})
    async with aclosing(follow(client, LEASES, namespace)) as changes:
        assert await next_named(changes, "old") == ("LISTED", ["old"])
        await client.create(LEASES, namespace, {"metadata": {"name": "new"}, "spec": {}})
        assert await next_named(changes, "new") == ("ADDED", ["new"])
        await client.delete(LEASES, namespace, "new")
        assert await next_named(changes, "new") == ("DELETED", ["new"])


async def test_it_lists_again_from_time_to_time(client, namespace):
    async with aclosing(follow(client, LEASES, namespace, relist_seconds=0)) as changes:
        assert [(await anext(changes)).type for _ in range(3)] == ["LISTED"] * 3


async def test_it_outlives_a_server_that_is_killed(tmp_path):
    with served(tmp_path / "state") as api:
        async with connect(api.admin) as client, aclosing(follow(client, LEASES, "follow")) as changes:
            await client.create(NAMESPACES, None, {"metadata": {"name": "follow"}})
            assert (await anext(changes)).type == "LISTED"
            api.kill()
            api.start()
            await client.create(LEASES, "follow", {"metadata": {"name": "late"}, "spec": {}})
            assert "late" in (await next_named(changes, "late"))[1]
