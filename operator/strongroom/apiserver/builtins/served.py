"""All built-in resources."""

from collections.abc import Mapping, Sequence
from typing import Any

from strongroom.apiserver.builtins import (
    configmaps,
    crds,
    events,
    jobs,
    leases,
    namespaces,
    reviews,
    secrets,
    serviceaccounts,
    stubs,
)
from strongroom.apiserver.resources import Resource


def build_resources(own_crds: Sequence[Mapping[str, Any]], find_user: reviews.FindUser) -> list[Resource]:
    """What is served besides custom resources; `find_user` answers TokenReviews."""
    return [
        namespaces.RESOURCE,
        secrets.RESOURCE,
        configmaps.RESOURCE,
        events.RESOURCE,
        serviceaccounts.RESOURCE,
        jobs.RESOURCE,
        leases.RESOURCE,
        crds.build(own_crds),
        *reviews.build_resources(find_user),
        *stubs.RESOURCES,
    ]
