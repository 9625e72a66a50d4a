"""Whom to trust: a control plane's CA, fetched from a server that is not trusted yet and known by its pin. Blocks."""

import contextlib
import hashlib
import http.client
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.api.errors import excerpt
from strongroom.kube.joinerrors import JoinFailed, JoinProblem

CALL_SECONDS = 15.0
AUTHORITY_PATH = "/cacerts"
"""Served by Strongroom's API and by k3s, to everybody."""
LARGEST_SKEW = timedelta(minutes=5)
_LARGEST_BYTES = 256 * 1024
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
# X509_V_ERR_… of OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _HAS_EXPIRED, _HOSTNAME_MISMATCH, _ADDRESS_MISMATCH = 9, 10, 62, 64


@dataclass(frozen=True)
class Authority:
    """A CA that has the wanted pin."""

    certificate: bytes
    """PEM."""
    clock_ahead: timedelta
    """How far the server's clock was ahead of ours."""


def pin_of(certificate: bytes) -> bytes:
    """SHA-256 of a certificate's (PEM) public key, as kubeadm pins it (SubjectPublicKeyInfo, DER). Raises ValueError."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def der_of(certificate: bytes) -> bytes:
    """A certificate (PEM) as DER."""
    return x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)


def split_certificates(bundle: bytes) -> list[bytes]:
    """The certificates of a PEM file, one by one."""
    return _CERTIFICATE.findall(bundle)


def fetch_authority(server: str, pin: bytes, now: datetime) -> Authority:
    """The CA of the server (URL) that has the pin; nothing secret is sent. Raises JoinFailed."""
    url = _split(server)
    answer, ahead = _fetch(url, now)
    for certificate in split_certificates(answer):
        try:
            if pin_of(certificate) == pin:
                return Authority(certificate, ahead)
        except ValueError:
            continue
    raise JoinFailed(
        JoinProblem.WrongAuthority,
        f"{server} does not show the certificate authority that the token is for (sha256:{pin.hex()}): "
        "another control plane, or somebody in between",
    )


def trust_authority(server: str, certificate: bytes, now: datetime) -> Authority:
    """A CA (DER) that is trusted already, beside the clock of the server (URL). Raises JoinFailed; ValueError for no certificate."""
    pem = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)
    _, _, ahead = _look(_split(server), now)
    return Authority(pem, ahead)


def find_trusted(server: str, bundle: bytes) -> bytes:
    """The certificate (PEM) of a bundle by which the server (URL) proves itself; the first where none does, or it is not reached."""
    certificates = split_certificates(bundle)
    for certificate in certificates:
        with contextlib.suppress(JoinFailed):
            check_server(server, Authority(certificate, timedelta(0)))
            return certificate
    return certificates[0]


def is_shown(server: str, pin: bytes) -> bool:
    """Whether the server (URL) shows the CA of that pin to everybody."""
    try:
        fetch_authority(server, pin, datetime.now(UTC))
    except JoinFailed:
        return False
    return True


def check_server(server: str, authority: Authority) -> None:
    """See that the server proves itself to the authority under the name in the URL. Raises JoinFailed."""
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    url = _split(server)
    try:
        _request(url, "/healthz", context)
    except ssl.SSLCertVerificationError as error:
        raise _explain(server, error, authority.clock_ahead) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(server, error) from error


def _explain(server: str, error: ssl.SSLCertVerificationError, ahead: timedelta) -> JoinFailed:
    if error.verify_code in (_NOT_YET_VALID, _HAS_EXPIRED):
        word = "not valid yet" if error.verify_code == _NOT_YET_VALID else "not valid any more"
        return JoinFailed(
            JoinProblem.ClockSkew,
            f"the certificate of {server} is {word} by this clock{describe_skew(ahead)}",
        )
    if error.verify_code in (_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH):
        return JoinFailed(
            JoinProblem.WrongName, f"the certificate of {server} is not for {_split(server).hostname}"
        )
    return JoinFailed(
        JoinProblem.WrongAuthority,
        f"the certificate of {server} is not its authority's: {error.verify_message}",
    )


def describe_skew(ahead: timedelta) -> str:
    """A half-sentence on the clocks when they differ by minutes, else nothing."""
    if abs(ahead) < LARGEST_SKEW:
        return ""
    way = "ahead of" if ahead > timedelta(0) else "behind"
    return f", and the control plane's clock is {round(abs(ahead).total_seconds() / 60)} min {way} it"


def _split(server: str) -> SplitResult:
    try:
        url = urlsplit(server)
        port = url.port
    except ValueError as error:
        raise JoinFailed(JoinProblem.Unreachable, f"{excerpt(server)!r} is no URL") from error
    if url.scheme != "https" or not url.hostname or port == 0:
        raise JoinFailed(
            JoinProblem.Unreachable, f"{excerpt(server)!r} is no URL such as https://vault.example:16443"
        )
    return url


def _fetch(url: SplitResult, now: datetime) -> tuple[bytes, timedelta]:
    """What the server shows as its CA, and how far its clock is ahead of ours."""
    status, body, ahead = _look(url, now)
    if status != 200:
        why = f"{url.geturl()} answers {status} to {AUTHORITY_PATH}: it is no Strongroom control plane"
        raise JoinFailed(JoinProblem.WrongAuthority, why)
    return body, ahead


def _look(url: SplitResult, now: datetime) -> tuple[int, bytes, timedelta]:
    """Status and body of what shows the CA, and how far the server's clock is ahead of ours."""
    # Not verified on purpose: what comes is believed only if it has the pin, and nothing is sent that anybody may not read.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        status, date, body = _request(url, AUTHORITY_PATH, context)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url.geturl(), error) from error
    try:
        ahead = parsedate_to_datetime(date) - now
    except (ValueError, TypeError):
        ahead = timedelta(0)
    return status, body, ahead


def _request(url: SplitResult, path: str, context: ssl.SSLContext) -> tuple[int, str, bytes]:
    assert url.hostname  # noqa: S101 - seen by `_split`
    connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=CALL_SECONDS, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("date", ""), answer.read(_LARGEST_BYTES)
    finally:
        connection.close()


def _unreachable(server: str, error: Exception) -> JoinFailed:
    why = excerpt(str(error) or type(error).__name__)
    return JoinFailed(JoinProblem.Unreachable, f"{server} cannot be reached: {why}")
