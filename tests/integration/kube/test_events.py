from strongroom.kube.events import emit
from strongroom.kube.kinds import EVENTS, LEASES


async def test_the_same_thing_again_is_counted_and_not_heaped_up(client, namespace):
    involved = await client.create(LEASES, namespace, {"metadata": {"name": "it"}, "spec": {}})
    for number in range(3):
        await emit(client, involved, "Warning", "Failed", f"attempt {number}")
    await emit(client, involved, "Normal", "Succeeded", "x" * 5000)
    found = (await client.list(EVENTS, namespace)).items
    by_reason = {event["reason"]: event for event in found}
    assert len(found) == 2
    assert (by_reason["Failed"]["count"], by_reason["Failed"]["message"]) == (3, "attempt 2")
    assert by_reason["Failed"]["involvedObject"]["uid"] == involved["metadata"]["uid"]
    assert by_reason["Failed"]["reportingComponent"] == "kube-tests"
    assert len(by_reason["Succeeded"]["message"]) == 1024


async def test_an_event_that_cannot_be_written_stops_nobody(client, caplog):
    gone = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "nowhere"}}
    await emit(client, gone, "Normal", "Started", "hello")
    assert "was not recorded" in caplog.text
