"""The server's own certificate authority, and the leaf certificate that it renews before it ends."""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=60)
_SKEW = timedelta(minutes=5)
Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Certificates:
    """Files that a TLS server needs, and the CA that its clients need."""

    ca: Path
    certificate: Path
    key: Path


def ensure_certificates(directory: Path, hosts: Sequence[str], now: datetime) -> Certificates:
    """Make what is missing, renew a leaf that ends soon or lacks one of `hosts`; a CA that exists is kept."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = Certificates(directory / "ca.crt", directory / "server.crt", directory / "server.key")
    ca_key_path = directory / "ca.key"
    if not (found.ca.exists() and ca_key_path.exists()):
        key, certificate = _build_ca(now)
        write_private(ca_key_path, encode_key(key))
        write_private(found.ca, certificate.public_bytes(serialization.Encoding.PEM))
    ca = x509.load_pem_x509_certificate(found.ca.read_bytes())
    if not _is_fit(found, ca, hosts, now):
        ca_key = serialization.load_pem_private_key(ca_key_path.read_bytes(), password=None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - our own file
        leaf_key, leaf = _build_leaf(ca, ca_key, hosts, now)
        write_private(found.key, encode_key(leaf_key))
        write_private(found.certificate, leaf.public_bytes(serialization.Encoding.PEM))
    return found


def write_private(path: Path, content: bytes) -> None:
    """Replace the file in one step, readable by its owner only from its first byte."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)


def _is_fit(found: Certificates, ca: x509.Certificate, hosts: Sequence[str], now: datetime) -> bool:
    if not (found.certificate.exists() and found.key.exists()):
        return False
    leaf = x509.load_pem_x509_certificate(found.certificate.read_bytes())
    key = serialization.load_pem_private_key(found.key.read_bytes(), password=None)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    fits = key.public_key() == leaf.public_key() and leaf.issuer == ca.subject
    return fits and leaf.not_valid_after_utc - now > RENEW_BEFORE and set(_names(hosts)) <= set(names)


def _build_ca(now: datetime) -> tuple[Key, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"strongroom-ca-{x509.random_serial_number():x}"[:40])]
    )
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = _builder(name, name, key, now, CA_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    return key, builder.sign(key, hashes.SHA256())


def _build_leaf(
    ca: x509.Certificate, ca_key: Key, hosts: Sequence[str], now: datetime
) -> tuple[Key, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "strongroom-apiserver")])
    builder = _builder(name, ca.subject, key, now, LEAF_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName(_names(hosts)), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return key, builder.add_extension(issuer, critical=False).sign(ca_key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _SKEW).not_valid_after(now + life)


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in dict.fromkeys(hosts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def encode_key(key: Key) -> bytes:
    """PEM, not encrypted: for files that only we may read."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
