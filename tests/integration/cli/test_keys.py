"""`strongroom keys` against a real API server: pairs are made once, rotated without losing trust, and written where asked."""

import asyncio
import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.integration.embedded import EmbeddedApi, served

from strongroom.api.backuppolicy import BackupPolicySpec
from strongroom.cli.main import main
from strongroom.kube.connection import connect
from strongroom.kube.kinds import SECRETS
from strongroom.pipeline.signing import parse_private_key, parse_public_keys


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedApi]:
    with served(tmp_path_factory.mktemp("api") / "state") as started:
        yield started


def keys(api: EmbeddedApi, *words: str | Path) -> Result:
    return CliRunner().invoke(main, ["keys", *map(str, words), "--kubeconfig", str(api.admin)])


def held(api: EmbeddedApi, name: str) -> dict[str, bytes]:
    """The Secret's values."""

    async def get() -> dict[str, Any]:
        async with connect(api.admin) as client:
            found = await client.get(SECRETS, "default", name)
            assert found is not None
            return found

    return {key: base64.b64decode(value) for key, value in asyncio.run(get())["data"].items()}


def change(api: EmbeddedApi, name: str, **values: bytes) -> None:
    async def patch() -> None:
        data = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in values.items()}
        async with connect(api.admin) as client:
            await client.patch(SECRETS, "default", name, {"data": data})

    asyncio.run(patch())


def test_a_pair_is_made_and_what_is_printed_goes_into_a_policy(api: EmbeddedApi) -> None:
    done = keys(api, "init", "--secret", "made")
    assert done.exit_code == 0, done.output
    spec = {"sources": [{"name": "m", "files": {"volume": "media"}}], "stores": ["disk"]}
    signing = BackupPolicySpec.model_validate(spec | yaml.safe_load(done.stdout)).signing
    assert signing is not None
    assert signing.private_key_secret.name == "made"
    values = held(api, "made")
    signer = parse_private_key(values[signing.private_key_secret.key], "")
    assert signing.trusted_keys_secret is not None
    (trusted,) = parse_public_keys(values[signing.trusted_keys_secret.key], "")
    assert trusted.key_id == signer.public.key_id
    assert signer.public.key_id in done.stderr
    assert signer.pem().splitlines()[1].decode() not in done.output


def test_an_existing_secret_is_not_replaced(api: EmbeddedApi) -> None:
    keys(api, "init", "--secret", "kept")
    before = held(api, "kept")
    again = keys(api, "init", "--secret", "kept")
    assert (again.exit_code, "--rotate" in again.stderr) == (1, True)
    assert held(api, "kept") == before


def test_rotation_makes_a_new_signer_and_goes_on_trusting_all_former_ones(api: EmbeddedApi) -> None:
    keys(api, "init", "--secret", "turned")
    signers = [parse_private_key(held(api, "turned")["private.pem"], "")]
    for _ in range(2):
        assert keys(api, "init", "--rotate", "--secret", "turned").exit_code == 0
        signers.append(parse_private_key(held(api, "turned")["private.pem"], ""))
    trusted = [key.key_id for key in parse_public_keys(held(api, "turned")["public.pem"], "")]
    assert trusted == [signer.public.key_id for signer in reversed(signers)]
    assert len(set(trusted)) == 3


def test_a_former_key_whose_public_half_was_lost_from_the_secret_is_trusted_after_rotation(
    api: EmbeddedApi,
) -> None:
    keys(api, "init", "--secret", "half")
    former = parse_private_key(held(api, "half")["private.pem"], "").public.key_id
    change(api, "half", public_pem=b"")
    assert keys(api, "init", "--rotate", "--secret", "half").exit_code == 0
    assert former in [key.key_id for key in parse_public_keys(held(api, "half")["public.pem"], "")]


def test_nothing_is_rotated_that_cannot_be_read_or_is_not_there(api: EmbeddedApi) -> None:
    keys(api, "init", "--secret", "broken")
    change(api, "broken", private_pem=b"canary")
    refused = keys(api, "init", "--rotate", "--secret", "broken")
    assert (refused.exit_code, "key private.pem: is no PEM file" in refused.stderr) == (1, True)
    assert "canary" not in refused.output
    assert held(api, "broken")["private.pem"] == b"canary"
    missing = keys(api, "init", "--rotate", "--secret", "absent")
    assert (missing.exit_code, "strongroom keys init" in missing.stderr) == (1, True)


def test_the_public_keys_are_exported_as_stock_openssl_reads_them(api: EmbeddedApi, tmp_path: Path) -> None:
    keys(api, "init", "--secret", "public")
    printed = keys(api, "export", "--secret", "public").stdout
    assert "PRIVATE" not in printed
    assert keys(api, "export", "--secret", "public", "-o", tmp_path / "public.pem").exit_code == 0
    assert (tmp_path / "public.pem").read_text() == printed
    read = ["openssl", "pkey", "-pubin", "-in", str(tmp_path / "public.pem"), "-noout", "-text"]
    assert b"ED25519 Public-Key" in subprocess.run(read, capture_output=True, check=True).stdout


def test_the_private_key_is_written_only_where_asked_and_for_its_owner_alone(
    api: EmbeddedApi, tmp_path: Path
) -> None:
    keys(api, "init", "--secret", "private")
    target = tmp_path / "private.pem"
    done = keys(api, "export", "--secret", "private", "--private", target)
    assert done.exit_code == 0, done.output
    assert "PRIVATE" not in done.output
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_bytes() == held(api, "private")["private.pem"]
    again = keys(api, "export", "--secret", "private", "--private", target)
    assert (again.exit_code, "nothing is overwritten" in again.stderr) == (1, True)


def test_a_secret_that_is_missing_names_the_way_to_make_it(api: EmbeddedApi) -> None:
    done = keys(api, "export", "-n", "default", "--secret", "nowhere")
    assert (done.exit_code, "`strongroom keys init --secret nowhere` makes it" in done.stderr) == (1, True)
