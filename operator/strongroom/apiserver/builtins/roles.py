"""What the fixed roles may do, and what everybody may who has come in."""

from strongroom.api.group import GROUP
from strongroom.apiserver.auth.roles import ANY, Roles, Rule

READ = ("get", "list", "watch")
REVIEWS = Rule(
    ("create",),
    ("authorization.k8s.io", "authentication.k8s.io"),
    ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"),
)

# The operator's and the agent's rules are what they declare, compared by a test: what works here works on a cluster.
ROLES: Roles = {
    "admin": (Rule((ANY,), (ANY,), (ANY,)),),
    "operator": (
        Rule(READ, (GROUP,), ("backuppolicies", "backupstores", "dockerhosts", "restorerequests")),
        Rule((*READ, "create", "patch", "delete"), (GROUP,), ("backupruns",)),
        Rule(
            ("patch",),
            (GROUP,),
            (
                "backuppolicies/status",
                "backupruns/status",
                "backupstores/status",
                "dockerhosts/status",
                "restorerequests/status",
            ),
        ),
        Rule((*READ, "create", "patch", "delete"), ("batch",), ("jobs",)),
        Rule((*READ, "patch"), ("",), ("pods",)),
        Rule(("get",), ("",), ("pods/log",)),
        Rule(("get", "list", "create", "patch"), ("",), ("events",)),
        Rule(("get", "create", "patch"), ("coordination.k8s.io",), ("leases",)),
    ),
    "agent": (
        Rule((*READ, "patch"), ("batch",), ("jobs",)),
        Rule(("patch",), ("batch",), ("jobs/status",)),
        Rule(("get",), ("",), ("secrets",)),
        Rule(("get", "create"), (GROUP,), ("dockerhosts",)),
        Rule(("patch",), (GROUP,), ("dockerhosts/status",)),
        Rule(("get", "create", "patch"), ("coordination.k8s.io",), ("leases",)),
    ),
    "viewer": (Rule(READ, (ANY,), (ANY,), except_resources=("secrets",)),),
}
