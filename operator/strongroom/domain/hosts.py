"""Whether a Docker host's agent is alive, by its Lease, and whether its Docker Engine can be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from strongroom.api.conditions import ENGINE_READY, READY, Condition, build_condition
from strongroom.api.errors import Reason
from strongroom.api.fields import format_time
from strongroom.api.labels import host_lease_name
from strongroom.api.resources import DockerHost

DEFAULT_LEASE = timedelta(seconds=30)


@dataclass(frozen=True)
class Renewal:
    """The newest renewal of a host's Lease: its own time as written, and when it was, by our clock."""

    written: datetime
    moment: datetime
    duration: timedelta


def see_renewal(lease: Mapping[str, Any] | None, before: Renewal | None, now: datetime) -> Renewal | None:
    """What is known of the renewal once the Lease was read; None when there is no Lease or nobody holds it.

    The host's clock is trusted as far as it agrees with ours; of one that does not, only that its Lease moves on.
    """
    spec = (lease or {}).get("spec") or {}
    if not spec.get("renewTime") or not spec.get("holderIdentity"):
        return None
    duration = timedelta(seconds=int(spec.get("leaseDurationSeconds") or DEFAULT_LEASE.total_seconds()))
    written = datetime.fromisoformat(spec["renewTime"])
    if before is not None and written == before.written:
        return Renewal(written, min(before.moment, now), duration)
    moved_on = before is not None and written > before.written
    is_credible = now - duration <= written <= now
    return Renewal(written, now if moved_on and not is_credible else min(written, now), duration)


def renewal_ends(renewal: Renewal | None) -> datetime | None:
    """Until when the Lease is fresh, by our clock."""
    return None if renewal is None else renewal.moment + renewal.duration


def judge_host(host: DockerHost, ends: datetime | None, now: datetime) -> Condition:
    """The Ready condition of a host whose Lease is fresh until `ends`; the message changes only with the answer."""
    name = host_lease_name(host.meta.name)
    if ends is not None and now <= ends:
        status, reason, message = True, "AgentAlive", f"The agent renews its Lease {name}."
    elif ends is not None:
        status, reason = False, Reason.HostNotReady.name
        message = f"The agent's Lease {name} ended at {format_time(ends)}. {Reason.HostNotReady.hint}"
    else:
        status, reason = False, Reason.HostNotReady.name
        message = f"No agent holds the Lease {name}. {Reason.HostNotReady.hint}"
    return build_condition(
        READY, status=status, reason=reason, message=message, now=now, generation=host.meta.generation
    )


def find_engine_trouble(host: DockerHost) -> str | None:
    """Why the host's Docker Engine cannot be used, in words, by what its agent last said; None when it can."""
    engine = host.status.engine
    if engine is None:
        return "its agent has told of no Docker Engine"
    return engine.problem


def judge_engine(host: DockerHost, now: datetime, *, is_alive: bool) -> Condition:
    """The EngineReady condition. A host without an Engine may be right: servers over the network need none."""
    engine, trouble = host.status.engine, find_engine_trouble(host)
    status: bool | None
    if not is_alive:
        status, reason = None, Reason.HostNotReady.name
        message = f"The agent is silent: nobody looks at the Engine. {Reason.HostNotReady.hint}"
    elif engine is None:
        status, reason = None, "NoEngine"
        message = "The agent has told of no Docker Engine: only servers over the network and paths can be backed up."
    elif trouble is not None:
        status, reason = False, Reason.EngineUnreachable.name
        message = f"{trouble.removesuffix('.')}. {Reason.EngineUnreachable.hint}"
    else:
        status, reason = True, "EngineAnswers"
        message = f"Docker Engine {engine.version or 'of unknown version'} answers."
    return build_condition(
        ENGINE_READY, status=status, reason=reason, message=message, now=now, generation=host.meta.generation
    )
