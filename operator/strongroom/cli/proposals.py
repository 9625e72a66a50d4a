"""Policies for what runs on a Docker host: for each compose project its databases, its files and its configuration.

Pure: from what the Engine told to bodies of resources. What cannot be proposed safely is left out with a reason.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from strongroom.api.backuppolicy import BackupPolicySpec
from strongroom.api.errors import excerpt
from strongroom.api.fields import DNS_LABEL
from strongroom.api.group import API_VERSION
from strongroom.cli.leftouts import find_files, find_left_out
from strongroom.engine.stacks import DatabaseFacts, ServiceFacts, Stack, Stacks

Body = dict[str, Any]
MOST_SOURCES = 16
_LONGEST_NAME = 63


@dataclass(frozen=True)
class Wishes:
    """What the proposals must fit: where they are applied, which host carries them out, and where backups go."""

    namespace: str
    host: str
    store: str
    store_path: str
    time_zone: str


@dataclass(frozen=True)
class Proposal:
    """One resource, with what to know of it before it is applied."""

    body: Body
    comments: tuple[str, ...] = ()


@dataclass
class Proposals:
    """The resources, and what no policy is proposed for, each with the reason."""

    resources: list[Proposal] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def propose(stacks: Stacks, wishes: Wishes) -> Proposals:
    """A store, and the policies that fit what runs on this host."""
    proposals = Proposals(
        [Proposal(_store(wishes), (f"The folder must exist: mkdir -p {wishes.store_path}",))]
    )
    taken: set[str] = set()
    proposals.left_out += _foreign_labels(stacks.databases, wishes)
    for name, asked, comments in _policies(stacks, wishes):
        free = _free_name(name, taken)
        spec = {**asked, "host": wishes.host, "stores": [wishes.store]}
        if "schedule" in spec:
            spec["timeZone"] = wishes.time_zone
        try:
            BackupPolicySpec.model_validate(spec)
        except ValidationError as error:
            proposals.left_out.append(f"{name}: {excerpt(str(error.errors()[0]['msg']))}")
            continue
        taken.add(free)
        proposals.resources.append(Proposal(_body("BackupPolicy", free, wishes, spec), comments))
    proposals.left_out += find_left_out(stacks)
    return proposals


Found = tuple[str, Body, tuple[str, ...]]
"""Name, specification without host and stores, and comments of a policy."""


def _policies(stacks: Stacks, wishes: Wishes) -> Iterator[Found]:
    yield from _labelled(stacks.databases, wishes)
    for stack in stacks.projects:
        yield from _database_policy(stack)
        yield from _media_policy(stack)
        yield from _config_policy(stack)
    for database in stacks.databases:
        if database.project is None and database.policy is None:
            source = {"name": "database", "postgres": {"container": {"name": database.container}}}
            yield f"{database.container}-database", _nightly([source]), ()


def _labelled(databases: Iterable[DatabaseFacts], wishes: Wishes) -> Iterator[Found]:
    """Services that their compose files attach to a policy by its name."""
    for name in sorted({_named(each.policy, wishes) for each in databases if each.policy} - {""}):
        comment = f"Dumps every service with the label strongroom.dev/policy: {name}"
        yield name, _nightly([{"name": "labelled", "postgres": {"labelled": True}}]), (comment,)


def _named(label: str, wishes: Wishes) -> str:
    """The policy that a label attaches to; empty if it is none of this namespace."""
    namespace, _, name = label.rpartition("/")
    is_ours = namespace in ("", wishes.namespace) and re.fullmatch(DNS_LABEL, name) is not None
    return name if is_ours else ""


def _foreign_labels(databases: Iterable[DatabaseFacts], wishes: Wishes) -> list[str]:
    return [
        f"container {each.container}: its label strongroom.dev/policy={excerpt(each.policy, 80)} names no policy of namespace {wishes.namespace}"
        for each in databases
        if each.policy and not _named(each.policy, wishes)
    ]


def _database_policy(stack: Stack) -> Iterator[Found]:
    unattached = [each for each in stack.services if each.is_postgres and not each.policy_label]
    sources = [source for service in unattached for source in _database_sources(stack, service)]
    for some in _as_policies_take(sources):
        yield f"{stack.name}-database", _nightly(some), ()


def _database_sources(stack: Stack, service: ServiceFacts) -> list[Body]:
    """One source, or one a container where the service is scaled: they are different servers."""
    if len(service.containers) <= 1:
        container = {"project": stack.name, "service": service.name}
        return [{"name": service.name, "postgres": {"container": container}}]
    return [{"name": name, "postgres": {"container": {"name": name}}} for name in service.containers]


def _media_policy(stack: Stack) -> Iterator[Found]:
    sources = [
        {"name": volume.removeprefix(f"{stack.name}_"), "files": {"volume": volume}}
        for volume in find_files(stack)
    ]
    comment = "Files that change while they are read make a run Partial; `hooks: {stop: […]}` beside `files` rules that out."
    for some in _as_policies_take(sources):
        spec = {"schedule": "0 3 * * 0", "retention": {"keepWithin": "30d"}, "sources": some}
        yield f"{stack.name}-media", spec, (comment,)


def _config_policy(stack: Stack) -> Iterator[Found]:
    """On demand; refused as long as nobody has decided how the secrets in it are kept."""
    if stack.folder is None:
        return
    source = {"name": "config", "config": {"project": stack.name, "allowUnencrypted": False}}
    comments = (
        f"On demand: `strongroom backup {dns_name(f'{stack.name}-config')}`. It holds secrets: not Ready before",
        "spec.encryption is set, or allowUnencrypted is true because the store may hold them in the clear.",
    )
    yield f"{stack.name}-config", {"sources": [source]}, comments


def _nightly(sources: list[Body]) -> Body:
    return {"schedule": "0 2 * * *", "retention": {"keepWithin": "7d"}, "sources": sources}


def _as_policies_take(sources: list[Body]) -> Iterator[list[Body]]:
    """The sources under names that differ and are DNS labels, as many at a time as one policy may have."""
    taken: set[str] = set()
    named = []
    for source in sources:
        name = _free_name(source["name"], taken)
        taken.add(name)
        named.append(source | {"name": name})
    yield from (named[start : start + MOST_SOURCES] for start in range(0, len(named), MOST_SOURCES))


def _store(wishes: Wishes) -> Body:
    return _body("BackupStore", wishes.store, wishes, {"local": {"path": wishes.store_path}, "media": "disk"})


def _body(kind: str, name: str, wishes: Wishes, spec: Body) -> Body:
    meta = {"name": name, "namespace": wishes.namespace}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec}


def _free_name(wanted: str, taken: set[str]) -> str:
    """A DNS label like the wanted name that is not taken yet."""
    name, number = dns_name(wanted), 2
    while name in taken:
        tail = f"-{number}"
        name, number = dns_name(wanted)[: _LONGEST_NAME - len(tail)].rstrip("-") + tail, number + 1
    return name


def dns_name(name: str) -> str:
    """The nearest DNS label: compose and Docker allow more characters in their names than Kubernetes does."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return label[:_LONGEST_NAME].rstrip("-") or "x"
