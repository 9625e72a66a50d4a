"""How GitOps tools judge an object: the Lua that Argo CD is given, the CEL that Flux is given, and kstatus, which both know."""

from typing import Any

import lupa.lua51
import yaml
from cel_expr_python import cel
from tests.chart.helm import ROOT

GITOPS = ROOT / "manifests/samples/gitops"
ARGO = yaml.safe_load((GITOPS / "argocd/health.yaml").read_text())["data"]
FLUX = next(
    each["spec"]["healthCheckExprs"]
    for each in yaml.safe_load_all((GITOPS / "clusters/production/strongroom.yaml").read_text())
    if "healthCheckExprs" in each["spec"]
)
Object = dict[str, Any]


def ask_argo(body: Object) -> tuple[str, str]:
    """Status and message. Argo CD runs Lua 5.1, as this is."""
    lua = lupa.lua51.LuaRuntime()
    lua.globals()["obj"] = lua.table_from(body, recursive=True)
    answer = lua.execute(ARGO[f"resource.customizations.health.strongroom.dev_{body['kind']}"])
    return answer["status"], answer["message"]


def ask_flux(body: Object) -> str:
    """current, failed, or in progress, where neither holds or a field that is asked for does not exist yet."""
    (checks,) = [
        each for each in FLUX if (each["apiVersion"], each["kind"]) == (body["apiVersion"], body["kind"])
    ]
    return next((name for name in ("failed", "current") if _holds(checks[name], body)), "in progress")


def _holds(text: str, body: Object) -> bool:
    environment = cel.NewEnv(variables=dict.fromkeys(("metadata", "spec", "status"), cel.Type.DYN))
    result = environment.compile(text).eval(
        data={"status": {}} | {k: body[k] for k in ("metadata", "spec", "status") if k in body}
    )
    return result.type() == cel.Type.BOOL and result.plain_value()


def ask_kstatus(body: Object) -> str:
    """The rules for custom resources of sigs.k8s.io/cli-utils/pkg/kstatus: generation first, then Stalled, Reconciling, Ready."""
    status, meta = body.get("status") or {}, body["metadata"]
    if "deletionTimestamp" in meta:
        return "Terminating"
    if "observedGeneration" in status and status["observedGeneration"] != meta["generation"]:
        return "InProgress"
    told = {each["type"]: each["status"] for each in status.get("conditions") or []}
    if told.get("Stalled") == "True":
        return "Failed"
    if told.get("Reconciling") == "True" or told.get("Ready", "True") != "True":
        return "InProgress"
    return "Current"
