import random

import pytest

from strongroom.apiserver.objectmeta import (
    SUFFIX_ALPHABET,
    generated_name,
    validate_metadata,
    validate_metadata_update,
)

GOOD = {
    "name": "a.b",
    "namespace": "default",
    "labels": {"x.y/z": "v"},
    "annotations": {"A": "v"},
    "finalizers": ["x.y/z", "orphan"],
    "uid": "1",
}


def messages(**change):
    return [str(error) for error in validate_metadata({**GOOD, **change}, namespaced=True)]


def test_good_metadata_passes():
    assert messages() == []


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ({"name": "A"}, 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist'),
        ({"name": "a" * 254}, f'metadata.name: Invalid value: "{"a" * 254}": must be no more than 253 bytes'),
        ({"name": ""}, "metadata.name: Required value: name or generateName is required"),
        ({"name": "a\n"}, 'metadata.name: Invalid value: "a\\n": '),
        ({"namespace": "a.b"}, 'metadata.namespace: Invalid value: "a.b": a lowercase RFC 1123 label must consist'),
        ({"labels": {"a/b/c": "d"}}, 'metadata.labels: Invalid value: "a/b/c": a qualified name must consist'),
        ({"labels": {"a": "-"}}, 'metadata.labels: Invalid value: "-": a valid label must be an empty string or consist'),
        ({"annotations": {"a": "x" * 262144}}, "metadata.annotations: Too long: may not be more than 262144 bytes"),
        ({"finalizers": ["zork"]}, 'metadata.finalizers[0]: Invalid value: "zork": name is neither a standard finalizer name nor is it fully'),
        ({"ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n"}]}, 'metadata.ownerReferences.uid: Invalid value: "": uid must not be empty'),
        ({"generateName": "A-", "name": "a"}, 'metadata.generateName: Invalid value: "A-": '),
    ],
)  # fmt: skip
def test_bad_metadata_is_told_in_the_servers_words(change, start):
    (message,) = messages(**change)
    assert message.startswith(start)


def test_what_is_not_namespaced_has_no_namespace():
    assert [str(error) for error in validate_metadata(GOOD, namespaced=False)] == [
        "metadata.namespace: Forbidden: not allowed on this type"
    ]


def test_identity_and_birth_never_change_and_a_dying_object_gets_no_new_finalizer():
    old = {**GOOD, "resourceVersion": "1", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert validate_metadata_update({**old, "finalizers": ["x.y/z"]}, old) == []
    assert [
        str(error)
        for error in validate_metadata_update(
            {**old, "uid": "2", "finalizers": ["x.y/z", "orphan", "b/c"]}, old
        )
    ] == [
        'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"b/c"}',
        'metadata.uid: Invalid value: "2": field is immutable',
    ]
    assert (
        str(validate_metadata_update({**old, "resourceVersion": ""}, old)[0])
        == 'metadata.resourceVersion: Invalid value: "": must be specified for an update'
    )


def test_generated_names_fit_and_use_the_servers_letters():
    name = generated_name("p" * 80, random.Random(1))
    assert len(name) == 63
    assert set(name[-5:]) <= set(SUFFIX_ALPHABET)
