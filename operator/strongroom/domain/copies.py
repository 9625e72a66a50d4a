"""Copies: the 3-2-1 rule. Three copies of the data (the live one counts), on two kinds of media, one in another place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.conditions import COPIES_SATISFIED, Condition, build_condition
from strongroom.api.result import Copy
from strongroom.domain.places import Place, place_of
from strongroom.domain.runrecords import RunRecord
from strongroom.domain.verdicts import describe_lack

LIVE_MEDIA = "disk"
"""What the live data lies on."""
COPIES_NEEDED = 3
MOST_COPIES = 8
PRUNED = "Pruned"
"""Reason of a copy that retention has deleted from its store while others keep theirs: it is wanted there no more."""
LOST = frozenset({"ArtifactCorrupt", "VerificationFailed", "CopyMissing", PRUNED})
"""Reasons that speak of the copy itself. Any other failure tells only that its store could not be asked."""


@dataclass(frozen=True)
class StoreCopy:
    """A store that was to hold a copy. `trouble` says in one phrase why it holds none that counts; empty if it does.

    `spec` is None for a store that was deleted or cannot be read.
    """

    store: str
    spec: BackupStoreSpec | None
    trouble: str = ""


def merge_copies(known: Sequence[Copy], news: Iterable[Copy]) -> list[Copy]:
    """The copies of a run after somebody looked at some of them.

    A good copy stays good when its store merely could not be asked: only what is said of the copy itself takes it away.
    """
    merged = {copy.store: copy for copy in known}
    for copy in news:
        before = merged.get(copy.store)
        was_good = before is not None and before.state == "Succeeded"
        if copy.state == "Succeeded" or not was_good or copy.reason in LOST:
            merged[copy.store] = copy
    return list(merged.values())[:MOST_COPIES]


def judge_copies(copies: Sequence[StoreCopy], now: datetime, generation: int | None = None) -> Condition:
    """CopiesSatisfied. Two stores that are one place count once; the message holds moments, no ages."""
    good = _distinct([copy for copy in copies if not copy.trouble and copy.spec is not None])
    missing = find_missing([copy.spec for copy in good if copy.spec is not None])
    return build_condition(
        COPIES_SATISFIED,
        status=not missing,
        reason=next(iter(missing), "Satisfied"),
        message=_lacking(copies, good, missing) if missing else _satisfied(good),
        now=now,
        generation=generation,
    )


def judge_no_backup(now: datetime, generation: int | None = None) -> Condition:
    """CopiesSatisfied while there is nothing to have copies of."""
    return build_condition(
        COPIES_SATISFIED,
        status=False,
        reason="NoVerifiedBackup",
        message="There is no verified backup yet.",
        now=now,
        generation=generation,
    )


def judge_run(record: RunRecord, stores: Mapping[str, BackupStoreSpec], now: datetime) -> Condition | None:
    """CopiesSatisfied of one run, whatever its age; None for one that made no recovery point, or has not ended."""
    if record.phase not in ("Succeeded", "Partial"):
        return None
    if record.pruned:
        return build_condition(
            COPIES_SATISFIED,
            status=False,
            reason="Pruned",
            message="Retention deleted its artifacts.",
            now=now,
        )
    held = [StoreCopy(store, stores.get(store)) for store in record.good_stores]
    lacking = [
        StoreCopy(lack.store, stores.get(lack.store), describe_lack(lack.store, lack.reason, lack.message))
        for lack in record.lacks
    ]
    return judge_copies([*held, *lacking], now)


def find_missing(stores: Sequence[BackupStoreSpec]) -> dict[str, str]:
    """What stores with good copies lack for 3-2-1: reason and words, the gravest first; empty when nothing."""
    missing = {}
    if len(stores) + 1 < COPIES_NEEDED:
        missing["TooFewCopies"] = (
            f"{COPIES_NEEDED - 1 - len(stores)} more of {COPIES_NEEDED} copies, the live data counted"
        )
    if all(store.media == LIVE_MEDIA for store in stores):
        missing["OneMedium"] = f"a copy on another medium than {LIVE_MEDIA}"
    if not any(store.offsite for store in stores):
        missing["NotOffsite"] = "an offsite copy"
    return missing


_WAYS_OUT = {
    "TooFewCopies": "another store",
    "OneMedium": f"one whose spec.media is not {LIVE_MEDIA}",
    "NotOffsite": "one with spec.offsite true",
}


def _lacking(copies: Sequence[StoreCopy], good: Sequence[StoreCopy], missing: Mapping[str, str]) -> str:
    """What is missing, which stores fail and why, and what would be missing even if none failed."""
    parts = [f"For 3-2-1 is missing: {'; '.join(missing.values())}."]
    troubles = [trouble for copy in copies if (trouble := _trouble(copy, good)) is not None]
    if troubles:
        parts.append(f"Without a copy that counts: {'; '.join(troubles)}.")
    known = _distinct([copy for copy in copies if copy.spec is not None])
    wanted = find_missing([copy.spec for copy in known if copy.spec is not None])
    if wanted:
        parts.append(f"Add to spec.stores: {', '.join(_WAYS_OUT[reason] for reason in wanted)}.")
    return " ".join(parts)


def _trouble(copy: StoreCopy, good: Sequence[StoreCopy]) -> str | None:
    if copy.spec is None:
        return f"{copy.store} (there is no such BackupStore that can be read)"
    if copy.trouble:
        return copy.trouble
    if copy in good:
        return None
    twin = next(
        other for other in good if other.spec is not None and place_of(other.spec) == place_of(copy.spec)
    )
    return f"{copy.store} (the same place as {twin.store})"


def _satisfied(good: Sequence[StoreCopy]) -> str:
    specs = [copy.spec for copy in good if copy.spec is not None]
    media = sorted({LIVE_MEDIA, *(spec.media for spec in specs)})
    offsite = next(copy.store for copy in good if copy.spec is not None and copy.spec.offsite)
    return (
        f"{len(good) + 1} copies, the live data counted, on {' and '.join(media)}, offsite in {offsite}: "
        "each verified."
    )


def _distinct(copies: Iterable[StoreCopy]) -> list[StoreCopy]:
    """The first of those that are one and the same place."""
    found: dict[Place, StoreCopy] = {}
    for copy in copies:
        if copy.spec is not None:
            found.setdefault(place_of(copy.spec), copy)
    return list(found.values())
