"""How artifacts are made unreadable to all but the holders of a private key."""

from typing import Annotated

from pydantic import Field, model_validator

from strongroom.api.fields import Fields, SecretKeyReference
from strongroom.api.rules import rule, with_rules


class AgeEncryption(Fields):
    """age (https://age-encryption.org/v1), to one or several recipients."""

    recipients: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=4096)]], Field(min_length=1, max_length=16)
    ] = Field(description="Public keys: age1… or an SSH public key. Any one of their private keys decrypts.")


class GpgEncryption(Fields):
    """OpenPGP public keys, by the real gpg in an isolated home."""

    public_key_secrets: Annotated[list[SecretKeyReference], Field(min_length=1, max_length=16)] = Field(
        description="Secret keys holding armored public keys. Any one of their private keys decrypts."
    )


class OpensslEncryption(Fields):
    """openssl enc -aes-256-cbc -pbkdf2 with a passphrase: for compatibility, as it does not authenticate."""

    passphrase_secret: SecretKeyReference = Field(description="Secret key holding the passphrase.")
    iterations: Annotated[int, Field(ge=10_000, le=10_000_000)] = Field(
        default=600_000, description="PBKDF2 iterations."
    )


class Encryption(Fields):
    """At most one kind of encryption."""

    model_config = with_rules(
        rule(
            "[has(self.age), has(self.gpg), has(self.openssl)].filter(x, x).size() == 1",
            "needs exactly one of age, gpg and openssl",
        ),
    )

    age: AgeEncryption | None = Field(default=None, description="Encrypt with age.")
    gpg: GpgEncryption | None = Field(default=None, description="Encrypt with OpenPGP.")
    openssl: OpensslEncryption | None = Field(
        default=None, description="Encrypt with OpenSSL and a passphrase."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "Encryption":
        if sum(kind is not None for kind in (self.age, self.gpg, self.openssl)) != 1:
            raise ValueError("needs exactly one of age, gpg and openssl")
        return self
