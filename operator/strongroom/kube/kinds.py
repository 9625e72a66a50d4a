"""The kinds that Strongroom reads or writes, as the API addresses them."""

from dataclasses import dataclass

from strongroom.api import group, kinds


@dataclass(frozen=True)
class ApiKind:
    """One kind: enough to build its paths and to name it in a message."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As in `apiVersion`: `v1`, `batch/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As in the server's messages: `secrets`, `jobs.batch`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of the collection, an object or a subresource; without a namespace, of all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return "/".join(part for part in (f"{root}{scope}/{self.plural}", name, subresource) if part)


def _own(kind: kinds.Kind) -> ApiKind:
    return ApiKind(group.GROUP, group.VERSION, kind.plural, kind.kind)


POLICIES = _own(kinds.BACKUP_POLICY)
RUNS = _own(kinds.BACKUP_RUN)
STORES = _own(kinds.BACKUP_STORE)
HOSTS = _own(kinds.DOCKER_HOST)
RESTORES = _own(kinds.RESTORE_REQUEST)
JOBS = ApiKind("batch", "v1", "jobs", "Job")
DEPLOYMENTS = ApiKind("apps", "v1", "deployments", "Deployment")
STATEFUL_SETS = ApiKind("apps", "v1", "statefulsets", "StatefulSet")
PODS = ApiKind("", "v1", "pods", "Pod")
LEASES = ApiKind("coordination.k8s.io", "v1", "leases", "Lease")
SECRETS = ApiKind("", "v1", "secrets", "Secret")
SERVICE_ACCOUNTS = ApiKind("", "v1", "serviceaccounts", "ServiceAccount")
ROLES = ApiKind("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = ApiKind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
EVENTS = ApiKind("", "v1", "events", "Event")
NAMESPACES = ApiKind("", "v1", "namespaces", "Namespace", namespaced=False)
