"""What is wrong with a bucket, its credentials or its server is told by reason and by the field to look at."""

import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.s3.faults import FaultyProxy, faulty_proxy
from tests.s3.server import S3Server
from tests.s3.stores import IMPATIENT, QUICK, bucket_spec, open_bucket, write_keys

from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.opening import open_store
from strongroom.stores.s3.connecting import connect
from strongroom.stores.s3.store import BucketStore
from strongroom.worker.secretfiles import SecretFiles

KEY = "a/key"


@pytest.fixture
def proxy(s3_server: S3Server):
    with faulty_proxy(s3_server.port) as proxy:
        yield proxy


def failure_of(store: BucketStore) -> StrongroomError:
    """What is wrong with it, as a probe, a write and a deletion find."""
    with pytest.raises(StrongroomError) as caught:
        use(store)
    return caught.value


def use(store: BucketStore) -> None:
    store.probe()
    with store.create(KEY) as writer:
        writer.write(b"content")
        writer.commit()
    store.delete(KEY)


def told(store: BucketStore) -> tuple[Reason, str]:
    """Reason and field."""
    failure = failure_of(store)
    return failure.reason, failure.message.split(":")[0].split(" ")[0]


def test_a_bucket_that_is_missing_is_never_made(s3_server: S3Server, tmp_path: Path) -> None:
    assert told(open_bucket(tmp_path, s3_server, "no-such-bucket")) == (Reason.StoreMissing, "s3.bucket")
    assert all(found["Name"] != "no-such-bucket" for found in s3_server.client().list_buckets()["Buckets"])


def test_a_wrong_secret_key_is_told_and_not_shown(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path
) -> None:
    store = open_bucket(tmp_path, s3_server, s3_bucket)
    (tmp_path / "vault-keys" / "secret").write_text("canary-of-a-wrong-key")
    failure = failure_of(store)
    assert (failure.reason, "s3.secretKeySecret" in failure.message) == (Reason.AuthenticationFailed, True)
    assert "canary" not in failure.message


def test_an_unknown_access_key_is_told(s3_server: S3Server, s3_bucket: str, tmp_path: Path) -> None:
    store = open_bucket(tmp_path, s3_server, s3_bucket)
    (tmp_path / "vault-keys" / "access").write_text("nobody")
    assert told(store) == (Reason.AuthenticationFailed, "s3.accessKeySecret")


@pytest.mark.parametrize("content", ["", "\n", "two\nlines"])
def test_a_secret_that_holds_no_key_is_told(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path, content: str
) -> None:
    store = open_bucket(tmp_path, s3_server, s3_bucket)
    (tmp_path / "vault-keys" / "secret").write_text(content)
    assert told(store) == (Reason.AuthenticationFailed, "s3.secretKeySecret")


def test_a_secret_that_is_missing_fails_this_store_when_it_is_used(tmp_path: Path) -> None:
    spec = BackupStoreSpec.model_validate(bucket_spec("http://127.0.0.1:1", "bucket"))
    store = open_store("vault", spec, SecretFiles(tmp_path))
    with pytest.raises(
        StrongroomError, match=r"s3\.accessKeySecret: Secret vault-keys does not exist"
    ) as caught:
        store.probe()
    assert caught.value.reason is Reason.SecretMissing


@pytest.mark.parametrize(("user", "permission"), [("writer", "s3:ListBucket"), ("reader", "s3:PutObject")])
def test_a_permission_that_is_missing_is_named(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path, user: str, permission: str
) -> None:
    failure = failure_of(open_bucket(tmp_path, s3_server, s3_bucket, user=user))
    assert failure.reason is Reason.StoreDenied
    assert permission in failure.message


def test_a_server_that_is_away_is_told(s3_server: S3Server, tmp_path: Path) -> None:
    store = open_bucket(tmp_path, s3_server, "bucket", endpoint="http://127.0.0.1:9")
    assert told(store) == (Reason.StoreUnreachable, "s3.endpoint")


@pytest.mark.parametrize(
    ("operation", "status", "code", "reason", "field"),
    [
        ("ListObjectsV2", 403, "RequestTimeTooSkewed", Reason.ClockSkewed, "s3.endpoint"),
        ("ListObjectsV2", 400, "ExpiredToken", Reason.AuthenticationFailed, "s3.accessKeySecret"),
        ("ListObjectsV2", 400, "AuthorizationHeaderMalformed", Reason.InvalidSpec, "s3.region"),
        ("ListObjectsV2", 503, "SlowDown", Reason.StoreUnreachable, "s3.endpoint"),
        ("ListObjectsV2", 429, "TooManyRequests", Reason.StoreUnreachable, "s3.endpoint"),
        ("ListObjectsV2", 500, "InternalError", Reason.StoreUnreachable, "s3.endpoint"),
        ("ListObjectsV2", 418, "Teapot", Reason.StoreFailed, "s3.bucket"),
        ("PutObject", 403, "AccessDenied", Reason.StoreDenied, "s3.bucket"),
        ("PutObject", 507, "InsufficientStorage", Reason.StoreFull, "s3.bucket"),
        ("PutObject", 403, "QuotaExceeded", Reason.StoreFull, "s3.bucket"),
        ("PutObject", 409, "ConditionalRequestConflict", Reason.StoreFailed, "s3.bucket"),
        ("PutObject", 404, "NoSuchBucket", Reason.StoreMissing, "s3.bucket"),
        ("DeleteObject", 403, "AccessDenied", Reason.StoreDenied, "s3.bucket"),
        ("HeadObject", 403, "", Reason.StoreDenied, "s3.bucket"),
        ("HeadObject", 503, "", Reason.StoreUnreachable, "s3.endpoint"),
    ],
)
def test_the_servers_words_have_a_reason_and_a_field(
    s3_server: S3Server,
    s3_bucket: str,
    tmp_path: Path,
    proxy: FaultyProxy,
    operation: str,
    status: int,
    code: str,
    reason: Reason,
    field: str,
) -> None:
    proxy.fail(operation, status=status, code=code)
    assert told(open_bucket(tmp_path, s3_server, s3_bucket, endpoint=proxy.endpoint)) == (reason, field)


