"""Whatever comes in: an answer of Kubernetes' form, never a 500."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        "",
        "a",
        "metadata",
        "name",
        "spec",
        "size",
        "labels",
        "finalizers",
        "managedFields",
        "data",
        "ö\u0000",
        "\ud800",
    ]
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=5))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["a", "b.c", "fuzz", "A_b", "widgets.demo.dev"])
TEXTS = st.dictionaries(st.sampled_from(["a", "x.y/z", "B_"]), st.sampled_from(["", "v", "a b"]), max_size=2)
OWNER = st.fixed_dictionaries(
    {
        "apiVersion": st.sampled_from(["v1", "demo.dev/v1", "/"]),
        "kind": st.just("Widget"),
        "name": NAMES,
        "uid": NAMES,
    },
    optional={"controller": st.booleans(), "blockOwnerDeletion": st.booleans() | LEAVES},
)
METADATA = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "generateName": NAMES,
        "namespace": st.just("default"),
        "uid": NAMES,
        "resourceVersion": st.sampled_from(["", "0", "1"]),
        "labels": TEXTS,
        "annotations": TEXTS,
        "finalizers": st.lists(NAMES),
        "ownerReferences": st.lists(OWNER, max_size=2),
        "managedFields": st.lists(
            st.dictionaries(st.sampled_from(["manager", "operation", "fieldsV1"]), VALUES), max_size=2
        ),
        "creationTimestamp": st.sampled_from([None, "2026-11-22T00:00:00Z"]),
    },
)
POD = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
TIMES = st.sampled_from(["2026-11-22T00:00:00Z", "x", "2026-11-22T00:00:00.5+01:00"])
FIELDS = {
    "size": st.integers(-1, 3),
    "tags": st.lists(NAMES),
    "parts": st.lists(st.fixed_dictionaries({"name": NAMES}, optional={"count": st.integers()}), max_size=3),
    "template": st.just(POD),
    "backoffLimit": st.integers(-1, 3),
    "selector": st.just({"matchLabels": {"a": "b"}}),
    "manualSelector": st.booleans(),
    "renewTime": TIMES,
    "leaseDurationSeconds": st.integers(-1, 3),
    "group": st.just("demo.dev"),
    "names": st.fixed_dictionaries({"plural": NAMES, "kind": NAMES}),
    "scope": st.sampled_from(["Cluster", "Namespaced"]),
    "versions": st.lists(
        st.fixed_dictionaries(
            {"name": NAMES, "served": st.booleans(), "storage": st.booleans()},
            optional={
                "schema": st.just({"openAPIV3Schema": {"type": "object"}}),
                "subresources": VALUES,
                "additionalPrinterColumns": VALUES,
                "selectableFields": VALUES,
            },
        ),
        max_size=2,
    ),
    "resourceAttributes": st.dictionaries(st.sampled_from(["verb", "resource", "group"]), VALUES),
    "nonResourceAttributes": VALUES,
}


def often(good):
    """Mostly what is meant, sometimes anything."""
    return st.integers(0, 9).flatmap(lambda n: VALUES if n == 0 else good)


SPEC = st.fixed_dictionaries({}, optional={name: often(good) for name, good in FIELDS.items()})
CONDITION = st.dictionaries(st.sampled_from(["type", "status", "lastTransitionTime"]), often(WORDS))
STATUS = st.fixed_dictionaries({}, optional={"phase": often(WORDS), "conditions": st.lists(CONDITION)})
BODY = st.fixed_dictionaries(
    {"metadata": METADATA},
    optional={
        "spec": often(SPEC),
        "status": often(STATUS),
        "data": often(st.dictionaries(WORDS, often(st.sampled_from(["YQ==", "*"])), max_size=2)),
        "stringData": often(TEXTS),
        "type": often(WORDS),
        "immutable": often(st.booleans()),
        "involvedObject": often(st.just({"namespace": "default"})),
        "eventTime": often(TIMES),
        "firstTimestamp": often(TIMES),
        "series": VALUES,
    },
)
PATHS = st.sampled_from(
    [
        "/apis/demo.dev/v1/namespaces/default/widgets",
        "/api/v1/namespaces/default/secrets",
        "/api/v1/namespaces/default/configmaps",
        "/api/v1/namespaces/default/events",
        "/apis/batch/v1/namespaces/default/jobs",
        "/apis/coordination.k8s.io/v1/namespaces/default/leases",
        "/api/v1/namespaces",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    ]
)
KINDS = {
    "widgets": ("demo.dev/v1", "Widget"),
    "secrets": ("v1", "Secret"),
    "configmaps": ("v1", "ConfigMap"),
    "events": ("v1", "Event"),
    "jobs": ("batch/v1", "Job"),
    "leases": ("coordination.k8s.io/v1", "Lease"),
    "namespaces": ("v1", "Namespace"),
    "selfsubjectaccessreviews": ("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
    "customresourcedefinitions": ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
}
PATCH_TYPES = st.sampled_from(
    [
        "json-patch+json",
        "merge-patch+json",
        "strategic-merge-patch+json",
        "apply-patch+yaml",
        "apply-patch+json",
    ]
)
QUIET = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


def answered(answer) -> None:
    assert answer.status_code < 500, answer.text
    assert answer.json()["kind"]


@QUIET
@given(path=PATHS, body=BODY, extra=VALUES)
def test_any_object(api, path, body, extra):
    version, kind = KINDS[path.rpartition("/")[2]]
    whole = {"zork": extra, **body, "apiVersion": version, "kind": kind}
    answered(api.post(path, content=json.dumps(whole), params={"dryRun": "All"}))


OPERATION = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "test", "move", "copy", "replace", "remove", "fly"]),
        "path": st.sampled_from(
            ["", "/spec", "/metadata/labels/x", "/spec/-", "/spec/parts/-", "/status", "x", "/metadata"]
        ),
    },
    optional={"value": VALUES, "from": st.sampled_from(["/spec", "/nope", ""])},
)


@QUIET
@given(
    path=PATHS,
    type_=PATCH_TYPES,
    body=BODY | VALUES,
    operations=st.lists(OPERATION | VALUES, max_size=3),
    subresource=st.sampled_from(["", "/status"]),
)
def test_any_patch(api, path, type_, body, operations, subresource):
    version, kind = KINDS[path.rpartition("/")[2]]
    named = {"apiVersion": version, "kind": kind, "metadata": {"name": "fuzz"}}
    spec = {"size": 1, "parts": [{"name": "a"}], "template": POD}
    api.post(
        path, json={**named, "spec": spec, "data": {"a": "YQ=="}, "involvedObject": {"namespace": "default"}}
    )
    if isinstance(body, dict) and isinstance(body.get("metadata"), dict):
        body = {**body, **named, "metadata": {**body["metadata"], "name": "fuzz"}}
    sent = operations if type_ == "json-patch+json" else body
    headers = {"content-type": f"application/{type_}"}
    params = {"dryRun": "All", "fieldManager": "fuzz"}
    answered(api.patch(f"{path}/fuzz{subresource}", content=json.dumps(sent), headers=headers, params=params))


@QUIET
@given(
    raw=st.binary(max_size=40), type_=st.sampled_from(["json", "yaml", "vnd.kubernetes.protobuf"]), path=PATHS
)
def test_any_bytes(api, raw, type_, path):
    body = b"k8s\x00" + raw if "proto" in type_ else raw
    answered(api.post(path, content=body, headers={"content-type": f"application/{type_}"}))


@QUIET
@given(
    path=PATHS,
    query=st.dictionaries(
        st.sampled_from(
            [
                "limit",
                "continue",
                "labelSelector",
                "fieldSelector",
                "resourceVersion",
                "resourceVersionMatch",
                "timeoutSeconds",
                "includeObject",
                "dryRun",
            ]
        ),
        st.text(max_size=8)
        | st.sampled_from(["-1", "1", "0", "Exact", "NotOlderThan", "a=b", "!a", "a in (", "None"]),
    ),
    accept=st.sampled_from(
        ["", "*/*", "application/json;as=Table;v=v1;g=meta.k8s.io", "x", "application/json;q=x,,;"]
    ),
)
def test_any_list(api, path, query, accept):
    answered(api.get(path, params=query, headers={"accept": accept}))
