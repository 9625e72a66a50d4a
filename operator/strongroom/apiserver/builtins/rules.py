"""What the built-in kinds have in common: strategic patches, unconditional updates, times in Go's form."""

# ruff: noqa: ARG002 - hooks are handed what other kinds need

from datetime import UTC, datetime

from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.resources import Object, Rules


class BuiltinRules(Rules):
    """Rules of a kind that is compiled into a real server."""

    strategic = True
    unconditional_update = True
    typed = True
    qualified_finalizers = True
    times: tuple[str, ...] = ()
    """Paths of metav1.Time fields: kept to the second."""
    micro_times: tuple[str, ...] = ()
    """Paths of metav1.MicroTime fields."""

    def normalise(self, obj: Object) -> Object:
        for path in self.times:
            _rewrite(obj, path.split("."), "seconds")
        for path in self.micro_times:
            _rewrite(obj, path.split("."), "microseconds")
        return obj

    def validate_create(self, obj: Object) -> list[FieldError]:
        return self.schema.validate(obj)

    def validate_update(self, obj: Object, old: Object, subresource: str) -> list[FieldError]:
        return self.validate_create(obj)


def format_moment(moment: datetime, precision: str = "seconds") -> str:
    """RFC 3339 in UTC with a Z."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def parse_moment(text: str | None) -> datetime | None:
    """A time that an object holds; None when it is absent or no time with an offset."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _rewrite(obj: Object, path: list[str], precision: str) -> None:
    *parents, name = path
    for parent in parents:
        obj = obj.get(parent) or {}
    moment = parse_moment(obj.get(name))
    if moment is not None:
        obj[name] = format_moment(moment, precision)
