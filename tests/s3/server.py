"""A private SeaweedFS on loopback, and what tests ask of it beside the store."""

import contextlib
import functools
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import urllib3
from botocore.config import Config

PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")  # fmt: skip
OPEN_BUCKET = "open"
"""Anybody may do everything in it: signatures are not looked at, so that a proxy may change requests."""
USERS = {
    "admin": ["Admin"],
    "reader": ["Read", "List"],
    "writer": ["Read", "Write"],
    "anonymous": [f"{action}:{OPEN_BUCKET}" for action in ("Admin", "Read", "Write", "List")],
}
GROWTH = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
"""Files that a bucket begins with: each test has a bucket."""
_START_SECONDS = 60


@dataclass(frozen=True)
class S3Server:
    """A running server. Each user's keys are its name and `secret-` with it and a word of this server's."""

    port: int
    word: str
    address: str = "127.0.0.1"

    @property
    def endpoint(self) -> str:
        return f"http://{self.address}:{self.port}"

    def secret_key(self, user: str = "admin") -> str:
        return f"secret-{user}-{self.word}"

    @functools.lru_cache  # noqa: B019  one server for each process of tests
    def client(self, user: str = "admin") -> Any:
        """Another client than the store's: a test's own eyes."""
        return boto3.session.Session(user, self.secret_key(user), region_name="us-east-1").client(
            "s3", endpoint_url=self.endpoint, config=Config(s3={"addressing_style": "path"})
        )

    def make_bucket(self, *, locks: bool = False, versions: bool = False) -> str:
        name = f"bucket-{secrets.token_hex(6)}"
        client = self.client()
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        if versions:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def objects(self, bucket: str, prefix: str = "") -> dict[str, int]:
        """Names and sizes of all that is visible."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", [])}

    def content(self, bucket: str, name: str) -> bytes:
        content: bytes = self.client().get_object(Bucket=bucket, Key=name)["Body"].read()
        return content

    def versions(self, bucket: str, prefix: str = "") -> list[str]:
        """One name for each version and each marker of a deletion."""
        page = self.client().list_object_versions(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", []))]

    def uploads(self, bucket: str) -> list[tuple[str, str]]:
        """Key and id of every unfinished upload."""
        page = self.client().list_multipart_uploads(Bucket=bucket)
        return [(upload["Key"], upload["UploadId"]) for upload in page.get("Uploads", [])]


@contextmanager
def running_s3(folder: Path, address: str = "127.0.0.1") -> Iterator[S3Server]:
    """A server with its data in that folder, stopped at the end; on another address than loopback for those who do not reach it."""
    word = secrets.token_hex(8)
    identities = [
        {
            "name": user,
            "actions": actions,
            "credentials": []
            if user == "anonymous"
            else [{"accessKey": user, "secretKey": f"secret-{user}-{word}"}],
        }
        for user, actions in USERS.items()
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    with (folder / "log").open("wb") as log:
        for _ in range(3):
            ports = _free_ports(address)
            process = subprocess.Popen(
                _command(folder, ports, address),
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **GROWTH},
            )
            server = S3Server(ports["s3.port"], word, address)
            try:
                if _answers(process, server.endpoint):
                    server.client().create_bucket(Bucket=OPEN_BUCKET)
                    yield server
                    return
            finally:
                _stop(process, ports)
    raise AssertionError((folder / "log").read_text()[-2000:])


def _command(folder: Path, ports: dict[str, int], address: str) -> list[str]:
    options = {
        "dir": str(folder),
        "ip": address,
        "ip.bind": address,
        "s3.config": str(folder / "s3.json"),
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.iam": "false",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 1024,
        "master.volumePreallocate": "false",
        "volume.max": 10_000,
        **ports,
    }
    weed = Path(sys.executable).with_name("weed")
    return [str(weed), "server", "-s3", "-filer", *(f"-{name}={value}" for name, value in options.items())]


def _free_ports(address: str) -> dict[str, int]:
    """One for each, all held until the last is known. Another process may be faster: the start is tried again."""
    with ExitStack() as held:
        sockets = {name: held.enter_context(socket.socket()) for name in PORTS}
        for each in sockets.values():
            each.bind((address, 0))
        return {name: each.getsockname()[1] for name, each in sockets.items()}


def _answers(process: "subprocess.Popen[bytes]", endpoint: str) -> bool:
    """Whether the server answers before it ends, or the time is over."""
    deadline = time.monotonic() + _START_SECONDS
    with urllib3.PoolManager(retries=False) as pool:
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                return pool.request("GET", f"{endpoint}/", timeout=5).status < 500
            time.sleep(0.1)
    return False


def _stop(process: "subprocess.Popen[bytes]", ports: dict[str, int]) -> None:
    """At once: nobody wants the data. Then remove the sockets that it keeps beside its ports, whatever its folder is."""
    process.kill()
    process.wait()
    for port in ports.values():
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            path.unlink(missing_ok=True)
