"""Metadata every object shares: is it well formed, may it change so, and names made up by the server.

Source: apimachinery `pkg/api/validation/objectmeta.go`, `pkg/util/validation/validation.go` and apiserver `storage/names/generate.go`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from strongroom.apiserver.fielderrors import (
    FieldError,
    child,
    forbidden,
    go_quote,
    index,
    invalid,
    required,
    too_long,
)

MAX_ANNOTATIONS_BYTES = 256 * 1024
SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
MAX_GENERATED_PREFIX = 58

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAME = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = rf"({_NAME})?"

_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

NameCheck = Callable[[str], list[str]]
"""Takes a name, returns what is wrong with it."""


class RandomSource(Protocol):
    """`random.Random` and `secrets.SystemRandom` have this shape."""

    def choice(self, seq: str, /) -> str: ...


def generated_name(prefix: str, source: RandomSource) -> str:
    """`generateName` and five characters that form no words."""
    return prefix[:MAX_GENERATED_PREFIX] + "".join(source.choice(SUFFIX_ALPHABET) for _ in range(5))


def subdomain_problems(name: str) -> list[str]:
    """DNS-1123 subdomain: what most names must be."""
    return _problems(name, _SUBDOMAIN, 253, _SUBDOMAIN_RULE)


def dns_label_problems(name: str) -> list[str]:
    """DNS-1123 label: what namespaces must be."""
    return _problems(name, _LABEL, 63, _LABEL_RULE)


def label_name_problems(name: str) -> list[str]:
    """A qualified name, `[prefix/]name`: keys of labels and annotations, finalizers."""
    prefix, slash, rest = name.rpartition("/")
    problems = []
    if "/" in prefix:
        return [
            f"a qualified name {_NAME_RULE.removeprefix('name part ')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {problem}" for problem in subdomain_problems(prefix)]
    if not rest:
        problems.append("name part must be non-empty")
    elif len(rest) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not re.fullmatch(_NAME, rest, re.ASCII):
        problems.append(_NAME_RULE)
    return problems


def label_value_problems(value: str) -> list[str]:
    return _problems(value, _VALUE, 63, _VALUE_RULE)


def _problems(text: str, pattern: str, max_bytes: int, rule: str) -> list[str]:
    problems = [f"must be no more than {max_bytes} bytes"] if len(text.encode()) > max_bytes else []
    if not re.fullmatch(pattern, text, re.ASCII):
        problems.append(rule)
    return problems


def validate_metadata(
    metadata: Mapping[str, Any],
    *,
    namespaced: bool,
    check_name: NameCheck = subdomain_problems,
    qualified_finalizers: bool = True,
    path: str = "metadata",
) -> list[FieldError]:
    """The metadata of an object about to be stored (after defaulting, with its final name).

    `qualified_finalizers`: kinds of Kubernetes itself want a prefix in unknown finalizers, custom resources and definitions do not.
    """
    errors = []
    if prefix := metadata.get("generateName"):
        stem = re.sub(r"[-.]$", "a", prefix)
        errors += [invalid(child(path, "generateName"), prefix, problem) for problem in check_name(stem)]
    name = metadata.get("name")
    if not name:
        errors.append(required(child(path, "name"), "name or generateName is required"))
    else:
        errors += [invalid(child(path, "name"), name, problem) for problem in check_name(name)]
    errors += _namespace_errors(metadata.get("namespace") or "", path, namespaced=namespaced)
    errors += validate_labels(metadata.get("labels") or {}, child(path, "labels"))
    errors += _annotation_errors(metadata.get("annotations") or {}, child(path, "annotations"))
    errors += _owner_errors(metadata.get("ownerReferences") or [], child(path, "ownerReferences"))
    finalizers = metadata.get("finalizers") or []
    errors += _finalizer_errors(finalizers, child(path, "finalizers"), qualified=qualified_finalizers)
    return errors


def validate_metadata_update(
    new: Mapping[str, Any], old: Mapping[str, Any], path: str = "metadata"
) -> list[FieldError]:
    """What an update may not change: identity, birth, and finalizers added to an object that is being deleted."""
    errors = []
    if old.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers") or []) - set(old.get("finalizers") or []))
        if added:
            text = f"no new finalizers can be added if the object is being deleted, found new finalizers {_go_strings(added)}"
            errors.append(forbidden(child(path, "finalizers"), text))
    for name in (
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ):
        if new.get(name) != old.get(name):
            errors += [invalid(child(path, name), new.get(name), "field is immutable")]
    if not new.get("resourceVersion"):
        errors.append(invalid(child(path, "resourceVersion"), "", "must be specified for an update"))
    return errors


def validate_labels(labels: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = []
    for name, value in labels.items():
        errors += [invalid(path, name, problem) for problem in label_name_problems(name)]
        errors += [invalid(path, value, problem) for problem in label_value_problems(value)]
    return errors


def _namespace_errors(namespace: str, path: str, *, namespaced: bool) -> list[FieldError]:
    if not namespaced:
        return [forbidden(child(path, "namespace"), "not allowed on this type")] if namespace else []
    if not namespace:
        return [required(child(path, "namespace"))]
    return [
        invalid(child(path, "namespace"), namespace, problem) for problem in dns_label_problems(namespace)
    ]


def _annotation_errors(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    # The server lower-cases annotation keys before it checks them.
    errors = [
        invalid(path, name, problem) for name in annotations for problem in label_name_problems(name.lower())
    ]
    size = sum(len(name.encode()) + len(value.encode()) for name, value in annotations.items())
    if size > MAX_ANNOTATIONS_BYTES:
        errors.append(too_long(path, MAX_ANNOTATIONS_BYTES))
    return errors


def _owner_errors(owners: list[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors = []
    for owner in owners:
        # The server prints the list's own path for the fields of every reference.
        if not re.fullmatch(r"([^/]+/)?[^/]+", owner.get("apiVersion") or ""):
            errors.append(
                invalid(child(path, "apiVersion"), owner.get("apiVersion") or "", "version must not be empty")
            )
        missing = [name for name in ("kind", "name", "uid") if not owner.get(name)]
        errors += [invalid(child(path, name), "", f"{name} must not be empty") for name in missing]
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        first, second = (f"{owner.get('kind')}/{owner.get('name')}" for owner in controllers[:2])
        text = f'Only one reference can have Controller set to true. Found "true" in references for {first} and {second}'
        errors.append(invalid(path, owners, text))
    return errors


_STANDARD_FINALIZERS = frozenset({"orphan", "foregroundDeletion", "kubernetes"})


def _finalizer_errors(finalizers: list[str], path: str, *, qualified: bool) -> list[FieldError]:
    errors = []
    for position, name in enumerate(finalizers):
        errors += [invalid(path, name, problem) for problem in label_name_problems(name)]
        if qualified and "/" not in name and name not in _STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            errors.append(invalid(index(path, position), name, text))
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        errors.append(invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"))
    return errors


def _go_strings(values: list[str]) -> str:
    """A slice of strings as Go's `%#v` prints it."""
    return f"[]string{{{', '.join(go_quote(value) for value in values)}}}"
