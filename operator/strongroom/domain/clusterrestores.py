"""What of a restore or a drill a cluster can carry out: its pods have claims and servers over the network, and no Docker Engine."""

from collections.abc import Iterator

from strongroom.api.errors import Reason
from strongroom.api.jobsettings import JobSettings
from strongroom.api.resources import RestoreRequest
from strongroom.domain.drillapplications import find_pod_trouble
from strongroom.domain.policies import Problem, find_foreign
from strongroom.domain.restoreorders import Basis, build_targets
from strongroom.domain.sites import Cluster

_NAME_A_HOST = "Name a DockerHost (kubectl get dockerhosts)."


def find_cluster_problems(request: RestoreRequest, basis: Basis) -> Iterator[Problem]:
    """What keeps the cluster from carrying it out."""
    if not isinstance(basis.site, Cluster):
        words = "neither spec.target.host nor the policy's spec.host is set, and this API server runs no pods"
        yield Problem(Reason.Unsupported, f"{words}. {_NAME_A_HOST}")
        return
    if request.spec.target.mode == "Drill":
        drill = basis.policy.spec.drill if basis.policy is not None else None
        trouble = None if drill is None else find_pod_trouble(drill)
        if trouble is not None:
            yield Problem(Reason.Unsupported, f"the policy's {trouble}")
        return
    for words in _foreign(request, basis):
        message = f"without a DockerHost the cluster restores: {words}. Change it, or set spec.target.host."
        yield Problem(Reason.Unsupported, message)
    if request.spec.target.mode == "InPlace" and _claims(request, basis) and not _is_root(basis):
        words = (
            "spec.job.runAsRoot of the policy: files of a persistentVolumeClaim get their owners and modes back from root alone. "
            "Set it to true, or restore into a claim of its own (target.mode: Directory)."
        )
        yield Problem(Reason.InvalidSpec, words)


def names_claims(request: RestoreRequest, basis: Basis) -> bool:
    """Whether it restores into a claim."""
    target = request.spec.target
    return target.persistent_volume_claim is not None or (
        target.mode == "InPlace" and _claims(request, basis)
    )


def _foreign(request: RestoreRequest, basis: Basis) -> Iterator[str]:
    spec = request.spec
    if spec.target.path is not None or spec.target.volume is not None:
        yield "spec.target: folders and volumes are a Docker host's: name a persistentVolumeClaim"
    if spec.target.mode != "Directory":
        yield from find_foreign(build_targets(request, basis))
    if spec.health_check is not None and spec.health_check.exec is not None:
        yield "spec.healthCheck.exec enters a container of a Docker host: name a url"
    if any(each.container is not None for each in spec.stop_services):
        yield "spec.stopServices: containers are a Docker host's: name a deployment or statefulSet"


def _claims(request: RestoreRequest, basis: Basis) -> bool:
    targets = build_targets(request, basis)
    return any(each.files is not None and each.files.persistent_volume_claim is not None for each in targets)


def _is_root(basis: Basis) -> bool:
    if not isinstance(basis.site, Cluster):
        return False
    settings = basis.policy.spec.job if basis.policy is not None else None
    return bool((settings or JobSettings()).over(basis.site.defaults).run_as_root)
