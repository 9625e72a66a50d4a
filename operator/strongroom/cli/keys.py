"""`strongroom keys`: the pair of keys that signs manifests, in a Secret, and its copies for safe-keeping."""

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from strongroom.api.errors import StrongroomError
from strongroom.api.labels import MANAGED_BY_LABEL, MANAGER
from strongroom.api.signing import PRIVATE_KEY, PUBLIC_KEYS, SIGNING_SECRET
from strongroom.cli.cluster import ask, cluster_options
from strongroom.kube.client import KubeClient
from strongroom.kube.errors import AlreadyExists, Conflict
from strongroom.kube.kinds import SECRETS
from strongroom.pipeline.signing import PrivateKey, PublicKey, parse_private_key, parse_public_keys

Object = dict[str, Any]

_secret_option = click.option(
    "--secret", "name", default=SIGNING_SECRET, show_default=True, metavar="NAME", help="Name of the Secret."
)


@click.group
def keys() -> None:
    """Make and keep the keys that sign manifests.

    Keys for encryption are yours alone: make them where no backup is made, and give the policy the public half.

    \b
    Examples:
      strongroom keys init
      strongroom keys export -o public.pem
      age-keygen -o key.txt      # on your own machine; its public key (age1…) goes into spec.encryption.age.recipients
    """


@keys.command
@cluster_options
@_secret_option
@click.option("--rotate", is_flag=True, help="Make a new pair for an existing Secret, and go on trusting the former keys.")  # fmt: skip
def init(kubeconfig: Path | None, namespace: str, name: str, *, rotate: bool) -> None:
    """Make a pair of Ed25519 keys as a Secret, and print how a policy refers to it.

    An existing Secret is never replaced. With --rotate the new pair signs from now on, and the public keys of the former
    ones stay beside it: what they have signed counts as before.

    \b
    Examples:
      strongroom keys init
      strongroom keys init -n team-b
      strongroom keys init --rotate
    """
    act = _rotate if rotate else _create
    trusted = ask(kubeconfig, lambda client: act(client, namespace, name))
    former = len(trusted) - 1
    beside = f", beside {former} former key{'s' * (former != 1)}" if former else ""
    click.echo(f"secret/{name}: key {trusted[0].key_id} signs from now on{beside}.", err=True)
    click.echo(
        f"Keep the public keys away from the hosts: strongroom keys export{_options(namespace, name)} -o public.pem", err=True
    )  # fmt: skip
    click.echo("In the policy's spec:", err=True)
    click.echo(
        "signing:\n"
        f"  privateKeySecret: {{name: {name}, key: {PRIVATE_KEY}}}\n"
        f"  trustedKeysSecret: {{name: {name}, key: {PUBLIC_KEYS}}}"
    )


