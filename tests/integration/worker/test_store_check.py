"""A store check exercises every store and reports on each."""

from tests.integration.worker.workshop import Workshop


def check(workshop: Workshop, *names: str) -> dict[str, object]:
    stores = [{"name": name, "spec": {"local": {"path": str(workshop.folder / name)}}} for name in names]
    order = workshop.order()
    return {**order, "kind": "CheckStore", "backup": None, "stores": stores, "runUid": "uid-store"}


def test_a_good_store_says_what_it_holds(workshop: Workshop) -> None:
    made = workshop.succeed()
    finished = workshop.succeed(check(workshop, "store"))
    (report,) = finished.result.stores
    assert report.ready
    assert report.recovery_points == 1
    assert report.total_bytes is not None
    assert report.total_bytes > sum(artifact.stored_bytes for artifact in made.result.artifacts)
    assert report.free_bytes is not None
    assert not any("_probe" in name for name in workshop.files())


def test_a_missing_store_is_reported_beside_a_good_one(workshop: Workshop) -> None:
    finished = workshop.run(check(workshop, "store", "gone"))
    assert (finished.result.outcome, finished.result.reason) == ("Partial", "StoreMissing")
    assert [report.ready for report in finished.result.stores] == [True, False]
    alone = workshop.run(check(workshop, "gone"))
    assert (alone.result.outcome, alone.result.reason) == ("Failed", "StoreMissing")
    assert alone.result.stores[0].reason == "StoreMissing"
