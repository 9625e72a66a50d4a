"""Story: every credential is a canary and most of them are wrong; nothing that is said, kept or run shows any of them."""

import base64
import contextlib
import os
import secrets
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import Shop
from tests.e2e.stronghold import Stronghold, condition, policy, run, secret, store
from tests.keys import stock
from tests.s3.server import S3Server
from tests.s3.stores import bucket_spec
from tests.ssh.server import SshServer
from tests.ssh.stores import ssh_spec

pytestmark = pytest.mark.e2e
WORDS = ("s3", "ssh-password", "garbage", "passphrase", "openssl", "db")
COPIES = {
    "s3": "AuthenticationFailed",
    "sftp-key": "AuthenticationFailed",
    "sftp-password": "AuthenticationFailed",
    "rsync-key": "AuthenticationFailed",
    "rsync-locked": "KeyUnusable",
    "sftp-garbage": "KeyUnusable",
}


@dataclass
class Watch:
    """Command lines and environments of all processes, as often as one can look; of those that are old now and then."""

    seen: set[bytes] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    looks: Counter[str] = field(default_factory=Counter)

    def look(self) -> None:
        while not self.over.wait(0.02):
            for process in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - names are enough
                self.looks[process] += 1
                if self.looks[process] < 10 or self.looks[process] % 50 == 0:
                    self.read(Path("/proc", process))

    def read(self, process: Path) -> None:
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                self.seen.add((process / name).read_bytes())

    def has_run(self, program: str) -> bool:
        return any(Path(each.split(b"\0")[0].decode(errors="replace")).name == program for each in self.seen)


@contextmanager
def watching() -> Iterator[Watch]:
    watch = Watch()
    thread = threading.Thread(target=watch.look)
    thread.start()
    try:
        yield watch
    finally:
        watch.over.set()
        thread.join()


@dataclass
class Told:
    """How the runs ended, all that was kept and said, and what was run."""

    runs: dict[str, dict[str, Any]]
    said: bytes
    watch: Watch
    needles: list[bytes]


def ssh_store(name: str, server: SshServer, key: str | None, **more: Any) -> dict[str, Any]:
    kind, reference = name.split("-", maxsplit=1)[0], key and {"name": "canaries", "key": key}
    spec = ssh_spec(kind, server, name, privateKeySecret=reference, **more)  # type: ignore[arg-type]
    return {**store(Path("/"), name), "spec": {**spec, "limits": {"retryFor": "0s"}}}


def stores(s3: S3Server, server: SshServer, disk: Path) -> list[dict[str, Any]]:
    password = {"passwordSecret": {"name": "canaries", "key": "ssh-password"}}
    wrong = {"secretKeySecret": {"name": "canaries", "key": "s3"}}
    return [
        store(disk),
        {**store(disk, "s3"), "spec": bucket_spec(s3.endpoint, s3.make_bucket(), **wrong)},
        ssh_store("sftp-key", server, "unknown"),
        ssh_store("sftp-password", server, None, **password),
        ssh_store("sftp-garbage", server, "garbage"),
        ssh_store("rsync-key", server, "unknown"),
        ssh_store("rsync-locked", server, "locked"),
    ]


