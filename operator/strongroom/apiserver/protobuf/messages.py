"""Field numbers of the messages stock clients send (`generated.proto` of k8s.io/api and k8s.io/apimachinery)."""

from strongroom.apiserver.protobuf.fields import (
    Message,
    bytes_map,
    embedded_json,
    flag,
    many,
    micro_moment,
    moment,
    one,
    raw,
    text,
    text_map,
    whole,
)

ENVELOPE: Message = {
    1: one("typeMeta", {1: text("apiVersion"), 2: text("kind")}),
    2: raw("raw"),
    3: text("contentEncoding"),
    4: text("contentType"),
}

_OWNER_REFERENCE: Message = {
    1: text("kind"),
    3: text("name"),
    4: text("uid"),
    5: text("apiVersion"),
    6: flag("controller", pointer=True),
    7: flag("blockOwnerDeletion", pointer=True),
}
_MANAGED_FIELDS: Message = {
    1: text("manager"),
    2: text("operation"),
    3: text("apiVersion"),
    4: moment("time"),
    6: text("fieldsType"),
    7: embedded_json("fieldsV1"),
    8: text("subresource"),
}
_OBJECT_META: Message = {
    1: text("name"),
    2: text("generateName"),
    3: text("namespace"),
    4: text("selfLink"),
    5: text("uid"),
    6: text("resourceVersion"),
    7: whole("generation"),
    8: moment("creationTimestamp"),
    9: moment("deletionTimestamp"),
    10: whole("deletionGracePeriodSeconds", pointer=True),
    11: text_map("labels"),
    12: text_map("annotations"),
    13: many(one("ownerReferences", _OWNER_REFERENCE)),
    14: many(text("finalizers")),
    17: many(one("managedFields", _MANAGED_FIELDS)),
}
_METADATA = one("metadata", _OBJECT_META)

_OBJECT_REFERENCE: Message = {
    1: text("kind"),
    2: text("namespace"),
    3: text("name"),
    4: text("uid"),
    5: text("apiVersion"),
    6: text("resourceVersion"),
    7: text("fieldPath"),
}
_EVENT_SOURCE: Message = {1: text("component"), 2: text("host")}
_EVENT_SERIES: Message = {1: whole("count"), 2: micro_moment("lastObservedTime")}
_LABEL_REQUIREMENT: Message = {1: text("key"), 2: text("operator"), 3: many(text("values"))}
_SELECTOR: Message = {1: text("rawSelector"), 2: many(one("requirements", _LABEL_REQUIREMENT))}
_USER_INFO: Message = {1: text("username"), 2: text("uid"), 3: many(text("groups"))}

