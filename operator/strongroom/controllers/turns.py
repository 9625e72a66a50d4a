"""Who must wait for whom? Policies and Jobs that touch the same targets."""

from collections.abc import Iterable, Sequence

from strongroom.api.dockerhost import DatabaseService
from strongroom.api.resources import BackupPolicy
from strongroom.api.workorder import WorkOrder
from strongroom.controllers.keys import Key
from strongroom.controllers.objects import Name, Objects
from strongroom.controllers.targetindex import TargetIndex
from strongroom.domain.jobstates import JobState, find_work
from strongroom.domain.policies import site_identity
from strongroom.domain.sites import Cluster, Site
from strongroom.domain.targets import Place, Target, Work, find_targets, overlap
from strongroom.kube.kinds import POLICIES


class Turns:
    """The targets of all policies, kept in step with what is known of them and of their hosts."""

    def __init__(self, objects: Objects) -> None:
        """`objects` is read whenever something is asked."""
        self._objects = objects
        self._index = TargetIndex()

    def reckon(self, policies: Iterable[Name]) -> list[Key]:
        """After a change of these policies or of their hosts; returns the policies that share targets before or now."""
        touched = set[Name]()
        for name in policies:
            policy = self._objects.policies.get(name)
            touched |= self._index.put(name, () if policy is None else self.targets_of(policy))
        return [Key(POLICIES, *other) for other in sorted(touched)]

    def targets_of(self, policy: BackupPolicy) -> tuple[Target, ...]:
        """What the policy's runs would touch now."""
        site = self._objects.site_of(policy)
        work = Work(policy.meta.namespace, policy.meta.name, policy.spec.sources, policy.spec.hooks)
        return find_targets(work, Place(site_identity(policy, site), _databases(site)))

    def sharing(self, policy: Name) -> list[str]:
        """Other policies that touch a target of this one, as people name them."""
        others = sorted(self._index.sharing(policy))
        return [other[1] if other[0] == policy[0] else "/".join(other) for other in others]

    def working_on(self, targets: tuple[Target, ...], job: Name) -> str | None:
        """Whose Job, other than this one, works on one of the targets, in words; None when all are free."""
        for name, other in self._objects.jobs.items():
            is_rival = name != job and other.ending is None and other.whom is not None
            if is_rival and overlap(targets, self._targets_of_job(other)) is not None:
                return other.whom
        return None

    def targets_of_order(self, order: WorkOrder, site: Site | None) -> tuple[Target, ...]:
        """What an order touches there."""
        work = find_work(order)
        if work is None or site is None:
            return ()
        return find_targets(work, Place("/".join(site.key), _databases(site)))

    def _targets_of_job(self, job: JobState) -> tuple[Target, ...]:
        """What a Job touches, by its order: the policy may have changed since. The host's containers are those of now."""
        if job.work is None:
            return ()
        host = None if job.host is None else self._objects.hosts.get(job.host)
        return find_targets(job.work, Place(job.seen_from, () if host is None else host.status.databases))


def _databases(site: Site | None) -> Sequence[DatabaseService]:
    """What the host's agent found; nobody looks around in a cluster."""
    return () if site is None or isinstance(site, Cluster) else site.status.databases