@keys.command
@cluster_options
@_secret_option
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the public keys there. Default: print them.")  # fmt: skip
@click.option("--private", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Also write the private key to this new file, mode 0600.")  # fmt: skip
def export(
    kubeconfig: Path | None, namespace: str, name: str, output: Path | None, private: Path | None
) -> None:
    """Print the public keys, which verify manifests without Strongroom (docs/recovery-without-strongroom.md).

    The private key is only needed to go on signing when the control plane is lost: without it a new pair signs, and the
    public keys go on to verify. Whoever has it can sign in your name.

    \b
    Examples:
      strongroom keys export
      strongroom keys export -o public.pem
      strongroom keys export --private /media/safe/strongroom-signing.pem
    """
    signer, trusted = ask(kubeconfig, lambda client: _read(client, namespace, name))
    if private is not None:
        _write_private(private, signer)
        click.echo(
            f"{private} holds the private key {signer.public.key_id}: keep it off the hosts.", err=True
        )
    text = _public_text(trusted)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise click.ClickException(f"--output {output}: {error.strerror}") from error
    click.echo(f"{output} holds {len(trusted)} public key{'s' * (len(trusted) != 1)}.", err=True)


async def _create(client: KubeClient, namespace: str, name: str) -> list[PublicKey]:
    key = PrivateKey.generate()
    metadata = {"name": name, "labels": {MANAGED_BY_LABEL: MANAGER}}
    try:
        await client.create(SECRETS, namespace, {"metadata": metadata, "type": "Opaque", "data": _data(key, [key.public])})  # fmt: skip
    except AlreadyExists as error:
        raise click.ClickException(
            f"Secret {namespace}/{name} exists, and its keys stay: see `strongroom keys export`, or make a new pair that "
            "keeps the former public keys with --rotate"
        ) from error
    return [key.public]


async def _rotate(client: KubeClient, namespace: str, name: str) -> list[PublicKey]:
    """The former public keys stay: an object that changed meanwhile is not overwritten."""
    found = await _get(client, namespace, name)
    _, former = _parse(found, namespace, name)
    key = PrivateKey.generate()
    trusted = [key.public, *former]
    version = {"resourceVersion": found["metadata"]["resourceVersion"]}
    try:
        await client.patch(SECRETS, namespace, name, {"metadata": version, "data": _data(key, trusted)})
    except Conflict as error:
        raise click.ClickException(
            f"Secret {namespace}/{name} was changed by somebody else in this moment: nothing was done, look at it and try again"
        ) from error
    return trusted


async def _read(client: KubeClient, namespace: str, name: str) -> tuple[PrivateKey, list[PublicKey]]:
    return _parse(await _get(client, namespace, name), namespace, name)


async def _get(client: KubeClient, namespace: str, name: str) -> Object:
    found = await client.get(SECRETS, namespace, name)
    if found is None:
        raise click.ClickException(
            f"there is no Secret {name} in namespace {namespace}: `strongroom keys init{_options(namespace, name)}` makes it"
        )
    return found


def _options(namespace: str, name: str) -> str:
    """Those that a further command needs to mean the same Secret."""
    given = f" -n {namespace}" if namespace != "default" else ""
    return given + (f" --secret {name}" if name != SIGNING_SECRET else "")


def _parse(secret: Object, namespace: str, name: str) -> tuple[PrivateKey, list[PublicKey]]:
    """The key that signs, and all that are trusted, that one first, each once."""
    data = secret.get("data") or {}
    where = f"Secret {namespace}/{name}"
    try:
        signer = parse_private_key(base64.b64decode(data.get(PRIVATE_KEY, "")), f"{where}, key {PRIVATE_KEY}")
        public = base64.b64decode(data.get(PUBLIC_KEYS, ""))
        former = parse_public_keys(public, f"{where}, key {PUBLIC_KEYS}") if public.strip() else []
    except StrongroomError as error:
        raise click.ClickException(f"{error.message}. Nothing was changed") from error
    except binascii.Error as error:
        raise click.ClickException(f"{where} is not valid base64. Nothing was changed") from error
    return signer, list({key.key_id: key for key in (signer.public, *former)}.values())


def _data(signer: PrivateKey, trusted: Sequence[PublicKey]) -> dict[str, str]:
    texts = {PRIVATE_KEY: signer.pem(), PUBLIC_KEYS: _public_text(trusted).encode()}
    return {name: base64.b64encode(text).decode() for name, text in texts.items()}


def _public_text(trusted: Sequence[PublicKey]) -> str:
    """Each with its id before it: readers of PEM pass over what stands between the blocks."""
    return "".join(f"# key {key.key_id}\n{key.pem().decode()}" for key in trusted)


def _write_private(path: Path, key: PrivateKey) -> None:
    """A new file that is its owner's alone from its first moment."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.pem())
    except FileExistsError as error:
        raise click.ClickException(
            f"--private {path}: the file exists, and nothing is overwritten"
        ) from error
    except OSError as error:
        raise click.ClickException(f"--private {path}: {error.strerror}") from error
