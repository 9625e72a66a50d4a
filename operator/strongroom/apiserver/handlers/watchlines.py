"""One line of a watch stream: a type and an object in the form that the client asked for."""

from typing import Any

from strongroom.apiserver.handlers.calls import FORMS_OF_ONE, Call, table_of
from strongroom.apiserver.http.negotiation import JSON, negotiate
from strongroom.apiserver.http.statuses import StatusError
from strongroom.apiserver.storage.records import Event, Stored, encode
from strongroom.apiserver.tables import partial_metadata

INITIAL_END = "k8s.io/initial-events-end"


class LineWriter:
    """Writes lines for one watcher; plain ones are encoded once per event for all watchers."""

    media_type = JSON

    def __init__(self, call: Call) -> None:
        """Negotiate the form. Raises 406."""
        self._call = call
        self._resource = call.resource
        self._columns_told = False
        self._representation = negotiate(call.request.headers.get("accept", ""), forms=FORMS_OF_ONE)

    def event(self, type_: str, event: Event) -> bytes:
        """A change as it happened."""
        if self._representation.form != "plain":
            return self.object(type_, event.current)
        if type_ not in event.lines:
            event.lines[type_] = self.object(type_, event.current)
        return event.lines[type_]

    def departed(self, event: Event) -> bytes:
        """An object that left the selection: its state before, at the revision of the change."""
        assert event.previous is not None  # noqa: S101 - the caller has looked at it
        last = Stored.build(event.previous.key, event.revision, event.previous.object)
        return self.object("DELETED", last)

    def object(self, type_: str, stored: Stored) -> bytes:
        """Any object."""
        if self._representation.form == "plain":
            return b'{"type":"' + type_.encode() + b'","object":' + stored.encoded + b"}\n"
        version = self._representation.version
        if self._representation.form == "Table":
            # The columns are told once; kubectl keeps them.
            metadata = {"resourceVersion": str(stored.revision)}
            table = table_of(
                self._call, [stored.object], metadata, version, definitions=not self._columns_told
            )
            self._columns_told = True
            return self._line(type_, table)
        return self._line(type_, partial_metadata(stored.object, f"meta.k8s.io/{version}"))

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        """How far the stream is, without a change."""
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = {INITIAL_END: "true"}
        obj: dict[str, Any] = {"kind": self._resource.kind, "apiVersion": self._resource.api_version}
        obj["metadata"] = {**metadata, "creationTimestamp": None}
        return self._line("BOOKMARK", obj)

    def error(self, error: StatusError) -> bytes:
        """The last line of a stream that cannot go on."""
        return self._line("ERROR", error.to_object())

    @staticmethod
    def _line(type_: str, obj: Any) -> bytes:
        return encode({"type": type_, "object": obj}) + b"\n"
