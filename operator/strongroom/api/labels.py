"""Labels and annotations that Strongroom writes, and the name it manages Jobs under."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGER = "strongroom"

POLICY_LABEL = "strongroom.dev/policy"
"""On BackupRuns and Jobs: the name of their policy."""
RUN_LABEL = "strongroom.dev/run"
"""On Jobs: the name of the BackupRun that they carry out."""
REQUEST_LABEL = "strongroom.dev/restore"
"""On Jobs and Safety runs: the name of the RestoreRequest that they serve."""
HOST_LABEL = "strongroom.dev/host"
"""On Jobs: the DockerHost whose agent claims them."""
HOST_NAMESPACE_LABEL = "strongroom.dev/host-namespace"
"""On Jobs: the namespace of that DockerHost."""
STORE_LABEL = "strongroom.dev/store"
"""On Jobs that look at a store (checks, catalogues): the BackupStore."""
FOUND_LABEL = "strongroom.dev/found-in"
"""On BackupRuns that were rebuilt from a manifest: the BackupStore that it was found in. Such a run is never started."""
ORIGIN_RUN_ANNOTATION = "strongroom.dev/origin-run"
ORIGIN_UID_ANNOTATION = "strongroom.dev/origin-run-uid"
"""On rebuilt BackupRuns: name and uid of the run that made the backup, as its manifest says."""

SYNC_REQUESTED_ANNOTATION = "strongroom.dev/sync-requested"
CHECK_REQUESTED_ANNOTATION = "strongroom.dev/check-requested"
"""On BackupStores: anything new (the time, by custom) asks for a sync of its catalogue, or for a check."""
ADOPT_ANNOTATION = "strongroom.dev/adopt-history"
"""On BackupPolicies: uids, separated by commas, of earlier policies whose backups its retention may count and delete."""

AGENT_MANAGER = "strongroom.dev/agent"
"""`spec.managedBy` of a Job that an agent runs: a cluster's own Job controller leaves it alone."""
NO_NODE = {"strongroom.dev/runs-on": "docker-host"}
"""Node selector of such a Job's pods, which no node has: for clusters before 1.32, which drop `managedBy`."""

WORK_ORDER_ANNOTATION = "strongroom.dev/work-order"
"""On a Job's pod template: the work order (JSON). A cluster projects it into a file by the downward API."""
RESULT_ANNOTATION = "strongroom.dev/result"
"""On a Job: the worker's result (JSON), written once by the agent."""
PROGRESS_ANNOTATION = "strongroom.dev/progress"
"""On a Job: the worker's last progress line (JSON), written at most every 5 s."""
CLAIM_ANNOTATION = "strongroom.dev/claimed-by"
"""On a Job: the identity of the agent process that runs it."""

AGENT_LABEL = "strongroom.dev/agent"
JOB_LABEL = "strongroom.dev/job"
ATTEMPT_LABEL = "strongroom.dev/attempt"
"""On containers of workers: the agent's identity, the Job's uid, the attempt's number."""

DRILL_LABEL = "strongroom.dev/drill"
"""On throw-away containers: identity of the drill's order."""

RESTORE_LABEL = "strongroom.dev/restore"
"""On volumes that a restore has made: `<namespace>.<name>` of its RestoreRequest."""

COMPOSE_PROJECT_LABEL = "com.docker.compose.project"
COMPOSE_SERVICE_LABEL = "com.docker.compose.service"
COMPOSE_NUMBER_LABEL = "com.docker.compose.container-number"
COMPOSE_ONEOFF_LABEL = "com.docker.compose.oneoff"
COMPOSE_DEPENDS_ON_LABEL = "com.docker.compose.depends_on"
COMPOSE_FOLDER_LABEL = "com.docker.compose.project.working_dir"
COMPOSE_FILES_LABEL = "com.docker.compose.project.config_files"
COMPOSE_ENVIRONMENT_FILE_LABEL = "com.docker.compose.project.environment_file"
"""What compose writes on its containers (docker-compose 1.29 and compose v2)."""

CONTROLLER_LEASE = "strongroom-operator"
HOST_LEASE_PREFIX = "strongroom-host-"


def host_lease_name(host: str) -> str:
    """Name of the Lease that the agent of a DockerHost renews."""
    return f"{HOST_LEASE_PREFIX}{host}"
