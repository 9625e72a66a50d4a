"""`strongroom restore`: make a request, show its plan, ask for its confirmation, watch it to its end."""

import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from strongroom.api.group import API_VERSION
from strongroom.api.kinds import RESTORE_REQUEST
from strongroom.api.resources import describe
from strongroom.api.restorerequest import RestoreRequestSpec
from strongroom.cli.cluster import ask, cluster_options
from strongroom.cli.restorewatch import await_plan, show_end, show_plan, watch_to_end
from strongroom.kube.client import KubeClient
from strongroom.kube.kinds import RESTORES

_AWAITING = "AwaitingConfirmation"


@dataclass(frozen=True)
class _Wish:
    """What was typed, as the request's spec says it."""

    namespace: str
    name: str
    spec: dict[str, Any] = field(default_factory=dict)


def _moment(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("write a time such as 2026-11-22T02:00:00Z") from error
    if moment.tzinfo is None:
        raise click.BadParameter("a time needs an offset, such as the Z in 2026-11-22T02:00:00Z")
    return text


def _workloads(_ctx: click.Context, _param: click.Parameter, told: tuple[str, ...]) -> list[dict[str, str]]:
    fields = {"deployment": "deployment", "statefulset": "statefulSet"}
    pairs = [text.partition("/") for text in told]
    if any(kind not in fields or not name for kind, _, name in pairs):
        raise click.BadParameter("write deployment/NAME or statefulset/NAME")
    return [{fields[kind]: name} for kind, _, name in pairs]


@click.command
@click.argument("policy", required=False)
@cluster_options
@click.option("--run", help="Restore this run's backup, instead of POLICY's newest.")
@click.option("--as-of", callback=_moment, help="POLICY's newest verified backup at or before this time.")
@click.option("--source", "sources", multiple=True, help="Only this source (again for more).")
@click.option("--database", "databases", multiple=True, help="Only this database of it (again for more).")
@click.option("--store", help="Read from this store first.")
@click.option("--in-place", is_flag=True, help="Over what was backed up, after you have confirmed the plan.")
@click.option("--to-database", help="Into a new database of this name, beside the old one.")
@click.option("--to-directory", help="As files, into this new or empty folder of the host.")
@click.option("--to-volume", help="As files, into this new or empty volume.")
@click.option("--to-claim", help="As files, into this empty PersistentVolumeClaim, in a cluster.")
@click.option(
    "--db-user", help="Role that restores databases. Default: the one that backs up, which seldom may."
)
@click.option("--db-password", metavar="SECRET/KEY", help="Secret and key with that role's password.")
@click.option("--host", help="DockerHost that restores. Default: the policy's.")
@click.option(
    "--stop",
    "services",
    multiple=True,
    help="Service to stop meanwhile: project/service, or a container (again for more).",
)
@click.option(
    "--scale-down",
    "workloads",
    multiple=True,
    callback=_workloads,
    metavar="deployment/NAME|statefulset/NAME",
    help="The same in a cluster: scaled to 0 meanwhile (again for more).",
)
@click.option(
    "--health-url", help="URL that must answer 200 afterwards; otherwise the old state is put back."
)
@click.option(
    "--strategy", type=click.Choice(["Swap", "Clean", "DropAndCreate"]), help="How, in place. Default: Swap."
)
@click.option("--keep-replaced", help="How long what was replaced is kept. Default: 24h.")
@click.option("--safety-backup/--no-safety-backup", default=True, help="Back up the present state first.")
@click.option("--decryption-key", metavar="SECRET/KEY", help="Secret and key with what decrypts the backup.")
@click.option("--confirm", help="What will be overwritten, to go on without being asked.")
@click.option("--watch/--no-watch", default=True, help="Stay, ask, and exit with the outcome.")
def restore(kubeconfig: Path | None, namespace: str, *, watch: bool, **typed: Any) -> None:
    """Restore POLICY's newest backup, or another one. Nothing is overwritten before you have seen and confirmed the plan.

    \b
    Examples:
      strongroom restore shop --to-database shop_copy            # beside the old one
      strongroom restore shop --in-place --stop shop/django-app --health-url http://localhost/health/
      strongroom restore shop --in-place --db-user postgres --db-password shop-admin/password
      strongroom restore shop --in-place --scale-down deployment/web --health-url http://web/health/
      strongroom restore shop --as-of 2026-11-22T02:00:00Z --source media --to-directory /srv/restored
      strongroom restore --run shop-20261122t0200z-3f9c2b7a --in-place --confirm shop --no-watch
    """
    wish = _Wish(namespace, typed["policy"] or typed["run"] or "", _build_spec(typed))
    name = ask(kubeconfig, lambda client: _create(client, wish))
    click.echo(f"restorerequest.strongroom.dev/{name} created")
    if not watch:
        click.echo(f"Watch it: kubectl get restorerequest {name} -n {namespace} -w")
        return
    sys.exit(_follow(kubeconfig, namespace, name))


def _follow(kubeconfig: Path | None, namespace: str, name: str) -> int:
    """Show the plan, ask, watch; the exit code."""
    request = ask(kubeconfig, lambda client: await_plan(client, namespace, name))
    show_plan(request)
    plan = request.status.plan
    if request.status.phase == _AWAITING and plan is not None and plan.confirmation is not None:
        if not sys.stdin.isatty():
            click.echo(request.status.message or "")
            return 3
        typed = click.prompt(f"Type {plan.confirmation} to overwrite it, anything else to leave it")
        if typed != plan.confirmation:
            ask(kubeconfig, lambda client: client.delete(RESTORES, namespace, name))
            click.echo("Nothing was touched; the request is deleted.")
            return 1
        body = {"spec": {"confirm": typed}}
        ask(kubeconfig, lambda client: client.patch(RESTORES, namespace, name, body))
    done = ask(kubeconfig, lambda client: watch_to_end(client, namespace, name))
    show_end(done)
    return 0 if done.status.phase == "Succeeded" else 1


def _build_spec(typed: dict[str, Any]) -> dict[str, Any]:
    """The spec; UsageError for what does not fit together."""
    spec: dict[str, Any] = {"from": _build_from(typed), "target": _build_target(typed)}
    stopped = [*map(_selector, typed["services"]), *typed["workloads"]]
    if stopped:
        spec["stopServices"] = stopped
    if typed["health_url"]:
        spec["healthCheck"] = {"url": typed["health_url"]}
    if not typed["safety_backup"]:
        spec["safetyBackup"] = False
    if typed["decryption_key"]:
        spec["decryptionKeySecret"] = _reference(typed["decryption_key"])
    names = {"strategy": "strategy", "keep_replaced": "keepReplaced", "confirm": "confirm"}
    spec |= {field_: typed[name] for name, field_ in names.items() if typed[name]}
    try:
        RestoreRequestSpec.model_validate(spec)
    except ValidationError as error:
        raise click.UsageError(describe(error, "spec")) from error
    return spec


def _build_from(typed: dict[str, Any]) -> dict[str, Any]:
    if (typed["policy"] is None) == (typed["run"] is None):
        raise click.UsageError("name a policy, or a run with --run, and not both")
    if typed["run"] is not None:
        chosen: dict[str, Any] = {"run": typed["run"]}
    elif typed["as_of"] is not None:
        chosen = {"policy": typed["policy"], "asOf": typed["as_of"]}
    else:
        chosen = {"policy": typed["policy"], "latest": True}
    lists = {name: list(typed[name]) for name in ("sources", "databases") if typed[name]}
    return chosen | lists | ({"store": typed["store"]} if typed["store"] else {})


def _build_target(typed: dict[str, Any]) -> dict[str, Any]:
    targets = {
        "in_place": {"mode": "InPlace"},
        "to_database": {"mode": "NewDatabase", "database": typed["to_database"]},
        "to_directory": {"mode": "Directory", "path": typed["to_directory"]},
        "to_volume": {"mode": "Directory", "volume": typed["to_volume"]},
        "to_claim": {"mode": "Directory", "persistentVolumeClaim": typed["to_claim"]},
    }
    wanted = [name for name in targets if typed[name]]
    if len(wanted) != 1:
        raise click.UsageError(
            "say where to: one of --in-place, --to-database, --to-directory, --to-volume and --to-claim"
        )
    postgres: dict[str, Any] = {"user": typed["db_user"]} if typed["db_user"] else {}
    if typed["db_password"]:
        postgres["passwordSecret"] = _reference(typed["db_password"])
    others = {"host": typed["host"], "postgres": postgres}
    return targets[wanted[0]] | {name: value for name, value in others.items() if value}


def _reference(text: str) -> dict[str, str]:
    secret, _, key = text.partition("/")
    return {"name": secret, "key": key}


def _selector(text: str) -> dict[str, str]:
    project, slash, service = text.partition("/")
    return {"project": project, "service": service} if slash else {"name": text}


async def _create(client: KubeClient, wish: _Wish) -> str:
    body = {
        "apiVersion": API_VERSION,
        "kind": RESTORE_REQUEST.kind,
        "metadata": {"generateName": f"{wish.name[:45].rstrip('-.')}-restore-"},
        "spec": wish.spec,
    }
    created = await client.create(RESTORES, wish.namespace, body)
    return str(created["metadata"]["name"])
