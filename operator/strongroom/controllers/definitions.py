"""The kinds as the API server has them: what it would drop, or lets through that this version does not know, is said.

Read from the server's OpenAPI document, which needs no right beyond discovery. A server that has none is taken at its word.
"""

import logging
from collections.abc import Iterator
from functools import cache

from strongroom.api.crds import build_crds
from strongroom.api.group import GROUP, VERSION
from strongroom.controllers.context import Context
from strongroom.domain.definitions import find_drift
from strongroom.kube.client import Object
from strongroom.kube.errors import ApiError
from strongroom.kube.refusals import Refusal

log = logging.getLogger(__name__)
PATH = f"/openapi/v3/apis/{GROUP}/{VERSION}"


async def compare_definitions(context: Context) -> None:
    """Look at all kinds and note those that differ; what the server does not tell stands as it was."""
    try:
        document = await context.client.reads.fetch(PATH)
    except ApiError as error:
        log.debug("the definitions of our kinds cannot be compared: %s", error)
        return
    served = dict(_schemas(document))
    for kind, (name, own) in _own_schemas().items():
        if kind not in served:
            continue
        drift = find_drift(own, served[kind])
        if drift is None:
            context.obstacles.clear(f"definition of {name}")
        else:
            refusal = Refusal(drift.reason, drift.describe(name))
            context.obstacles.note(f"definition of {name}", refusal, blocks=False)


@cache
def _own_schemas() -> dict[str, tuple[str, Object]]:
    """Names and schemas of our definitions, by kind; not cheap to make."""
    return {
        crd["spec"]["names"]["kind"]: (
            crd["metadata"]["name"],
            crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
        )
        for crd in build_crds()
    }


def _schemas(document: Object) -> Iterator[tuple[str, Object]]:
    """The schemas of our kinds, by kind."""
    for schema in ((document.get("components") or {}).get("schemas") or {}).values():
        for tag in schema.get("x-kubernetes-group-version-kind") or ():
            if tag.get("group") == GROUP and not str(tag.get("kind")).endswith("List"):
                yield str(tag["kind"]), schema
