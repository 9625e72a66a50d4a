"""Which order drills: the newest backup, from the store whose turn it is, into an environment that is thrown away."""

from collections.abc import Sequence

from strongroom.api.drills import Drill, parse_memory
from strongroom.api.fields import SecretKeyReference
from strongroom.api.resources import BackupPolicy, BackupRun, BackupStore
from strongroom.api.restoreorder import Choice, DrillOrder
from strongroom.api.workorder import OrderStore, WorkOrder
from strongroom.domain.drillapplications import build_application
from strongroom.domain.policies import LONGEST_DEADLINE
from strongroom.domain.restoreorders import build_opening
from strongroom.domain.runrecords import name_in_stores
from strongroom.domain.spans import parse_span

PLAIN = Drill(schedule="@yearly")
"""What a drill by request is like where the policy has none: nothing but what the manifest promises is checked."""


def build_drill_order(
    policy: BackupPolicy,
    run: BackupRun,
    stores: Sequence[BackupStore],
    uid: str,
    own_key: SecretKeyReference | None = None,
) -> WorkOrder:
    """The order of a drill of that run; `stores` in the order in which they are to be tried: the first alone is the drill's."""
    drill = policy.spec.drill or PLAIN
    return WorkOrder(
        kind="Drill",
        namespace=policy.meta.namespace,
        run_uid=uid,
        stores=[OrderStore(name=store.meta.name, spec=store.spec) for store in stores],
        drill=DrillOrder(
            choice=Choice(
                policy=policy.meta.name,
                run=name_in_stores(run.meta),
                recovery_point=run.status.recovery_point,
                manifest_sha256=run.status.manifest_sha256,
                sources=drill.sources,
            ),
            opening=build_opening(policy.spec, own_key or drill.decryption_key_secret),
            image=drill.image,
            targets=[source.model_copy(update={"hooks": None}) for source in policy.spec.sources],
            checks=drill.checks,
            application=build_application(policy.spec),
            memory_bytes=parse_memory(drill.memory),
        ),
        deadline_seconds=max(1, int(parse_span(drill.deadline, most=LONGEST_DEADLINE).total_seconds())),
    )
