"""A bucket whose listings are behind: nothing is lost, nothing is deleted wrongly, and nothing that is there is called missing."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.worker.workshop import Workshop
from tests.s3.faults import FaultyProxy, faulty_proxy
from tests.s3.server import S3Server
from tests.s3.stores import bucket_spec, write_keys

PLACE = "default/shop/"
SLOTS = {
    name: f"2026-01-0{day}T03:04:05Z" for day, name in enumerate(["first", "second", "third", "fourth"], 2)
}


class Vault:
    """The bucket as its server has it, and orders for a store behind the proxy."""

    def __init__(self, workshop: Workshop, server: S3Server, bucket: str, proxy: FaultyProxy) -> None:
        self.workshop, self.server, self.bucket = workshop, server, bucket
        self.listings = proxy.listings
        self.prefix = workshop.folder.name
        spec = bucket_spec(proxy.endpoint, bucket, prefix=self.prefix)
        self.stores = [{"name": "vault", "spec": spec}]

    def back_up(self, run: str, **changes: Any) -> Any:
        asked = {"stores": self.stores, "slot": SLOTS[run], "retention": {"keepLast": 1}, **changes}
        return self.workshop.succeed(self.workshop.order(run, **asked)).result

    def order(self, kind: str, **more: Any) -> dict[str, Any]:
        order = self.workshop.order(stores=self.stores)
        del order["backup"]
        return order | {"kind": kind, "runUid": "uid-store", **more}

    def sync(self, *expected: str) -> list[tuple[str, bool]]:
        """What a catalogue tells."""
        asked = self.order("Catalogue", catalogue={"expected": list(expected)})
        told = self.workshop.succeed(asked).result.catalogue
        assert told is not None
        assert told.damaged == []
        return [(point.recovery_point, point.complete) for point in told.points]

    def points(self) -> set[str]:
        """Key prefixes of what is committed."""
        names = (
            name.removeprefix(f"{self.prefix}/") for name in self.server.objects(self.bucket, self.prefix)
        )
        return {name.rpartition("/")[0] for name in names if name.endswith("/manifest.json")}

    def remove(self, point: str, *endings: str) -> None:
        """Behind everybody's back."""
        for name in self.server.objects(self.bucket, f"{self.prefix}/{point}/"):
            if name.endswith(endings or ("",)):
                self.server.client().delete_object(Bucket=self.bucket, Key=name)


@pytest.fixture
def vault(workshop: Workshop, s3_server: S3Server, s3_bucket: str) -> Iterator[Vault]:
    write_keys(workshop.folder / "secrets", s3_server)
    with faulty_proxy(s3_server.port) as proxy:
        yield Vault(workshop, s3_server, s3_bucket, proxy)


def test_retention_waits_for_a_listing_that_does_not_show_the_newest_and_counts_nothing_that_has_gone(
    vault: Vault,
) -> None:
    first = vault.back_up("first").recovery_point
    vault.listings.hides_new = True
    result = vault.back_up("second")
    (kept,) = result.retention
    assert (kept.deleted_runs, kept.untrusted) == ([], 0)
    assert kept.blocked == "the listing does not show the backup just made"
    assert vault.points() == {first, result.recovery_point}
    vault.listings.catch_up()
    vault.listings.shows_deleted = True
    third = vault.back_up("third")
    assert third.retention[0].deleted_runs == ["first", "second"]
    fourth = vault.back_up("fourth")
    (kept,) = fourth.retention
    assert (kept.deleted_runs, kept.untrusted, kept.blocked) == (["third"], 0, None)
    assert vault.points() == {fourth.recovery_point}
    assert vault.sync() == [(fourth.recovery_point, True)]


def test_an_attempt_finds_what_the_one_before_it_has_committed_or_left_although_no_listing_shows_it(
    vault: Vault,
) -> None:
    vault.listings.hides_new = True
    made = vault.back_up("first").recovery_point
    assert vault.back_up("first").recovery_point == made
    assert vault.points() == {made}
    vault.remove(made, "/manifest.json")
    again = vault.back_up("first").recovery_point
    assert again != made
    assert vault.points() == {again}


def test_a_catalogue_looks_for_what_must_be_there_and_takes_nothing_for_there_that_is_not(
    vault: Vault,
) -> None:
    first = vault.back_up("first").recovery_point
    vault.listings.hides_new = True
    second = vault.back_up("second").recovery_point
    assert vault.sync() == [(first, True)]
    assert vault.sync(second, first) == [(first, True), (second, True)]
    vault.remove(second, ".zst")
    assert vault.sync(second) == [(first, True), (second, False)]
    vault.remove(second)
    assert vault.sync(second) == [(first, True)]


def test_a_store_check_says_that_the_listing_is_behind_and_finds_the_store_ready(vault: Vault) -> None:
    vault.listings.hides_new = True
    (report,) = vault.workshop.succeed(vault.order("CheckStore")).result.stores
    assert (report.ready, report.reason) == (True, None)
    assert (report.message or "").startswith("Its listing is behind")
    vault.listings.catch_up()
    (report,) = vault.workshop.succeed(vault.order("CheckStore")).result.stores
    assert report.message is None
