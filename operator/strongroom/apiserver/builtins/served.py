"""All built-in resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strongroom.apiserver.auth.gate import FindUser
from strongroom.apiserver.auth.roles import FindRules
from strongroom.apiserver.builtins import (
    configmaps,
    crds,
    events,
    jobs,
    leases,
    namespaces,
    rbac,
    reviews,
    secrets,
    serviceaccounts,
    stubs,
    tokenrequests,
)
from strongroom.apiserver.resources import Resource


@dataclass(frozen=True)
class Access:
    """What the kinds that are about identities and rights ask."""

    find_user: FindUser
    find_rules: FindRules
    issue_token: tokenrequests.Issue


def build_resources(own_crds: Sequence[Mapping[str, Any]], access: Access) -> list[Resource]:
    """What is served besides custom resources."""
    return [
        namespaces.RESOURCE,
        secrets.RESOURCE,
        configmaps.RESOURCE,
        events.RESOURCE,
        serviceaccounts.build(access.issue_token),
        *rbac.RESOURCES,
        jobs.RESOURCE,
        leases.RESOURCE,
        crds.build(own_crds),
        *reviews.build_resources(access.find_user, access.find_rules),
        *stubs.RESOURCES,
    ]
