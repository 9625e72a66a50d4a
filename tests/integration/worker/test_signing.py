"""Where a policy signs, only what it has signed itself and what lies in its place counts; the rest is told and left alone."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.worker.workshop import Finished, Workshop

from strongroom.pipeline.signing import PrivateKey

FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY, FORMER, STRANGE = (PrivateKey.generate() for _ in range(3))
SIGNING = {"privateKeySecret": {"name": "signing", "key": "private.pem"}}
TRUSTING = SIGNING | {"trustedKeysSecret": {"name": "signing", "key": "public.pem"}}
RULES = {"keepLast": 1}


@pytest.fixture
def signer(workshop: Workshop) -> Workshop:
    (workshop.folder / "tree").mkdir()
    use_key(workshop, KEY)
    return workshop


def use_key(workshop: Workshop, key: PrivateKey) -> None:
    workshop.write_secret("signing", "private.pem", key.pem().decode())


def back_up(
    workshop: Workshop, day: int, signing: dict[str, Any] | None = SIGNING, **backup: Any
) -> Finished:
    """A run of that day, of one small file whose archive is always of the same length."""
    (workshop.folder / "tree/photo.jpg").write_bytes(os.urandom(2_000))
    order = workshop.order(
        f"day-{day}",
        sources=[{"name": "media", "files": {"path": str(workshop.folder / "tree")}}],
        compression={"codec": "none"},
        slot=(FIRST + timedelta(days=day)).isoformat(),
        signing=signing,
        **backup,
    )
    return workshop.run_here(order)


def points(workshop: Workshop) -> list[Path]:
    return sorted(path.parent for path in workshop.store.rglob("manifest.json"))


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    rewrite(path, bytes(content))


def swap(one: Path, other: Path) -> None:
    kept = one.read_bytes()
    rewrite(one, other.read_bytes())
    rewrite(other, kept)


def change_a_number(point: Path, _other: Path) -> None:
    text = (point / "manifest.json").read_text()
    rewrite(point / "manifest.json", text.replace('"memberCount": 2', '"memberCount": 3').encode())


def truncate_manifest(point: Path, _other: Path) -> None:
    rewrite(point / "manifest.json", (point / "manifest.json").read_bytes()[:-20])


def flip_signature(point: Path, _other: Path) -> None:
    flip(point / "manifest.json.sig")


def truncate_signature(point: Path, _other: Path) -> None:
    rewrite(point / "manifest.json.sig", (point / "manifest.json.sig").read_bytes()[:63])


def inflate_signature(point: Path, _other: Path) -> None:
    rewrite(point / "manifest.json.sig", bytes(1 << 20))


def remove_signature(point: Path, _other: Path) -> None:
    (point / "manifest.json.sig").unlink()


def replay_another(point: Path, other: Path) -> None:
    for name in ("manifest.json", "manifest.json.sig"):
        rewrite(point / name, (other / name).read_bytes())


def replace_by_unsigned(point: Path, _other: Path) -> None:
    manifest = json.loads((point / "manifest.json").read_bytes())
    del manifest["signedBy"]
    rewrite(point / "manifest.json", json.dumps(manifest).encode())


def strip_it(point: Path, other: Path) -> None:
    replace_by_unsigned(point, other)
    remove_signature(point, other)


def sign_strangely(point: Path, _other: Path) -> None:
    manifest = json.loads((point / "manifest.json").read_bytes())
    manifest["signedBy"] = STRANGE.public.key_id
    content = json.dumps(manifest).encode()
    rewrite(point / "manifest.json", content)
    rewrite(point / "manifest.json.sig", STRANGE.sign(content))


def sign_in_our_name(point: Path, _other: Path) -> None:
    rewrite(point / "manifest.json.sig", STRANGE.sign((point / "manifest.json").read_bytes()))


TAMPERING: list[tuple[Callable[[Path, Path], None], str]] = [
    (change_a_number, "its manifest or its signature (key"),
    (truncate_manifest, "its manifest cannot be read"),
    (flip_signature, "its manifest or its signature (key"),
    (truncate_signature, "its manifest or its signature (key"),
    (inflate_signature, "its manifest or its signature (key"),
    (sign_in_our_name, "its manifest or its signature (key"),
    (remove_signature, "its signature was removed"),
    (replay_another, "its manifest belongs to default/shop/20260102T120000Z-day-1"),
    (replace_by_unsigned, "a signature lies beside a manifest without one"),
    (strip_it, "it is not signed"),
    (sign_strangely, f"signed by key {STRANGE.public.key_id}, which is not trusted"),
]


def told(finished: Finished) -> tuple[int, str]:
    (outcome,) = finished.result.retention
    return outcome.untrusted, outcome.untrusted_message or ""


@pytest.mark.parametrize(("tamper", "words"), TAMPERING, ids=[tamper.__name__ for tamper, _ in TAMPERING])
def test_a_point_that_was_tampered_with_is_told_and_neither_counts_nor_goes(
    signer: Workshop, tamper: Callable[[Path, Path], None], words: str
) -> None:
    for day in range(2):
        assert back_up(signer, day).code == 0
    first, second = points(signer)
    tamper(first, second)
    finished = back_up(signer, 2, retention=RULES)
    assert (finished.code, finished.result.stores[0].recovery_points) == (0, 1)
    number, message = told(finished)
    assert number == 1
    assert message.startswith("default/shop/20260101T120000Z-day-0: ")
    assert words in message
    assert finished.result.retention[0].deleted_runs == ["day-1"]
    assert (first / "manifest.json").exists()
    assert not second.exists()


def test_swapped_manifests_are_both_found(signer: Workshop) -> None:
    for day in range(2):
        back_up(signer, day)
    first, second = points(signer)
    for name in ("manifest.json", "manifest.json.sig"):
        swap(first / name, second / name)
    finished = back_up(signer, 2, retention=RULES)
    number, message = told(finished)
    assert (number, message.count("its manifest belongs to")) == (2, 2)
    assert len(points(signer)) == 3


@pytest.mark.parametrize(
    "place", ["default/shop/20260105T120000Z-day-0", "default/shop/20260101T120000Z-old"]
)
def test_an_old_point_that_is_put_elsewhere_does_not_come_to_life(signer: Workshop, place: str) -> None:
    back_up(signer, 0)
    (old,) = points(signer)
    shutil.copytree(old, signer.store / place)
    finished = back_up(signer, 1, retention=RULES)
    assert told(finished)[0] == 1
    assert f"{place}: its manifest belongs to {old.relative_to(signer.store)}" in told(finished)[1]
    assert finished.result.retention[0].deleted_runs == ["day-0"]
    assert (signer.store / place / "manifest.json").exists()


def test_a_point_of_another_policy_does_not_count_here(signer: Workshop) -> None:
    back_up(signer, 0, policy="blog")
    (other,) = points(signer)
    shutil.copytree(other, signer.store / "default/shop" / other.name)
    assert "its manifest is of policy default/blog" in told(back_up(signer, 1))[1]


def test_without_signing_a_point_that_was_moved_does_not_count_either(signer: Workshop) -> None:
    back_up(signer, 0, signing=None)
    (old,) = points(signer)
    shutil.copytree(old, signer.store / "default/shop/20260105T120000Z-day-0")
    number, message = told(back_up(signer, 1, signing=None))
    assert (number, "was moved" in message) == (1, True)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("swap", "20260101T120000Z-day-0/media.tar was read back with other"),
        ("flip", "the tar stream is damaged"),
    ],
)
def test_files_swapped_between_two_backups_or_changed_are_found_before_they_are_adopted(
    signer: Workshop, damage: str, words: str
) -> None:
    for day in range(2):
        back_up(signer, day)
    one, other = [point / "media.tar" for point in points(signer)]
    assert one.stat().st_size == other.stat().st_size
    if damage == "swap":
        swap(one, other)
    else:
        flip(one)
    again = back_up(signer, 0)
    assert (again.result.outcome, again.result.reason) == ("Failed", "VerificationFailed")
    assert words in again.result.message


def test_a_file_that_was_truncated_makes_its_point_count_no_longer(signer: Workshop) -> None:
    back_up(signer, 0)
    (point,) = points(signer)
    rewrite(point / "media.tar", (point / "media.tar").read_bytes()[:-512])
    again = back_up(signer, 0)
    assert (again.result.outcome, again.result.reason) == ("Failed", "ArtifactCorrupt")


def test_a_run_whose_own_point_is_not_to_be_trusted_is_made_again_beside_it(signer: Workshop) -> None:
    back_up(signer, 0)
    (first,) = points(signer)
    remove_signature(first, first)
    again = back_up(signer, 0)
    assert again.code == 0
    assert again.result.recovery_point == f"{first.relative_to(signer.store)}.2"
    assert (first / "media.tar").exists()


def test_a_run_that_was_committed_and_signed_is_adopted_into_a_store_that_lacks_it(signer: Workshop) -> None:
    back_up(signer, 0)
    (signer.folder / "second").mkdir()
    stores = [
        {"name": name, "spec": {"local": {"path": str(signer.folder / name)}}} for name in ("store", "second")
    ]
    assert back_up(signer, 0, stores=stores).code == 0
    (point,) = points(signer)
    copy = signer.folder / "second" / point.relative_to(signer.store)
    names = ["manifest.json", "manifest.json.sig", "media.tar"]
    assert sorted(path.name for path in copy.iterdir()) == names
    assert all((copy / name).read_bytes() == (point / name).read_bytes() for name in names)


def test_what_a_former_key_has_signed_counts_as_long_as_it_is_trusted(signer: Workshop) -> None:
    use_key(signer, FORMER)
    for day in range(2):
        back_up(signer, day)
    use_key(signer, KEY)
    assert told(back_up(signer, 2, retention=RULES))[0] == 2
    signer.write_secret("signing", "public.pem", (KEY.public.pem() + FORMER.public.pem()).decode())
    finished = back_up(signer, 3, TRUSTING, retention=RULES)
    assert told(finished) == (0, "")
    assert finished.result.retention[0].deleted_runs == ["day-0", "day-1", "day-2"]


def test_what_was_made_before_signing_is_neither_counted_nor_deleted(signer: Workshop) -> None:
    for day in range(2):
        back_up(signer, day, signing=None)
    for day in range(2, 4):
        finished = back_up(signer, day, retention=RULES)
    assert told(finished)[0] == 2
    assert finished.result.retention[0].kept == 1
    assert [point.name[-1] for point in points(signer)] == ["0", "1", "3"]


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        (None, "signing.privateKeySecret", "SecretKeyMissing"),
        (KEY.public.pem(), "signing.privateKeySecret: is a public key", "KeyUnusable"),
        (b"canary-garbage", "signing.privateKeySecret", "KeyUnusable"),
    ],
)
def test_a_key_that_cannot_be_used_ends_the_run_before_anything_is_read(
    signer: Workshop, content: bytes | None, field: str, reason: str
) -> None:
    path = signer.folder / "secrets/signing/private.pem"
    path.rename(path.with_name("another.pem"))
    if content is not None:
        path.write_bytes(content)
    finished = back_up(signer, 0)
    assert (finished.result.outcome, finished.result.reason) == ("Failed", reason)
    assert field in finished.result.message
    assert "canary" not in finished.result.message
    assert points(signer) == []
    assert '"stage":"Dump"' not in finished.stdout


def test_former_keys_that_cannot_be_read_end_the_run_too(signer: Workshop) -> None:
    signer.write_secret("signing", "public.pem", KEY.pem().decode())
    finished = back_up(signer, 0, TRUSTING)
    assert finished.result.reason == "KeyUnusable"
    assert "signing.trustedKeysSecret: key 1 is no public key" in finished.result.message


def catch_up(workshop: Workshop, point: Path, signing: dict[str, Any] | None = SIGNING) -> Finished:
    """From the store to a second one that lacks the point."""
    (workshop.folder / "second").mkdir(exist_ok=True)
    stores = [
        {"name": name, "spec": {"local": {"path": str(workshop.folder / name)}}}
        for name in ("store", "second")
    ]
    wanted = {"policy": "shop", "policyUid": "uid-policy", "signing": signing}
    wanted["recoveryPoint"] = str(point.relative_to(workshop.store))
    order = workshop.order(stores=stores) | {"kind": "CatchUp", "catchUp": wanted}
    del order["backup"]
    return workshop.run_here(order)


def test_a_signed_point_is_caught_up_with_its_signature(signer: Workshop) -> None:
    back_up(signer, 0)
    (point,) = points(signer)
    assert catch_up(signer, point).code == 0
    copy = signer.folder / "second" / point.relative_to(signer.store)
    assert (copy / "manifest.json.sig").read_bytes() == (point / "manifest.json.sig").read_bytes()


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (strip_it, "it is not signed"),
        (remove_signature, "its signature was removed"),
        (sign_strangely, "which is not trusted"),
    ],
)
def test_what_is_not_to_be_trusted_is_not_copied_to_a_store_that_lacks_it(
    signer: Workshop, tamper: Callable[[Path, Path], None], words: str
) -> None:
    back_up(signer, 0)
    (point,) = points(signer)
    tamper(point, point)
    finished = catch_up(signer, point)
    assert finished.result.outcome == "Failed"
    assert words in finished.result.message + str(finished.result.copies)
    assert [path for path in (signer.folder / "second").rglob("*") if path.is_file()] == []