@pytest.mark.parametrize("act", ["reset", "stall"])
def test_silence_and_broken_connections_end(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path, proxy: FaultyProxy, act: str
) -> None:
    proxy.fail("ListObjectsV2", act)  # type: ignore[arg-type]
    store = open_bucket(tmp_path, s3_server, s3_bucket, endpoint=proxy.endpoint, patience=IMPATIENT)
    assert told(store) == (Reason.StoreUnreachable, "s3.endpoint")


@pytest.mark.parametrize(
    "operation", ["ListObjectVersions", "GetBucketVersioning", "GetObjectLockConfiguration"]
)
@pytest.mark.parametrize("status", [403, 501])
def test_what_a_server_does_not_know_or_does_not_show_is_done_without(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path, proxy: FaultyProxy, operation: str, status: int
) -> None:
    proxy.fail(operation, status=status, code="NotImplemented" if status == 501 else "AccessDenied")
    store = open_bucket(tmp_path, s3_server, s3_bucket, endpoint=proxy.endpoint, prefix=tmp_path.name)
    store.probe()
    with store.create(KEY) as writer:
        writer.commit()
    store.delete(KEY)
    assert list(store.list()) == []


class _Website(BaseHTTPRequestHandler):
    """No S3 server at all."""

    def do_GET(self) -> None:
        page = b"<html><body>Welcome"
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def website(tmp_path: Path):
    """Port of a web server with a certificate of its own, which is `tmp_path/cert.pem`."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -days 2"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with HTTPServer(("127.0.0.1", 0), _Website) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_certificate_is_trusted_by_the_secret_alone(
    s3_server: S3Server, tmp_path: Path, website: int
) -> None:
    endpoint = f"https://127.0.0.1:{website}"
    assert told(open_bucket(tmp_path, s3_server, "bucket", endpoint=endpoint)) == (
        Reason.TlsFailed,
        "s3.caSecret",
    )
    authority = {"name": "vault-keys", "key": "ca"}
    trusting = open_bucket(tmp_path, s3_server, "bucket", endpoint=endpoint, caSecret=authority)
    (tmp_path / "vault-keys" / "ca").write_bytes((tmp_path / "cert.pem").read_bytes())
    # Trusted now, it turns out to be no S3 server.
    assert "is no S3 server" in failure_of(trusting).message


def test_a_secret_without_certificates_is_told(s3_server: S3Server, tmp_path: Path, website: int) -> None:
    authority = {"name": "vault-keys", "key": "ca"}
    endpoint = f"https://127.0.0.1:{website}"
    store = open_bucket(tmp_path, s3_server, "bucket", endpoint=endpoint, caSecret=authority)
    (tmp_path / "vault-keys" / "ca").write_text("no certificate")
    assert told(store) == (Reason.TlsFailed, "s3.caSecret")


def test_without_secrets_the_hosts_own_credentials_are_used(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "credentials"
    words = f"[default]\naws_access_key_id = admin\naws_secret_access_key = {s3_server.secret_key()}\n"
    own.write_text(words)
    spec = BackupStoreSpec.model_validate({"s3": {"bucket": s3_bucket, "endpoint": s3_server.endpoint}}).s3
    assert spec is not None
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(own))
    BucketStore(spec, None, lambda: connect(spec, SecretFiles(tmp_path), QUICK)).probe()
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    nobody = BucketStore(spec, None, lambda: connect(spec, SecretFiles(tmp_path), QUICK))
    assert told(nobody) == (Reason.AuthenticationFailed, "s3.accessKeySecret")


def test_addresses_in_path_or_host(tmp_path: Path, s3_server: S3Server) -> None:
    secrets = write_keys(tmp_path, s3_server)

    def url(**more: object) -> str:
        spec = BackupStoreSpec.model_validate(bucket_spec("https://s3.example:9000", "vault", **more)).s3
        assert spec is not None
        return connect(spec, secrets, QUICK).generate_presigned_url(
            "get_object", Params={"Bucket": "vault", "Key": "k"}
        )

    assert url().startswith("https://s3.example:9000/vault/k?")
    assert url(pathStyle=False).startswith("https://vault.s3.example:9000/k?")
