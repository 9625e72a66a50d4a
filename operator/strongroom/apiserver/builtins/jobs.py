"""Jobs of batch/v1: kept and guarded as Kubernetes does; who runs them is `spec.managedBy`'s business."""

# ruff: noqa: ARG002 - hooks are handed what other kinds need

from datetime import datetime, timedelta
from typing import Any

from strongroom.apiserver import fielderrors
from strongroom.apiserver.builtins.jobschemas import JOB
from strongroom.apiserver.builtins.rules import BuiltinRules, parse_moment
from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.http.requests import User
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema
from strongroom.apiserver.tables import AGE, NAME, Column, age_text, human_duration

UID_LABEL = "batch.kubernetes.io/controller-uid"
_LABELS = {
    UID_LABEL: "uid",
    "batch.kubernetes.io/job-name": "name",
    "controller-uid": "uid",
    "job-name": "name",
}
_IMMUTABLE = (
    "selector",
    "template",
    "completionMode",
    "completions",
    "podFailurePolicy",
    "managedBy",
    "manualSelector",
)
_ENDED = ("Complete", "Failed")
_RESTARTS = ("OnFailure", "Never")


def is_true(obj: Object, type_: str) -> bool:
    """Whether the Job has the condition."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == type_ and one.get("status") == "True" for one in conditions)


def _status(obj: Object, _now: datetime) -> str:
    for condition in _ENDED:
        if is_true(obj, condition):
            return condition
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if is_true(obj, condition):
            return condition
    return "Running"


def _completions(obj: Object, _now: datetime) -> str:
    spec, succeeded = obj.get("spec") or {}, (obj.get("status") or {}).get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism", 1)
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(obj: Object, now: datetime) -> str:
    status = obj.get("status") or {}
    start, end = parse_moment(status.get("startTime")), parse_moment(status.get("completionTime"))
    if start is None:
        return ""
    return human_duration(end - start) if end else age_text(status["startTime"], now)


class JobRules(BuiltinRules):
    """Jobs."""

    generation = True
    status = True
    columns = (
        NAME,
        Column("Status", _status, description="Status of the job."),
        Column("Completions", _completions, description="How many of the wanted completions there are."),
        Column("Duration", _duration, description="Time required to complete the job."),
        AGE,
    )
    schema = StructuralSchema(JOB)

    def normalise(self, obj: Object) -> Object:
        spec = obj.get("spec")
        if isinstance(spec, dict):
            if spec.get("completions") is None and spec.get("parallelism") is None:
                spec["completions"] = 1
            spec.setdefault("parallelism", 1)
        return obj

    def prepare_create(self, obj: Object, user: User) -> None:
        if isinstance(obj.get("spec"), dict) and not obj["spec"].get("manualSelector"):
            _select_own_pods(obj)

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = self.schema.validate(obj)
        return errors or _pod_errors(obj["spec"]["template"])

    def validate_update(self, obj: Object, old: Object, subresource: str) -> list[FieldError]:
        errors = self.schema.validate(obj)
        if subresource == "status":
            return errors + _status_errors(obj, old)
        changed = [name for name in _IMMUTABLE if obj["spec"].get(name) != old["spec"].get(name)]
        return errors + [
            fielderrors.invalid(f"spec.{name}", obj["spec"].get(name), "field is immutable")
            for name in changed
        ]

    def fields(self, obj: Object) -> dict[str, str]:
        return {"status.successful": str((obj.get("status") or {}).get("succeeded", 0))}

    def expires_at(self, obj: Object) -> datetime | None:
        """A finished Job goes ttlSecondsAfterFinished after its end."""
        seconds = obj["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return None
        ends = [
            parse_moment(condition.get("lastTransitionTime"))
            for condition in (obj.get("status") or {}).get("conditions") or ()
            if condition.get("type") in _ENDED and condition.get("status") == "True"
        ]
        return ends[0] + timedelta(seconds=seconds) if ends and ends[0] else None


def _select_own_pods(obj: Object) -> None:
    """The labels that tie pods to this very Job, as the server generates them."""
    metadata = obj["metadata"]
    template = obj["spec"].setdefault("template", {})
    labels = {label: metadata[source] for label, source in _LABELS.items()}
    own: dict[str, Any] = dict(template.get("metadata") or {})
    own["labels"] = {**(own.get("labels") or {}), **labels}
    template["metadata"] = own
    obj["spec"]["selector"] = {"matchLabels": {UID_LABEL: metadata["uid"]}}


def _pod_errors(template: Object) -> list[FieldError]:
    spec = template.get("spec") or {}
    errors = []
    if not spec.get("containers"):
        errors.append(fielderrors.required("spec.template.spec.containers"))
    if spec.get("restartPolicy") not in _RESTARTS:
        policy = spec.get("restartPolicy") or "Always"
        errors.append(fielderrors.not_supported("spec.template.spec.restartPolicy", policy, _RESTARTS))
    return errors


def _status_errors(obj: Object, old: Object) -> list[FieldError]:
    """What happened stays happened: a finished Job does not become unfinished, nor finished otherwise."""
    errors = []
    for condition, other in ((_ENDED[0], _ENDED[1]), (_ENDED[1], _ENDED[0])):
        if is_true(old, condition) and not is_true(obj, condition):
            why = f"cannot disable {condition}=True condition once it was enabled"
            errors.append(fielderrors.invalid("status.conditions", fielderrors.OMITTED, why))
        if is_true(obj, condition) and is_true(obj, other) and condition == _ENDED[0]:
            why = "cannot set Complete=True and Failed=true conditions"
            errors.append(fielderrors.invalid("status.conditions", fielderrors.OMITTED, why))
    return errors


RESOURCE = Resource(
    "batch",
    "v1",
    "jobs",
    "Job",
    JobRules(),
    categories=("all",),
    subresources=("status",),
)
