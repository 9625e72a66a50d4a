"""The schema of Jobs. The pod template is kept loosely: this server runs no pods, it keeps what a cluster would read."""

from strongroom.apiserver.metaschemas import (
    Schema,
    anything,
    array,
    boolean,
    integer,
    keyed,
    mapping,
    record,
    text,
    time,
)

_CONTAINER = anything("A container that runs within a pod.") | {
    "properties": {"name": text("Name of the container."), "image": text("Image to run.")},
    "required": ["name"],
}
_POD_SPEC = anything("What the pod runs.") | {
    "properties": {
        "containers": keyed(_CONTAINER, "name", "Containers of the pod."),
        "restartPolicy": text("OnFailure or Never."),
    }
}
_TEMPLATE: Schema = {
    "type": "object",
    "description": "The pod that is created when the job runs.",
    "properties": {"metadata": anything("Metadata of the pod."), "spec": _POD_SPEC},
}
_CONDITION = record(
    "An aspect of the Job's state.",
    type=text("Complete, Failed, Suspended, FailureTarget or SuccessCriteriaMet."),
    status=text("True, False or Unknown.", enum=["True", "False", "Unknown"]),
    reason=text("Why, as a word for programs."),
    message=text("Why, for people."),
    lastProbeTime=time("When it was last looked at."),
    lastTransitionTime=time("When it last changed."),
    required=("type", "status"),
)

JOB = record(
    "Job represents the configuration of a single job.",
    spec=record(
        "What to run, how often and how long.",
        parallelism=integer("How many pods may run at once.", minimum=0),
        completions=integer("How many pods must succeed.", minimum=0),
        activeDeadlineSeconds=integer("Seconds after which the job is ended.", format="int64", minimum=1),
        backoffLimit=integer("How many retries before the job fails.", minimum=0, default=6),
        backoffLimitPerIndex=integer("Retries within an index.", minimum=0),
        maxFailedIndexes=integer("Failed indexes before the job fails.", minimum=0),
        podFailurePolicy=anything("How failed pods are handled."),
        successPolicy=anything("When the job counts as succeeded."),
        selector=record(
            "Which pods belong to the job; usually set by the system.",
            matchLabels=mapping(text()),
            matchExpressions=array(anything()),
        ),
        manualSelector=boolean("Whether the selector is given by hand."),
        template=_TEMPLATE,
        ttlSecondsAfterFinished=integer("Seconds after which a finished job is deleted.", minimum=0),
        completionMode=text("NonIndexed or Indexed.", enum=["NonIndexed", "Indexed"], default="NonIndexed"),
        suspend=boolean("Whether the job waits.", default=False),
        podReplacementPolicy=text(
            "When failed pods are replaced.",
            enum=["TerminatingOrFailed", "Failed"],
            default="TerminatingOrFailed",
        ),
        managedBy=text(
            "Controller that runs the job, if not the built-in one; cannot be changed.", maxLength=63
        ),
        required=("template",),
    ),
    status=record(
        "The job's state.",
        conditions=array(
            _CONDITION,
            "Latest observations.",
            **{
                "x-kubernetes-list-type": "atomic",
                "x-kubernetes-patch-merge-key": "type",
                "x-kubernetes-patch-strategy": "merge",
            },
        ),
        startTime=time("When the job began."),
        completionTime=time("When the job succeeded."),
        active=integer("Pods that run."),
        ready=integer("Pods that are ready."),
        terminating=integer("Pods that end."),
        succeeded=integer("Pods that succeeded."),
        failed=integer("Pods that failed."),
        completedIndexes=text("Indexes that succeeded."),
        failedIndexes=text("Indexes that failed."),
        uncountedTerminatedPods=anything("Pods that ended and are not counted yet."),
    ),
    required=("spec",),
)
