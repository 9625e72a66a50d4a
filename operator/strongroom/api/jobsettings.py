"""How the pods of Jobs are made that a cluster runs: by policy, and by the operator's own defaults."""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from strongroom.api.fields import Duration, Fields, ResourceName

Quantity = Annotated[
    str, Field(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$")
]
"""An amount as Kubernetes writes it: 500m, 512Mi, 10Gi."""
LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=253)]
_OPEN: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}
OWN_PREFIX = "strongroom.dev/"


class PodResources(Fields):
    """What the container asks for, and what it may use at most."""

    requests: Annotated[dict[LabelKey, Quantity], Field(max_length=16)] = Field(
        default_factory=dict,
        description="By resource, such as cpu and memory: what the scheduler sets aside.",
    )
    limits: Annotated[dict[LabelKey, Quantity], Field(max_length=16)] = Field(
        default_factory=dict, description="By resource: what the container may use at most."
    )


class Toleration(Fields):
    """A taint of nodes that the pod does not mind."""

    key: LabelKey | None = Field(default=None, description="Taint; without it every taint.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="Exists or Equal.")
    value: LabelValue | None = Field(default=None, description="Value of the taint, with Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint; without it every effect."
    )
    toleration_seconds: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="With NoExecute: for how long."
    )


class LocalName(Fields):
    """An object of the same namespace."""

    name: ResourceName = Field(description="Its name.")


class JobSettings(Fields):
    """The pods of Jobs that the cluster runs. Jobs of Docker hosts know nothing of it."""

    image: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\s]+$")] | None = Field(
        default=None,
        description="Image of the worker: Strongroom's own of the operator's version, perhaps with further PostgreSQL clients.",
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        default=None, description="When the image is pulled. Default: the cluster's."
    )
    image_pull_secrets: Annotated[list[LocalName], Field(max_length=8)] = Field(
        default_factory=list, description="Secrets of the image's registry."
    )
    service_account_name: ResourceName | None = Field(
        default=None,
        description="Service account of the pod, for cloud credentials. Its token is never mounted: workers do not speak to the API.",
    )
    resources: PodResources | None = Field(default=None, description="Requests and limits of the worker.")
    scratch_size: Quantity | None = Field(
        default=None,
        description="Limit of the scratch folder, an emptyDir. A backup needs little, but an rsync store or a parallel restore holds a whole file there.",
    )
    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = Field(
        default_factory=dict, description="Labels that the node must have."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = Field(
        default_factory=list, description="Taints that the pod does not mind."
    )
    affinity: Annotated[dict[str, JsonValue], Field(max_length=8)] | None = Field(
        default=None, description="Affinity of the pod, as in a pod's own spec.", json_schema_extra=_OPEN
    )
    priority_class_name: ResourceName | None = Field(default=None, description="Priority class of the pod.")
    pod_labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = Field(
        default_factory=dict, description="Further labels of the pod, for network policies and the like."
    )
    pod_annotations: Annotated[
        dict[LabelKey, Annotated[str, Field(max_length=4096)]], Field(max_length=32)
    ] = Field(default_factory=dict, description="Further annotations of the pod.")
    run_as_root: bool | None = Field(
        default=None,
        description="Run the worker as root with the one capability DAC_OVERRIDE, to read files that belong to others and are not readable to its group. The namespace's pod security must allow it. Default: user 10001, no capability.",
    )
    fs_group: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None, description="Group of the pod for its volumes. Default: 10001."
    )
    start_deadline: Duration | None = Field(
        default=None,
        description="A pod that does not start for this long, for want of an image, a volume or a node, ends its run. Default: 15m.",
    )

    def over(self, defaults: "JobSettings") -> "JobSettings":
        """These settings where they are set, else the defaults; maps are merged key by key."""
        merged = {name: getattr(defaults, name) for name in type(self).model_fields}
        for name in self.model_fields_set:
            mine, base = getattr(self, name), merged[name]
            merged[name] = {**base, **mine} if isinstance(mine, dict) and isinstance(base, dict) else mine
        return type(self).model_construct(**merged)
