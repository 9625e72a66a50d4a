"""The operator's rights, gathered from what each controller declares: the Roles of chart and manifests are written from these.

A right is declared in the module that uses it. Nothing here reads a Secret: workers get them from the cluster, or from their agent.
"""

from strongroom.controllers import (
    answering,
    backuppolicy,
    backuprun,
    backupstore,
    catalogue,
    catchingup,
    dockerhost,
    drilling,
    pods,
    rebuilding,
    restorerequest,
    scaling,
    watching,
)
from strongroom.kube import events, leases
from strongroom.kube.rights import Right

NAMESPACE: tuple[Right, ...] = (
    *watching.RIGHTS,
    *backuppolicy.RIGHTS,
    *backuprun.RIGHTS,
    *backupstore.RIGHTS,
    *catalogue.RIGHTS,
    *catchingup.RIGHTS,
    *dockerhost.RIGHTS,
    *drilling.RIGHTS,
    *pods.RIGHTS,
    *answering.RIGHTS,
    *rebuilding.RIGHTS,
    *restorerequest.RIGHTS,
    *events.RIGHTS,
)
"""In each namespace that it serves."""

SERVICES: tuple[Right, ...] = scaling.SCALING
"""Besides, if restores may stop and start applications in the cluster."""

OWN: tuple[Right, ...] = leases.RIGHTS
"""In its own namespace: the Lease by which one operator acts."""
