"""Safety runs: the present state, backed up before it is overwritten. It may be a damaged one, and is taken as it is."""

from collections.abc import Sequence

from strongroom.api.backuppolicy import BackupPolicySpec, Retention
from strongroom.api.sources import Source


def safety_spec(spec: BackupPolicySpec, sources: Sequence[str]) -> BackupPolicySpec:
    """The policy's spec for a Safety run of these sources (all, without a name).

    Nothing is too small or too empty, for that may be why it is being replaced; and nothing older is deleted for it.
    """
    wanted = [_as_it_is(source) for source in spec.sources if not sources or source.name in sources]
    return spec.model_copy(update={"sources": wanted, "min_size_percent": 0, "retention": Retention()})


def _as_it_is(source: Source) -> Source:
    kinds = {"postgres": source.postgres, "files": source.files}
    relaxed = {
        name: kind.model_copy(update={"allow_empty": True})
        for name, kind in kinds.items()
        if kind is not None
    }
    return source.model_copy(update=relaxed)
