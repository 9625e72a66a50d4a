"""The errors table: every way to fail has one name, one exit code, one retry rule and one hint.

The name is the condition's reason. The exit code is the worker's; a fatal one (`retryable` false) ends the Job at once.
Raise a StrongroomError inside; map it once at each edge.
"""

from dataclasses import dataclass
from enum import Enum

FOREIGN_TEXT_LENGTH = 256


@dataclass(frozen=True)
class ErrorKind:
    """One row of the table."""

    exit_code: int
    retryable: bool
    hint: str


class Reason(Enum):
    """Why something failed: a stable CamelCase word with its row of the table."""

    # Bad input: the resource or the order itself.
    InvalidSpec = ErrorKind(
        64, False, "Correct the field that the message names and apply the resource again."
    )
    InvalidOrder = ErrorKind(65, False, "Run operator, agent and worker of the same version.")
    Unsupported = ErrorKind(
        66, False, "This version does not act on it: remove it, or run a version that does."
    )
    ScheduleInvalid = ErrorKind(
        67, False, "Write five cron fields, such as `0 2 * * *`, or a word such as @daily."
    )
    TimeZoneInvalid = ErrorKind(68, False, "Use a name of the IANA time zone database, such as Europe/Paris.")
    PolicyNotFound = ErrorKind(
        69, False, "Create the BackupPolicy in this namespace, or correct spec.policy."
    )
    StoreNotFound = ErrorKind(70, False, "Create the BackupStore in this namespace, or correct spec.stores.")
    HostNotFound = ErrorKind(
        71,
        False,
        "Start an agent for this host, let the host serve this namespace (the DockerHost's allowedNamespaces and its agent's "
        "--serve-namespace), or correct spec.host (kubectl get dockerhosts -A).",
    )
    HostNotReady = ErrorKind(
        72, True, "Start the agent on that host: its Lease is stale (strongroom doctor)."
    )
    SecretMissing = ErrorKind(73, False, "Create the Secret in the policy's namespace.")
    SecretKeyMissing = ErrorKind(74, False, "Add the key to the Secret, or correct the reference.")
    NamespaceNotServed = ErrorKind(
        75, False, "Start the host's agent with --serve-namespace, or name another host in spec.host."
    )
    HostForbids = ErrorKind(
        76,
        False,
        "Allow it where the host's agent is started (--allow-…), on that host; or keep to what it allows.",
    )
    EncryptionRequired = ErrorKind(
        77,
        False,
        "Set spec.encryption, or allowUnencrypted: true on the source if the store may hold it in the clear.",
    )
    # The Docker Engine.
    EngineUnreachable = ErrorKind(
        78, True, "Start the Docker Engine on the host, and let the agent's user reach its socket."
    )
    EngineUnsupported = ErrorKind(79, False, "Use a Docker Engine with API 1.41 (20.10) or newer.")
    # The source.
    SourceUnreachable = ErrorKind(80, True, "Check that the server runs and that host and port are right.")
    AuthenticationFailed = ErrorKind(
        81, False, "Correct the user, or the password or key in the Secret that the message names."
    )
    PermissionDenied = ErrorKind(
        82,
        False,
        "Grant the backup role what it lacks: pg_read_all_data for tables, membership of the owner for large objects.",
    )
    DatabaseNotFound = ErrorKind(83, False, "Correct the database's name in the policy's source.")
    ClientMissing = ErrorKind(
        84,
        False,
        "Install what the message names on the host: the PostgreSQL client of the server's major version, GNU tar, gpg, openssl, ssh or rsync.",
    )
    ClientTooOld = ErrorKind(
        85, False, "Install the PostgreSQL client of the server's major version on the host."
    )
    LockTimeout = ErrorKind(86, True, "Something holds a table locked: end it, or raise lockTimeout.")
    RowSecurity = ErrorKind(87, False, "Give the backup role BYPASSRLS, or dump as the tables' owner.")
    EmptyDatabase = ErrorKind(88, False, "Check that this is the right database, or set allowEmpty: true.")
    ImplausiblySmall = ErrorKind(
        89, False, "Check the database; if the shrinking is right, lower minSizePercent for a run."
    )
    DumpFailed = ErrorKind(90, True, "Read the message: it is the producer's own.")
    DumpIncomplete = ErrorKind(91, True, "The dump ended early; look at the server's log at that time.")
    VerificationFailed = ErrorKind(
        92, True, "The backup could not be read back whole; check memory, disk and network."
    )
    TlsFailed = ErrorKind(
        93,
        False,
        "Check tls.mode and the CA certificate against the server's certificate; of an SSH server, hostKey against its key.",
    )
    SourceMissing = ErrorKind(
        94,
        False,
        "Correct the volume (with compose: <project>_<volume>) or path in the policy's source, or create it.",
    )
    SourceEmpty = ErrorKind(
        95,
        False,
        "Check that this is the right place and what include and exclude leave of it, or set allowEmpty: true.",
    )
    ReadFailed = ErrorKind(96, True, "Read the message: it names what could not be read.")
    FilesChanged = ErrorKind(
        97, False, "Stop or pause the services that write there (hooks), or set onChange: Accept."
    )
    ContainerNotFound = ErrorKind(
        98,
        True,
        "Start the service; or correct project and service, or name, in the policy, or the label in the compose file.",
    )
    ContainerAmbiguous = ErrorKind(
        99, False, "Set index to choose one container of the service, or name one."
    )
    # The stores.
    StoreMissing = ErrorKind(
        100,
        False,
        "Create the folder or mount the disk: a missing folder is never made, it may be an unmounted disk.",
    )
    StoreNotDirectory = ErrorKind(101, False, "Point the store's path to a folder.")
    StoreReadOnly = ErrorKind(
        102,
        False,
        "Make the folder writable for the user that runs the agent, or that logs in on the server.",
    )
    StoreFull = ErrorKind(103, True, "Free space in the store, or keep fewer backups.")
    StoreFailed = ErrorKind(104, True, "Read the message: it is the store's own.")
    KeyExists = ErrorKind(105, False, "Nothing was overwritten; start a new run.")
    ArtifactCorrupt = ErrorKind(106, False, "The stored bytes differ from their manifest; use another copy.")
    StoreDenied = ErrorKind(107, False, "Give the store's credentials the permission that the message names.")
    StoreUnreachable = ErrorKind(
        108,
        True,
        "Check that the store's server runs, that its address is right and that the network lets through.",
    )
    ClockSkewed = ErrorKind(109, True, "Set this machine's clock (systemctl status systemd-timesyncd).")
    StoreBehind = ErrorKind(
        119,
        True,
        "The copy is made later from a good one; if the store is always too slow, ask for fewer (minCopies) or a faster one.",
    )
    # The run.
    DeadlineExceeded = ErrorKind(110, False, "Raise the policy's deadline, or look why the source is slow.")
    WorkerLost = ErrorKind(111, True, "The worker ended without a result (killed, or out of memory).")
    PodNotStarted = ErrorKind(
        59,
        True,
        "The message is the cluster's own: mend what it names (image, Secret, claim, quota, node) and start a new run.",
    )
    Cancelled = ErrorKind(112, False, "The Job or its run was deleted while it ran.")
    TargetBusy = ErrorKind(113, True, "Another run works on the same target; this one waits for it.")
    StartingDeadlineExceeded = ErrorKind(
        114, False, "The run could not start in time; raise startingDeadline if that is too strict."
    )
    HookFailed = ErrorKind(115, True, "Read the message: it names the command or service, and what it said.")
    ImageMissing = ErrorKind(
        116,
        True,
        "Build the worker's image on the host (make image) or load it, or start its agent with --isolation process.",
    )
    KeyUnusable = ErrorKind(
        117,
        False,
        "Put a key of the right kind, valid now and without a passphrase, where the message says.",
    )
    EncryptionFailed = ErrorKind(118, True, "Read the message: it is the encrypting program's own.")
    # Catalogues.
    CopyMissing = ErrorKind(
        57,
        False,
        "Bring the files back into the store, or use another copy: strongroom artifacts show RUN.",
    )
    # Restores and drills.
    BackupNotFound = ErrorKind(
        40,
        False,
        "Name a run or a time that has a verified backup (strongroom artifacts list), or sync the store's catalogue.",
    )
    ManifestUntrusted = ErrorKind(
        41,
        False,
        "Its signature is missing, unknown or wrong: restore another copy or run, and find out who has written to the store.",
    )
    DecryptionFailed = ErrorKind(
        42, False, "Name the Secret with the private key or passphrase in spec.decryptionKeySecret."
    )
    ServerTooOld = ErrorKind(43, False, "Restore to a server of the dump's major version or a newer one.")
    ExtensionMissing = ErrorKind(44, False, "Install the extension that the message names on the server.")
    TargetExists = ErrorKind(45, False, "Choose another name, or remove what is there.")
    TargetMissing = ErrorKind(46, False, "Correct the target that the message names, or create it.")
    TargetInUse = ErrorKind(
        47,
        False,
        "Drop the prepared transactions, replication slots or subscriptions that the message names first.",
    )
    NotEnoughSpace = ErrorKind(48, False, "Free as much room as the message names, or restore elsewhere.")
    RestoreFailed = ErrorKind(
        49, False, "Read the message: it is pg_restore's or tar's own. The old state stands."
    )
    ComparisonFailed = ErrorKind(
        50,
        False,
        "What was restored differs from the manifest: restore another copy or run. The old state stands.",
    )
    HealthCheckFailed = ErrorKind(
        51,
        False,
        "The application did not become healthy on the restored state; look at its log. The old state is back.",
    )
    ArchiveRefused = ErrorKind(
        52,
        False,
        "The archive holds what must not be extracted; if it is yours and meant so, set allowSpecialFiles.",
    )
    UrlForbidden = ErrorKind(
        53,
        False,
        "Let the health check fetch an address of the host or its containers, or allow it on the host (--allow-url).",
    )
    RollBackFailed = ErrorKind(
        54,
        True,
        "The old state could not be put back by itself: the message says what stands where. Nothing was dropped.",
    )
    ConfirmationWrong = ErrorKind(
        55, False, "Set spec.confirm to exactly what status.plan.confirmation says."
    )
    DrillFailed = ErrorKind(
        56, False, "The backup did not restore as it should: look at the checks, and drill another copy."
    )
    DrillCouldNotRun = ErrorKind(
        58,
        True,
        "The throw-away environment failed, not the backup: the message says why. The drill is tried again.",
    )
    InternalError = ErrorKind(
        120, True, "This is a fault of Strongroom: please report it with the worker's log."
    )

    @property
    def exit_code(self) -> int:
        """The worker's exit code for this reason."""
        return self.value.exit_code

    @property
    def retryable(self) -> bool:
        """Whether the same order may succeed when it is tried again."""
        return self.value.retryable

    @property
    def hint(self) -> str:
        """What the user can do about it."""
        return self.value.hint


class StrongroomError(Exception):
    """A failure with its reason; the text says which object, which field, and what was found."""

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep the reason beside the text."""
        super().__init__(message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        """The text alone: the reason is shown where there is room for it."""
        return self.message


def excerpt(foreign: str, limit: int = FOREIGN_TEXT_LENGTH) -> str:
    """Foreign text (a program's stderr, a server's answer) on one line, cut to a bounded length from its end."""
    line = " ".join(foreign.split())
    return line if len(line) <= limit else "…" + line[-(limit - 1) :]


def reason_named(name: str) -> Reason | None:
    """The row of that name, or None."""
    return Reason.__members__.get(name)


def reason_of_exit_code(code: int) -> Reason | None:
    """The row of that exit code, or None."""
    return next((reason for reason in Reason if reason.exit_code == code), None)
