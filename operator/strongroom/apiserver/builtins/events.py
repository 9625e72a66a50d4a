"""Events of the core group: what happened to an object, kept for an hour."""

from datetime import datetime, timedelta
from typing import Any

from strongroom.apiserver import fielderrors
from strongroom.apiserver.builtins.rules import BuiltinRules, parse_moment
from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.metaschemas import Schema, integer, record, text, time
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema
from strongroom.apiserver.tables import Column, age_text, name_of

TIME_TO_LIVE = timedelta(hours=1)


def _reference(description: str) -> Schema:
    return record(
        description,
        kind=text("Kind of the object."),
        namespace=text("Namespace of the object."),
        name=text("Name of the object."),
        uid=text("UID of the object."),
        apiVersion=text("API version of the object."),
        resourceVersion=text("Version of the object."),
        fieldPath=text("Part of the object."),
    )


_SELECTABLE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


def _object(obj: Object, _now: datetime) -> str:
    involved = obj.get("involvedObject") or {}
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def _source(obj: Object, _now: datetime) -> str:
    source = obj.get("source") or {}
    return ", ".join(
        filter(None, (source.get("component") or obj.get("reportingComponent"), source.get("host")))
    )


def _first_seen(obj: Object, now: datetime) -> str:
    return age_text(obj.get("firstTimestamp") or obj.get("eventTime"), now)


def _last_seen(obj: Object, now: datetime) -> str:
    series = obj.get("series") or {}
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or obj.get("firstTimestamp")
    return age_text(last or obj.get("eventTime"), now)


def _count(obj: Object, _now: datetime) -> Any:
    return (obj.get("series") or {}).get("count") or obj.get("count") or 1


class EventRules(BuiltinRules):
    """Events."""

    times = ("firstTimestamp", "lastTimestamp")
    micro_times = ("eventTime", "series.lastObservedTime")
    columns = (
        Column("Last Seen", _last_seen, description="Time this event was last observed"),
        Column("Type", lambda obj, _now: obj.get("type", ""), description="Normal or Warning"),
        Column(
            "Reason",
            lambda obj, _now: obj.get("reason", ""),
            description="Short machine understandable string",
        ),
        Column("Object", _object, description="What the event is about"),
        Column(
            "Subobject",
            lambda obj, _now: (obj.get("involvedObject") or {}).get("fieldPath", ""),
            description="Part of the object",
            priority=1,
        ),
        Column("Source", _source, description="Who reports", priority=1),
        Column(
            "Message", lambda obj, _now: (obj.get("message") or "").strip(), description="Text for people"
        ),
        Column("First Seen", _first_seen, description="Time this event was first observed", priority=1),
        Column("Count", _count, description="How often it was observed", priority=1),
        Column("Name", name_of, format="name", description="Name of the event", priority=1),
    )
    schema = StructuralSchema(
        record(
            "Event is a report of an event somewhere in the cluster.",
            involvedObject=_reference("The object that this event is about."),
            reason=text("Why, as a short word for programs."),
            message=text("What happened, for people."),
            source=record("Who reports.", component=text("Program."), host=text("Host.")),
            firstTimestamp=time("When it was first observed."),
            lastTimestamp=time("When it was last observed."),
            count=integer("How often it was observed."),
            type=text("Normal or Warning."),
            eventTime=time("When it was first observed, to the microsecond."),
            series=record(
                "A row of equal events.", count=integer("How many."), lastObservedTime=time("The last one.")
            ),
            action=text("What was done."),
            related=_reference("A second object."),
            reportingComponent=text("Controller that reports."),
            reportingInstance=text("Instance of that controller."),
            required=("involvedObject",),
        )
    )

    def normalise(self, obj: Object) -> Object:
        super().normalise(obj)
        # Go writes these without omitempty, and clients read them so.
        for name in ("reportingComponent", "reportingInstance"):
            obj.setdefault(name, "")
        obj.setdefault("source", {})
        return obj

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = self.schema.validate(obj)
        namespace = (obj.get("involvedObject") or {}).get("namespace", "")
        # Events about cluster-wide objects live in the default namespace.
        if namespace != obj["metadata"]["namespace"] and not (
            not namespace and obj["metadata"]["namespace"] in ("default", "kube-system")
        ):
            errors.append(
                fielderrors.invalid("involvedObject.namespace", namespace, "does not match event.namespace")
            )
        return errors

    def fields(self, obj: Object) -> dict[str, str]:
        involved, source = obj.get("involvedObject") or {}, obj.get("source") or {}
        return {
            **{f"involvedObject.{name}": str(involved.get(name, "")) for name in _SELECTABLE},
            "reason": obj.get("reason", ""),
            "reportingComponent": obj.get("reportingComponent", ""),
            "source": source.get("component") or obj.get("reportingComponent", ""),
            "type": obj.get("type", ""),
        }

    def expires_at(self, obj: Object) -> datetime | None:
        """An hour after the last write; what is written again lives on."""
        seen = [obj["metadata"].get("creationTimestamp"), obj.get("lastTimestamp"), obj.get("eventTime")]
        moments = [moment for moment in map(parse_moment, seen) if moment]
        return max(moments) + TIME_TO_LIVE if moments else None


RESOURCE = Resource("", "v1", "events", "Event", EventRules(), short_names=("ev",))
