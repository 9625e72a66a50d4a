"""How a manifest shows who wrote it: Ed25519 signatures that stock openssl verifies."""

from typing import Annotated

from pydantic import Field

from strongroom.api.fields import Fields, SecretKeyReference

KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""The first 16 hexadecimal digits of the SHA-256 of the public key's 32 bytes."""

SIGNING_SECRET = "strongroom-signing"  # noqa: S105 - the name of one
PRIVATE_KEY = "private.pem"
PUBLIC_KEYS = "public.pem"
"""The Secret that `strongroom keys init` makes, and its keys."""


class Signing(Fields):
    """Signatures of manifests, made by `strongroom keys init`."""

    private_key_secret: SecretKeyReference = Field(
        description="Secret key holding an Ed25519 private key (PEM, PKCS#8) without a passphrase."
    )
    trusted_keys_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding public keys (PEM, one after the other) whose signatures count, besides that of the private key: former keys, for instance.",
    )