_RESOURCE_ATTRIBUTES: Message = {
    1: text("namespace"),
    2: text("verb"),
    3: text("group"),
    4: text("version"),
    5: text("resource"),
    6: text("subresource"),
    7: text("name"),
    8: one("fieldSelector", _SELECTOR, pointer=True),
    9: one("labelSelector", _SELECTOR, pointer=True),
}
_ACCESS_SPEC: Message = {
    1: one("resourceAttributes", _RESOURCE_ATTRIBUTES, pointer=True),
    2: one("nonResourceAttributes", {1: text("path"), 2: text("verb")}, pointer=True),
}
_CORE_EVENT: Message = {
    1: _METADATA,
    2: one("involvedObject", _OBJECT_REFERENCE),
    3: text("reason"),
    4: text("message"),
    5: one("source", _EVENT_SOURCE),
    6: moment("firstTimestamp"),
    7: moment("lastTimestamp"),
    8: whole("count"),
    9: text("type"),
    10: micro_moment("eventTime"),
    11: one("series", _EVENT_SERIES, pointer=True),
    12: text("action"),
    13: one("related", _OBJECT_REFERENCE, pointer=True),
    14: text("reportingComponent"),
    15: text("reportingInstance"),
}
_EVENTS_EVENT: Message = {
    1: _METADATA,
    2: micro_moment("eventTime"),
    3: one("series", _EVENT_SERIES, pointer=True),
    4: text("reportingController"),
    5: text("reportingInstance"),
    6: text("action"),
    7: text("reason"),
    8: one("regarding", _OBJECT_REFERENCE),
    9: one("related", _OBJECT_REFERENCE, pointer=True),
    10: text("note"),
    11: text("type"),
    12: one("deprecatedSource", _EVENT_SOURCE),
    13: moment("deprecatedFirstTimestamp"),
    14: moment("deprecatedLastTimestamp"),
    15: whole("deprecatedCount"),
}
_LEASE_SPEC: Message = {
    1: text("holderIdentity", pointer=True),
    2: whole("leaseDurationSeconds", pointer=True),
    3: micro_moment("acquireTime"),
    4: micro_moment("renewTime"),
    5: whole("leaseTransitions", pointer=True),
    6: text("strategy", pointer=True),
    7: text("preferredHolder", pointer=True),
}
_BOUND_OBJECT: Message = {1: text("kind"), 2: text("apiVersion"), 3: text("name"), 4: text("uid")}
_TOKEN_REQUEST_SPEC: Message = {
    1: many(text("audiences")),
    3: one("boundObjectRef", _BOUND_OBJECT, pointer=True),
    4: whole("expirationSeconds", pointer=True),
}
_POLICY_RULE: Message = {
    1: many(text("verbs")),
    2: many(text("apiGroups")),
    3: many(text("resources")),
    4: many(text("resourceNames")),
    5: many(text("nonResourceURLs")),
}
_SUBJECT: Message = {1: text("kind"), 2: text("apiGroup"), 3: text("name"), 4: text("namespace")}
_ROLE: Message = {1: _METADATA, 2: many(one("rules", _POLICY_RULE))}
_BINDING: Message = {
    1: _METADATA,
    2: many(one("subjects", _SUBJECT)),
    3: one("roleRef", {1: text("apiGroup"), 2: text("kind"), 3: text("name")}),
}
_RBAC = "rbac.authorization.k8s.io/v1"
_DELETE_OPTIONS: Message = {
    1: whole("gracePeriodSeconds", pointer=True),
    2: one(
        "preconditions",
        {1: text("uid", pointer=True), 2: text("resourceVersion", pointer=True)},
        pointer=True,
    ),
    3: flag("orphanDependents", pointer=True),
    4: text("propagationPolicy", pointer=True),
    5: many(text("dryRun")),
}

KINDS: dict[tuple[str, str], Message] = {
    ("v1", "Secret"): {
        1: _METADATA,
        2: bytes_map("data"),
        3: text("type"),
        4: text_map("stringData"),
        5: flag("immutable", pointer=True),
    },
    ("v1", "ConfigMap"): {
        1: _METADATA,
        2: text_map("data"),
        3: bytes_map("binaryData"),
        4: flag("immutable", pointer=True),
    },
    ("v1", "Namespace"): {
        1: _METADATA,
        2: one("spec", {1: many(text("finalizers"))}),
        3: one("status", {1: text("phase")}),
    },
    ("v1", "ServiceAccount"): {
        1: _METADATA,
        2: many(one("secrets", _OBJECT_REFERENCE)),
        3: many(one("imagePullSecrets", {1: text("name")})),
        4: flag("automountServiceAccountToken", pointer=True),
    },
    ("v1", "Event"): _CORE_EVENT,
    ("events.k8s.io/v1", "Event"): _EVENTS_EVENT,
    ("coordination.k8s.io/v1", "Lease"): {1: _METADATA, 2: one("spec", _LEASE_SPEC)},
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): {1: _METADATA, 2: one("spec", _ACCESS_SPEC)},
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview"): {
        1: _METADATA,
        2: one("spec", {1: text("namespace")}),
    },
    ("authentication.k8s.io/v1", "SelfSubjectReview"): {
        1: _METADATA,
        2: one("status", {1: one("userInfo", _USER_INFO)}),
    },
    ("authentication.k8s.io/v1", "TokenRequest"): {1: _METADATA, 2: one("spec", _TOKEN_REQUEST_SPEC)},
    ("authentication.k8s.io/v1", "TokenReview"): {
        1: _METADATA,
        2: one("spec", {1: text("token"), 2: many(text("audiences"))}),
    },
    (_RBAC, "Role"): _ROLE,
    (_RBAC, "ClusterRole"): _ROLE,
    (_RBAC, "RoleBinding"): _BINDING,
    (_RBAC, "ClusterRoleBinding"): _BINDING,
    # DeleteOptions come in the group of what is deleted, so only the kind counts.
    ("", "DeleteOptions"): _DELETE_OPTIONS,
}
