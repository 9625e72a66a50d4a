"""Whose manifests count: the signature beside each is checked against the policy's keys, and its place against its text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from strongroom.api.fields import SecretKeyReference
from strongroom.api.manifest import Manifest
from strongroom.api.result import Signature
from strongroom.api.signing import Signing
from strongroom.pipeline.signing import (
    SIGNATURE_BYTES,
    PrivateKey,
    PublicKey,
    parse_keys,
    parse_private_key,
    parse_public_keys,
)

ReadSecret = Callable[[SecretKeyReference, str], bytes]


@dataclass(frozen=True)
class Verdict:
    """What a signature is worth; `words` go on after the recovery point's name."""

    signature: Signature
    words: str = ""


@dataclass(frozen=True)
class Trust:
    """The keys whose signatures count, by their ids, and the one that signs what is made now."""

    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    signer: PrivateKey | None = None

    def judge(
        self, prefix: str, content: bytes, manifest: Manifest, read_signature: Callable[[], bytes | None]
    ) -> Verdict:
        """What the manifest found under that prefix is worth. `content`: its very bytes; `read_signature`: None if none is there."""
        if (moved := find_move(prefix, manifest)) is not None:
            return Verdict("Invalid", moved)
        if manifest.signed_by is None:
            return _judge_unsigned(read_signature)
        signature = read_signature()
        if signature is None:
            return Verdict("Invalid", "its signature was removed")
        key = self.keys.get(manifest.signed_by)
        if key is None:
            return Verdict("Untrusted", f"it is signed by key {manifest.signed_by}, which is not trusted")
        return _judge_signed(key, content, manifest, signature)


def build_trust(signing: Signing | None, read_secret: ReadSecret) -> Trust | None:
    """The keys of a policy, before anything is read; None where it asks for no signatures.

    Raises KeyUnusable, and what `read_secret` raises; texts name the policy's field.
    """
    if signing is None:
        return None
    where = "signing.privateKeySecret"
    signer = parse_private_key(read_secret(signing.private_key_secret, where), where)
    trusted = [signer.public]
    if signing.trusted_keys_secret is not None:
        where = "signing.trustedKeysSecret"
        trusted += parse_public_keys(read_secret(signing.trusted_keys_secret, where), where)
    return Trust({key.key_id: key for key in trusted}, signer)


def gather_trust(references: Sequence[SecretKeyReference], read_secret: ReadSecret) -> Trust:
    """The keys of several Secrets, public or private, for looking only. Raises as `build_trust` does."""
    keys = []
    for place, reference in enumerate(references):
        where = f"trustedKeys[{place}]"
        keys += parse_keys(read_secret(reference, where), where)
    return Trust({key.key_id: key for key in keys})


def find_move(prefix: str, manifest: Manifest) -> str | None:
    """Words if the manifest belongs elsewhere than under that prefix; early manifests do not say where."""
    if manifest.recovery_point in (None, prefix):
        return None
    return f"its manifest belongs to {manifest.recovery_point}: it was moved, or put in the place of another"


def _judge_unsigned(read_signature: Callable[[], bytes | None]) -> Verdict:
    if read_signature() is not None:
        return Verdict("Invalid", "a signature lies beside a manifest without one: the manifest was replaced")
    return Verdict("Unsigned", "it is not signed")


def _judge_signed(key: PublicKey, content: bytes, manifest: Manifest, signature: bytes) -> Verdict:
    if len(signature) != SIGNATURE_BYTES or not key.accepts(content, signature):
        return Verdict("Invalid", f"its manifest or its signature (key {key.key_id}) was changed")
    if manifest.recovery_point is None:
        return Verdict("Invalid", "its manifest does not say where it belongs")
    return Verdict("Valid")
