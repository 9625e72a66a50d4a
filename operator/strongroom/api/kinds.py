"""The five kinds: names, models, columns. The one list that CRDs, controllers and clients read."""

from dataclasses import dataclass, field

from strongroom.api.backuppolicy import BackupPolicySpec, BackupPolicyStatus
from strongroom.api.backuprun import BackupRunSpec, BackupRunStatus
from strongroom.api.backupstore import BackupStoreSpec, BackupStoreStatus
from strongroom.api.dockerhost import DockerHostSpec, DockerHostStatus
from strongroom.api.fields import Fields
from strongroom.api.restorerequest import RestoreRequestSpec, RestoreRequestStatus


@dataclass(frozen=True)
class Column:
    """A printer column: what `kubectl get` shows; `wide` ones only with -o wide."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False
    description: str = ""


@dataclass(frozen=True)
class Kind:
    """One custom resource."""

    kind: str
    plural: str
    short_name: str
    description: str
    spec: type[Fields]
    status: type[Fields]
    columns: tuple[Column, ...] = field(default=())

    @property
    def singular(self) -> str:
        """Lower-case singular, as in `kubectl get backuppolicy`."""
        return self.kind.lower()


def _condition(type_: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].status'


AGE = Column("Age", ".metadata.creationTimestamp", "date")

BACKUP_POLICY = Kind(
    "BackupPolicy",
    "backuppolicies",
    "bp",
    "What is backed up, when, where to and how long it is kept; and whether all that is so now.",
    BackupPolicySpec,
    BackupPolicyStatus,
    (
        Column("Schedule", ".spec.schedule"),
        Column("Ready", _condition("Ready"), description="The policy can be carried out."),
        Column("Fresh", _condition("Fresh"), description="The last verified backup is young enough."),
        Column(
            "3-2-1",
            _condition("CopiesSatisfied"),
            description="Three copies, two kinds of media, one offsite; each verified and young enough.",
        ),
        Column(
            "Drilled",
            _condition("Drilled"),
            description="A backup was restored lately, and as it should be; empty without spec.drill.",
        ),
        Column(
            "Last Success",
            ".status.lastSuccess.time",
            "date",
            description="Age of the newest verified backup.",
        ),
        Column("Last Run", ".status.lastRunPhase", description="Phase of the newest finished run."),
        Column("Next", ".status.nextScheduleTime", description="When the next run starts."),
        Column(
            "Points", ".status.artifactCount", "integer", description="Recovery points in the first store."
        ),
        Column("Suspended", ".spec.suspend", "boolean", wide=True),
        Column("Host", ".spec.host", wide=True),
        Column(
            "Bytes",
            ".status.totalBytes",
            "integer",
            wide=True,
            description="Stored bytes of the recovery points.",
        ),
        Column("Message", ".status.message", wide=True),
        AGE,
    ),
)
BACKUP_RUN = Kind(
    "BackupRun",
    "backupruns",
    "br",
    "One recovery point being made, and what became of it. `kubectl create` one for a backup by hand.",
    BackupRunSpec,
    BackupRunStatus,
    (
        Column("Policy", ".spec.policy"),
        Column("Reason", ".spec.reason"),
        Column("Phase", ".status.phase"),
        Column(
            "Result",
            '.status.conditions[?(@.type=="Succeeded")].reason',
            description="Why it ended as it did.",
        ),
        Column(
            "3-2-1",
            _condition("CopiesSatisfied"),
            wide=True,
            description="Three copies, two kinds of media, one offsite.",
        ),
        Column("Bytes", ".status.sizeBytes", "integer", description="Stored bytes, one copy."),
        Column("Seconds", ".status.durationSeconds", "number", description="How long it took."),
        Column(
            "Completed",
            ".status.completionTime",
            "date",
            wide=True,
            description="When the run ended: of one found in a store long before it was made here.",
        ),
        Column("Hold", ".spec.hold", "boolean", wide=True),
        Column(
            "Pruned",
            ".status.prunedTime",
            "date",
            description="When retention deleted the artifacts.",
        ),
        Column("Message", ".status.message", wide=True),
        AGE,
    ),
)
RESTORE_REQUEST = Kind(
    "RestoreRequest",
    "restorerequests",
    "rr",
    "What is restored, from which backup, to where, and each step of it.",
    RestoreRequestSpec,
    RestoreRequestStatus,
    (
        Column("Mode", ".spec.target.mode"),
        Column("Run", ".status.plan.run", description="Run whose backup is restored."),
        Column("Phase", ".status.phase"),
        Column(
            "Result",
            '.status.conditions[?(@.type=="Succeeded")].reason',
            description="Why it ended as it did, or what it waits for.",
        ),
        Column(
            "Seconds", ".status.restoreSeconds", "number", description="Until the application was healthy."
        ),
        Column(
            "Confirm", ".status.plan.confirmation", wide=True, description="What spec.confirm must equal."
        ),
        Column("Safety", ".status.safetyRun", wide=True, description="Run that holds the state before."),
        Column(
            "Dropped",
            ".status.droppedTime",
            "date",
            wide=True,
            description="When what was replaced was dropped.",
        ),
        Column("Message", ".status.message", wide=True),
        AGE,
    ),
)
BACKUP_STORE = Kind(
    "BackupStore",
    "backupstores",
    "bs",
    "A place that keeps copies, and how it is.",
    BackupStoreSpec,
    BackupStoreStatus,
    (
        Column("Type", ".status.type"),
        Column("Ready", _condition("Ready"), description="It can be listed and written."),
        Column("Media", ".spec.media"),
        Column("Offsite", ".spec.offsite", "boolean"),
        Column("Points", ".status.artifactCount", "integer", description="Recovery points, all policies."),
        Column("Bytes", ".status.totalBytes", "integer"),
        Column("Free", ".status.freeBytes", "integer", wide=True),
        Column("Contact", ".status.lastContactTime", "date", description="When a Job last reached it."),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        AGE,
    ),
)
DOCKER_HOST = Kind(
    "DockerHost",
    "dockerhosts",
    "dh",
    "A machine whose agent runs Jobs. The agent registers it and keeps its Lease.",
    DockerHostSpec,
    DockerHostStatus,
    (
        Column("Ready", _condition("Ready"), description="The agent is alive."),
        Column("Agent", ".status.agentVersion"),
        Column("Engine", ".status.engine.version"),
        Column("Isolation", ".status.isolation"),
        Column("Jobs", ".status.runningJobs", "integer"),
        Column(
            "Covered",
            _condition("DatabasesCovered"),
            description="A policy backs up every database found in a container.",
        ),
        Column("Heartbeat", ".status.lastHeartbeatTime", "date"),
        Column(
            "Uncovered",
            ".status.uncovered",
            wide=True,
            description="Containers of the databases that no policy backs up.",
        ),
        Column("System", ".status.operatingSystem", wide=True),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        AGE,
    ),
)
KINDS: tuple[Kind, ...] = (BACKUP_POLICY, BACKUP_RUN, RESTORE_REQUEST, BACKUP_STORE, DOCKER_HOST)
