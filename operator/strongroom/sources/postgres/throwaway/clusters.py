"""A private cluster of this machine's programs: in one folder, on a socket in it, of a user without rights, dead with its worker."""

import fcntl
import os
import pwd
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.programs.children import Child
from strongroom.sources.files.confining import confine_server
from strongroom.sources.files.removing import remove_tree
from strongroom.sources.postgres.clients import Client
from strongroom.sources.postgres.connection import Connection
from strongroom.sources.postgres.network import HostPrograms, NetworkServer
from strongroom.sources.postgres.restoring.places import HostPlace
from strongroom.sources.postgres.restoring.reaching import Reach, ask_version, choose_programs
from strongroom.sources.postgres.throwaway.servers import SUPERUSER, ThrowAway, Wanted, could_not

_PORT = 5432
_START_SECONDS = 120
_STOP_SECONDS = 20
_LOOK_SECONDS = 0.05
_LOWEST_DESCRIPTOR = 64
_MOST_SHARED_BYTES = 1 << 30
_USERS = ("postgres", "nobody")
"""Who runs it where the worker is root, which the server refuses to be: the first of these."""
# The server ends when its input does, as it does with the worker; and the script ends when the server does.
_SUPERVISE = """
exec 3<&0
"$@" <&3 3<&- & server=$!
{ read -r _ <&3; kill -QUIT "$server"; } & reader=$!
exec 3<&-
wait "$server"; code=$?
kill "$reader" 2>/dev/null
exit "$code"
"""
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "port": str(_PORT),
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "60",
    "autovacuum": "off",
    "dynamic_shared_memory_type": "mmap",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_error_statement": "panic",
}


@contextmanager
def running_cluster(wanted: Wanted, clients: Sequence[Client], scratch: Path) -> Iterator[ThrowAway]:
    """A fresh cluster below `scratch`; ended and removed on leaving. ClientMissing, ClientTooOld, DrillCouldNotRun."""
    client = _find_programs(wanted, clients)
    folder = Path(os.path.realpath(scratch)) / f"cluster-{wanted.name}"
    remove_tree(os.fsencode(folder))
    folder.mkdir(mode=0o700)
    user = _find_user()
    try:
        if user is not None:
            os.chown(folder, *user)
        # By its descriptor the folder is reached whatever lies above it, and however long its path is.
        descriptor = _open_high(folder)
        try:
            cluster = _Cluster(client, folder, descriptor, user, wanted)
            cluster.make()
            with cluster.start() as process:
                try:
                    cluster.await_start(process)
                    yield cluster.reached(clients, scratch)
                finally:
                    process.close_stdin()
                    process.ends_within(_STOP_SECONDS)
        finally:
            os.close(descriptor)
    finally:
        remove_tree(os.fsencode(folder))


def _open_high(folder: Path) -> int:
    """A descriptor with a number that no shell uses for itself."""
    low = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR)
    finally:
        os.close(low)


def _find_programs(wanted: Wanted, clients: Sequence[Client]) -> Client:
    """The server's own programs lie beside its client's."""
    able = [client for client in clients if _has_server(client)]
    for client in able:
        if client.major == wanted.major:
            return client
    have = ", ".join(str(client.major) for client in able) or "none"
    raise StrongroomError(
        Reason.ClientMissing,
        f"source {wanted.source}: the backup is of PostgreSQL {wanted.major}, and the server programs on this machine are of "
        f"{have}: install postgresql-{wanted.major}, or name an image (spec.drill.image)",
    )


def _has_server(client: Client) -> bool:
    return all(os.access(client.folder / name, os.X_OK) for name in ("initdb", "postgres"))


def _find_user() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    for name in _USERS:
        with suppress(KeyError):
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
    raise could_not(f"the worker is root, and there is no user {' or '.join(_USERS)} that could run a server")


@dataclass(frozen=True)
class _Cluster:
    """One folder, and the programs that make and run it."""

    client: Client
    folder: Path
    descriptor: int
    user: tuple[int, int] | None
    wanted: Wanted

    @property
    def _data(self) -> str:
        return f"/proc/self/fd/{self.descriptor}"

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": f"{self.client.folder}:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC0"}

    def make(self) -> None:
        """Run initdb."""
        argv: list[str | Path] = [
            *(self.client.program("initdb"), "--pgdata", self._data, "--username", SUPERUSER),
            *("--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        ]
        try:
            made = Child(
                argv,
                self._environment,
                folder=b"/",
                descriptors=[self.descriptor],
                user=self.user,
            )
        except (OSError, ValueError) as error:
            raise could_not(f"{argv[0]}: {error}") from error
        with made as process:
            while process.read(1 << 16):
                pass
            if process.wait() != 0:
                raise could_not(f"initdb made no cluster: {excerpt(process.errors())}")

    def start(self) -> Child:
        """Run the server, which sees no file but its own and programs."""
        shared = max(16 << 20, min(self.wanted.memory_bytes // 4, _MOST_SHARED_BYTES))
        settings = {**_SETTINGS, "shared_buffers": f"{shared >> 10}kB"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server: list[str | Path] = [self.client.program("postgres"), "-D", self._data, *options]
        try:
            return Child(
                ["/bin/sh", "-c", _SUPERVISE, "strongroom", *server],
                self._environment,
                stdin=True,
                folder=b"/",
                descriptors=[self.descriptor],
                prepare=lambda: confine_server(os.fsencode(self.folder)),
                user=self.user,
            )
        except OSError as error:
            raise could_not(f"the throw-away server cannot be started: {error}") from error

    def await_start(self, process: Child) -> None:
        """Return when it lets us in."""
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                with self._server().open_session("postgres") as session:
                    session.rows("select 1")
            except StrongroomError as error:
                if not process.ends_within(_LOOK_SECONDS) and time.monotonic() < until:
                    continue
                process.kill()
                process.wait()
                words = excerpt(process.errors()) or error.message
                raise could_not(f"the throw-away server did not start: {words}") from error
            else:
                return

    def reached(self, clients: Sequence[Client], scratch: Path) -> ThrowAway:
        """It, with programs that read the dump."""
        server = self._server()
        version, major = ask_version(server)
        client = choose_programs(clients, self.wanted.source, major, self.wanted.dump_major)
        reach = Reach(
            server=server,
            programs=HostPrograms(client, server.connection),
            restorer=client,
            place=HostPlace(scratch, server.connection.host),
            server_major=major,
            server_version=version,
        )
        return ThrowAway(reach, self._server, lambda: shutil.disk_usage(scratch).free)

    def _server(self, user: str = SUPERUSER) -> NetworkServer:
        return NetworkServer(
            Connection(
                source=self.wanted.source,
                host=f"/proc/{os.getpid()}/fd/{self.descriptor}",
                port=_PORT,
                user=user,
                tls_mode="disable",
                ca_file=None,
                password_file=self.folder / "no-passwords",
                password_secret=None,
            )
        )
