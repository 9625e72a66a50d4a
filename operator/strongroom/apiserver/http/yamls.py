"""YAML as sigs.k8s.io/yaml reads it into JSON: no dates, keys are strings, duplicate keys are noticed."""

from typing import Any

import yaml

from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.documents import Building, Document, below
from strongroom.apiserver.http.jsons import decode_json


def decode_yaml(raw: bytes) -> Document:
    """Parse a body of one YAML document. Raises 400."""
    if raw.lstrip().startswith(b"{"):
        # kubectl applies JSON under YAML's name; a YAML parser takes a hundred times as long for it.
        try:
            return decode_json(raw)
        except statuses.StatusError:
            pass  # flow style that is not JSON
    building = Building()
    try:
        value = _Loader(raw).build(building)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise statuses.bad_request(f"error converting YAML to JSON: {error}") from error
    return Document(value, tuple(building.problems))


class _Loader(yaml.SafeLoader):
    """Builds JSON values from nodes, within the limits of a `Building`."""

    def build(self, building: Building) -> Any:
        """The one document of the stream; None when it is empty."""
        try:
            node = self.get_single_node()
            return None if node is None else self._build(node, "", 0, building)
        finally:
            self.dispose()

    def _build(self, node: yaml.Node, path: str, depth: int, building: Building) -> Any:
        building.enter(depth)
        if isinstance(node, yaml.MappingNode):
            return self._build_mapping(node, path, depth, building)
        if isinstance(node, yaml.SequenceNode):
            return [
                self._build(item, f"{path}[{n}]", depth + 1, building) for n, item in enumerate(node.value)
            ]
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value
        value = self.construct_object(node)
        return value.decode("latin-1") if isinstance(value, bytes) else building.number(value)

    def _build_mapping(
        self, node: yaml.MappingNode, path: str, depth: int, building: Building
    ) -> dict[str, Any]:
        self.flatten_mapping(node)
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key(self._build(key_node, path, depth + 1, building))
            where = below(path, key)
            building.put(result, key, self._build(value_node, where, depth + 1, building), where)
        return result


def _key(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        raise ValueError(f"unsupported map key of type: {type(value).__name__}")  # noqa: TRY004 - a fault of the body
    return "null" if value is None else str(value)