def policies(shop: Shop, recipient: str, signing: str) -> list[dict[str, Any]]:
    def reference(key: str) -> dict[str, str]:
        return {"name": "canaries", "key": key}

    def on(name: str, **source: Any) -> dict[str, Any]:
        shop.create_database(f"canary_{name}", table=True)
        return shop.source(databases=[f"canary_{name}"], **source)

    passphrase = {"age": {"passphraseSecret": reference("passphrase")}}
    signed = {"privateKeySecret": {"name": signing, "key": "private.pem"}}
    stale = {"age": {"recipients": [recipient]}, "verificationKeySecret": reference("age")}
    old = {"openssl": {"passphraseSecret": reference("openssl")}}
    return [
        policy("stores", on("stores"), stores=["disk", *COPIES], minCopies=1, encryption=passphrase, signing=signed),
        policy("database", on("database", passwordSecret=reference("db"))),
        policy("openssl", on("openssl"), encryption=old),
        policy("age", on("age"), encryption=stale),
        policy("signing", on("signing"), signing={"privateKeySecret": reference("garbage")}),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def told(
    hold: Stronghold, shop: Shop, s3_server: S3Server, ssh_server: SshServer, store_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Told:  # fmt: skip
    folder = tmp_path_factory.mktemp("keys")
    values = {word: f"canary-{word}-{secrets.token_hex(8)}" for word in WORDS}
    values["unknown"] = stock.ssh_pair(folder).private
    values["locked"] = stock.ssh_pair(folder, passphrase="long enough").private
    values["age"] = stock.age_pair().private
    made = hold.strongroom("keys", "init")
    assert made.returncode == 0, made.stderr
    asked = policies(shop, stock.age_pair().public, "strongroom-signing")
    names = [each["metadata"]["name"] for each in asked]
    with watching() as watch:
        hold.apply(
            secret("shop-db", password=shop.password),
            secret("canaries", **values),
            secret("vault-keys", access="admin", secret="unused"),
            *stores(s3_server, ssh_server, store_path),
            *asked,
            *(run(name, name) for name in names),
        )
        runs = {name: hold.finished_run(name) for name in names}
        said = everything(hold, store_path)
    signing = base64.b64decode(hold.get("secret", "strongroom-signing")["data"]["private.pem"]).decode()
    return Told(runs, said, watch, needles([*values.values(), shop.password, signing]))


def everything(hold: Stronghold, disk: Path) -> bytes:
    """Objects but Secrets, logs, screens, metrics, manifests, and whatever the agent keeps."""
    objects = "bp,br,bs,dh,rr,jobs,events,leases,configmaps"
    screens = [
        hold.kubectl("get", objects, "-o", "json").stdout,
        hold.kubectl("describe", "bp,br,bs").stdout,
        hold.log,
    ]
    for words in (
        ("status",),
        ("artifacts", "list"),
        ("artifacts", "verify", "stores"),
        ("stores", "check", "--timeout", "1"),
    ):
        done = hold.strongroom(*words)
        screens += [done.stdout, done.stderr]
    with urllib.request.urlopen(f"http://127.0.0.1:{hold.metrics_port}/metrics", timeout=10) as answer:
        screens.append(answer.read().decode())
    files = [
        *disk.rglob("*"),
        *(each for each in (hold.state / "agent").rglob("*") if "secrets" not in each.parts),
    ]
    kept = []
    for path in files:
        with contextlib.suppress(OSError):  # a folder, or of a Job that has been cleared away
            kept.append(path.read_bytes())
    return b"\n".join([*(each.encode() for each in screens), *kept])  # fmt: skip


def needles(values: list[str]) -> list[bytes]:
    """Each line of each secret that tells, as it is and as a Secret has it."""
    lines = [line.strip() for value in values for line in value.splitlines()]
    lines = [line for line in lines if len(line) > 12 and not line.startswith(("---", "#"))]
    return [each for line in lines for each in (line.encode(), base64.b64encode(line.encode()))]


def test_the_canaries_went_through_the_failures_of_every_kind_of_store(told: Told) -> None:
    status = told.runs["stores"]["status"]
    assert status["phase"] == "Succeeded", status["message"]
    reasons = {copy["store"]: copy.get("reason") for copy in status["copies"]}
    assert reasons == {"disk": None, **COPIES}, status["copies"]


def test_and_of_the_database_the_encryption_and_the_signature(told: Told) -> None:
    ends = {name: condition(ended, "Succeeded")["reason"] for name, ended in told.runs.items()}
    del ends["stores"]
    assert ends == {
        "database": "AuthenticationFailed",
        "openssl": "Succeeded",
        "age": "KeyUnusable",
        "signing": "KeyUnusable",
    }


def test_nothing_that_is_said_or_kept_shows_one(told: Told) -> None:
    assert len(told.needles) > len(WORDS)
    assert [needle for needle in told.needles if needle in told.said] == []


def test_no_argument_and_no_environment_of_any_process_shows_one(told: Told) -> None:
    assert [program for program in ("ssh", "pg_dump", "rsync") if not told.watch.has_run(program)] == []
    assert [needle for needle in told.needles if any(needle in each for each in told.watch.seen)] == []
