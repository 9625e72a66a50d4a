"""What runs in a room beside Strongroom: a database with a Service, and claims with a pod in which one sees what is in them."""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.cluster.cluster import Room
from tests.e2e.kubectl import eventually
from tests.e2e.stronghold import policy, secret
from tests.integration.postgres import SHOP

_TABLES = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
_HOLDERS = "FROM pg_stat_activity WHERE application_name = 'holder'"
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%'"


@dataclass(frozen=True)
class Database:
    """A PostgreSQL of one pod, reached by others under the name of its Service, and by tests through `kubectl exec`."""

    room: Room
    password: str
    name: str = "db"

    def source(self, **changes: Any) -> dict[str, Any]:
        """A policy's `postgres` for the database `shop`."""
        reference = {"name": "shop-db", "key": "password"}
        source = {"host": self.name, "port": 5432, "user": "postgres", "passwordSecret": reference}
        return {**source, "databases": ["shop"], **changes}

    def start(self) -> None:
        """Deployment and Service; returns when it answers."""
        self.room.apply(*self._objects())
        self.room.kubectl("rollout", "status", f"deployment/{self.name}", "--timeout=100s")

    def load_shop(self, rows: int) -> None:
        self.sql("CREATE DATABASE shop", "postgres")
        self.psql("--set", f"rows={rows}", "--dbname=shop", text=SHOP.read_text())

    def sql(self, statement: str, database: str = "shop") -> str:
        return self.psql("-XqAt", f"--dbname={database}", "--command", statement)

    def psql(self, *arguments: str, text: str | None = None) -> str:
        words = ("psql", "-U", "postgres", "-q", "-v", "ON_ERROR_STOP=1", *arguments)
        done = self.room.kubectl("exec", "-i", f"deployment/{self.name}", "--", *words, text=text)
        return done.stdout.strip()

    def content(self, database: str = "shop") -> dict[str, str]:
        """An order-free hash of every table's rows."""
        tables = self.sql(_TABLES, database).splitlines()
        hashed = (
            "SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\"), '')) FROM {} t"
        )
        wanted = ";".join(hashed.format(table) for table in tables)
        return dict(zip(tables, self.sql(wanted, database).splitlines(), strict=True))

    @contextmanager
    def held(self, table: str) -> Iterator[None]:
        """Whoever dumps meanwhile waits at this table, and so stands in the middle of its dump."""
        statement = f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
        words = ["psql", "-U", "postgres", "-XqAt", "-d", "shop", "-c", statement]
        command = self.room.command(
            "exec", f"deployment/{self.name}", "--", "env", "PGAPPNAME=holder", *words
        )
        holder = subprocess.Popen(
            command, env=self.room.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            asleep = f"SELECT count(*) {_HOLDERS} AND wait_event = 'PgSleep'"
            eventually("the table is held", lambda: self.sql(asleep) == "1")
            yield
        finally:
            with contextlib.suppress(AssertionError):
                self.sql(f"SELECT pg_terminate_backend(pid) {_HOLDERS}")
            holder.kill()
            holder.wait(30)

    def await_dump(self) -> None:
        """Until somebody waits at a held table."""
        eventually("a dump waits at the table", lambda: self.sql(_WAITING) not in ("", "0"))

    def _objects(self) -> list[dict[str, Any]]:
        labels = {"app": self.name}
        probe = {"exec": {"command": ["pg_isready", "-q", "-h", "127.0.0.1"]}, "periodSeconds": 1}
        container = {
            "name": "postgres",
            "image": self.room.cluster.postgres_image,
            "imagePullPolicy": "IfNotPresent",
            "env": [{"name": "POSTGRES_PASSWORD", "value": self.password}],
            "readinessProbe": probe,
        }
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self.name},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.name},
            "spec": {"selector": labels, "ports": [{"port": 5432}]},
        }
        return [deployment, service]


def claimed_store(claim: str) -> dict[str, Any]:
    """A BackupStore in the claim of that name."""
    return {
        "apiVersion": "strongroom.dev/v1alpha1",
        "kind": "BackupStore",
        "metadata": {"name": claim},
        "spec": {"local": {"path": "/vault", "persistentVolumeClaim": claim}},
    }


def in_cluster(name: str, postgres: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A policy of one database that the cluster's own Jobs carry out, by default into the claim `vault`."""
    made = policy(name, postgres, **{"stores": ["vault"], **spec})
    del made["spec"]["host"]
    return made


def protected_database(room: Room, rows: int, **spec: Any) -> Database:
    """A database with the shop in it, and a policy `shop` that backs it up into the claim `vault`."""
    made = Database(room, "secret")
    made.start()
    made.load_shop(rows)
    room.cluster.make_claim(room.namespace, "vault")
    login = secret("shop-db", password=made.password)
    room.apply(claimed_store("vault"), login, in_cluster("shop", made.source(), **spec))
    return made


@dataclass(frozen=True)
class Shelf:
    """Claims, and a pod that has them mounted at `/NAME`."""

    room: Room
    claims: tuple[str, ...]

    def start(self) -> None:
        for claim in self.claims:
            self.room.cluster.make_claim(self.room.namespace, claim)
        self.room.apply(self._pod())
        self.room.kubectl("wait", "--for=condition=Ready", "pod/shelf", "--timeout=100s")

    def sh(self, script: str) -> str:
        return self.room.kubectl("exec", "shelf", "--", "sh", "-euc", script).stdout.strip()

    def _pod(self) -> dict[str, Any]:
        volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in self.claims]
        container = {
            "name": "shelf",
            "image": self.room.cluster.worker_image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sleep", "86400"],
            "securityContext": {"runAsUser": 0},
            "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in self.claims],
        }
        spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shelf"}, "spec": spec}
