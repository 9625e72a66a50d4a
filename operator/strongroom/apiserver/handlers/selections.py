"""Which objects a list, a watch or a deletion of a collection means."""

from dataclasses import dataclass

from strongroom.apiserver.handlers.calls import Call
from strongroom.apiserver.http import statuses
from strongroom.apiserver.resources import Object, Rules
from strongroom.apiserver.selectors import (
    FieldSelector,
    LabelSelector,
    parse_field_selector,
    parse_label_selector,
)
from strongroom.apiserver.storage.records import Stored

COMMON_FIELDS = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True)
class Selection:
    """A namespace (or all), a label selector and a field selector."""

    namespace: str
    rules: Rules
    labels: LabelSelector | None
    fields: FieldSelector | None

    @property
    def selective(self) -> bool:
        """Whether anything but the namespace selects."""
        return self.labels is not None or self.fields is not None

    def matches(self, stored: Stored) -> bool:
        """Whether the object is meant."""
        if self.namespace and stored.key.namespace != self.namespace:
            return False
        if self.labels and not self.labels(stored.object["metadata"].get("labels") or {}):
            return False
        return not self.fields or self.fields(fields_of(self.rules, stored))


def fields_of(rules: Rules, stored: Stored) -> dict[str, str]:
    """Values that field selectors compare."""
    own: Object = rules.fields(stored.object)
    return {"metadata.name": stored.key.name, "metadata.namespace": stored.key.namespace, **own}


def read_selection(call: Call) -> Selection:
    """From path and query. Raises 400 for selectors that cannot be read or are not supported."""
    rules = call.resource.rules
    labels, fields = call.request.query.get("labelSelector", ""), call.request.query.get("fieldSelector", "")
    try:
        return Selection(
            call.target.namespace,
            rules,
            parse_label_selector(labels) if labels else None,
            parse_field_selector(fields, {*COMMON_FIELDS, *rules.fields({})}) if fields else None,
        )
    except ValueError as error:
        raise statuses.bad_request(str(error)) from error
