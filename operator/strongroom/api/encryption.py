"""How artifacts are made unreadable to all but the holders of a private key."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from strongroom.api.fields import Fields, SecretKeyReference, StrictFields
from strongroom.api.rules import rule, with_rules

EncryptionKind = Literal["age", "gpg", "openssl"]
Opener = Literal["PrivateKey", "Passphrase"]


class AgeEncryption(Fields):
    """age (https://age-encryption.org/v1), to one or several recipients, or with a passphrase."""

    model_config = with_rules(
        rule(
            "has(self.recipients) != has(self.passphraseSecret)",
            "needs exactly one of recipients and passphraseSecret",
        ),
    )

    recipients: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=4096)]], Field(min_length=1, max_length=16)
        ]
        | None
    ) = Field(
        default=None,
        description="Public keys: age1… (X25519) or an SSH public key (ssh-ed25519, ssh-rsa). Any one of their private keys decrypts.",
    )
    passphrase_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding a passphrase, one line. Whoever has this Secret, the host among them, can read the backups: recipients are better.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> "AgeEncryption":
        if (self.recipients is None) == (self.passphrase_secret is None):
            raise ValueError("needs exactly one of recipients and passphraseSecret")
        return self


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
        rule(
            "!has(self.verificationKeySecret) || !(has(self.openssl) || has(self.age) && has(self.age.passphraseSecret))",
            "verificationKeySecret has no meaning with a passphrase, which decrypts, too",
        ),
    )

    age: AgeEncryption | None = Field(default=None, description="Encrypt with age.")
    gpg: GpgEncryption | None = Field(default=None, description="Encrypt with OpenPGP.")
    openssl: OpensslEncryption | None = Field(
        default=None, description="Encrypt with OpenSSL and a passphrase."
    )
    verification_key_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding a private key (an age or SSH identity, an OpenPGP private key) without a passphrase. With it each copy is decrypted and its plain bytes are compared; without it the stored bytes are. Whoever has this Secret can read the backups.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "Encryption":
        if sum(kind is not None for kind in (self.age, self.gpg, self.openssl)) != 1:
            raise ValueError("needs exactly one of age, gpg and openssl")
        by_passphrase = self.openssl or (self.age and self.age.passphrase_secret)
        if self.verification_key_secret is not None and by_passphrase:
            raise ValueError("verificationKeySecret has no meaning with a passphrase, which decrypts, too")
        return self


class AppliedEncryption(StrictFields):
    """How the files of a recovery point were encrypted: what is needed to choose a key, and no secret."""

    kind: EncryptionKind = Field(description="age, gpg or openssl: the stock tool that decrypts.")
    key_ids: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=256)] = Field(
        default_factory=list,
        description="Any one of these keys decrypts: age recipients, fingerprints of SSH keys (SHA256:…) or of OpenPGP keys.",
    )
    opened_by: Opener | None = Field(
        default=None, description="Whether a private key or the passphrase decrypts."
    )
    iterations: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="PBKDF2 iterations (openssl)."
    )
    authentication_salt: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = Field(
        default=None,
        description="Salt of the key of the files' HMAC-SHA256 (openssl): 32 bytes of PBKDF2-HMAC-SHA256 of the passphrase, with the same iterations.",
    )
