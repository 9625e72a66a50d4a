"""The API server refuses what our own parsing refuses of a policy's encryption, in the same words."""

import pytest
from pydantic import ValidationError

from strongroom.api.crds import build_crds
from strongroom.api.encryption import Encryption
from strongroom.apiserver.cel import compile_rules

KEY = {"name": "keys", "key": "key"}
PASSPHRASE = {"passphraseSecret": KEY}
RECIPIENTS = {"recipients": ["age1…"]}
ONE_WAY = "needs exactly one of recipients and passphraseSecret"
NO_MEANING = "verificationKeySecret has no meaning with a passphrase, which decrypts, too"


def refusals(encryption: dict) -> list[str]:
    (crd,) = [each for each in build_crds() if each["spec"]["names"]["kind"] == "BackupPolicy"]
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    schema = {
        "type": "object",
        "properties": {"encryption": spec["properties"]["encryption"]},
    }
    found = compile_rules({"type": "object", "properties": {"spec": schema}}).validate(
        {"metadata": {"name": "a"}, "spec": {"encryption": encryption}}, None
    )
    return [str(error) for error in found]


@pytest.mark.parametrize(
    "encryption",
    [
        {"age": RECIPIENTS},
        {"age": PASSPHRASE},
        {"openssl": PASSPHRASE},
        {"age": RECIPIENTS, "verificationKeySecret": KEY},
    ],
)
def test_one_way_to_encrypt_is_taken(encryption: dict) -> None:
    assert refusals(encryption) == []
    Encryption.model_validate(encryption)


@pytest.mark.parametrize(
    ("encryption", "words"),
    [
        ({"age": {}}, ONE_WAY),
        ({"age": RECIPIENTS | PASSPHRASE}, ONE_WAY),
        ({"age": PASSPHRASE, "verificationKeySecret": KEY}, NO_MEANING),
        ({"openssl": PASSPHRASE, "verificationKeySecret": KEY}, NO_MEANING),
        ({"age": PASSPHRASE, "openssl": PASSPHRASE}, "needs exactly one of age, gpg and openssl"),
    ],
)
def test_two_ways_or_none_are_refused_by_both(encryption: dict, words: str) -> None:
    (refusal,) = refusals(encryption)
    assert words in refusal
    with pytest.raises(ValidationError, match=words):
        Encryption.model_validate(encryption)
