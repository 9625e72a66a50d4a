"""Legacy discovery: one document for the groups, one for each group version."""

from typing import Any

from strongroom.apiserver.catalogue import Catalogue
from strongroom.apiserver.resources import Resource

SUBRESOURCE_VERBS = ["get", "patch", "update"]


def build_core_versions(server: str) -> dict[str, Any]:
    """/api."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def build_group_list(catalogue: Catalogue) -> dict[str, Any]:
    """/apis."""
    groups = [build_group(name, versions) for name, versions in catalogue.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def build_group(name: str, versions: list[str]) -> dict[str, Any]:
    """One group; its first version is preferred."""
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def build_resource_list(catalogue: Catalogue, group: str, version: str) -> dict[str, Any]:
    """/api/v1 or /apis/GROUP/VERSION."""
    entries: list[dict[str, Any]] = []
    for resource in catalogue.of_version(group, version):
        entries.append(_entry(resource))
        entries += [_subentry(resource, name) for name in resource.subresources]
        entries += [_question(resource, name, asked) for name, asked in resource.questions.items()]
    group_version = f"{group}/{version}" if group else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": entries,
    }


def _entry(resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.name_of_one,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _subentry(resource: Resource, subresource: str) -> dict[str, Any]:
    return {
        "name": f"{resource.plural}/{subresource}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": SUBRESOURCE_VERBS,
    }


def _question(resource: Resource, subresource: str, asked: Resource) -> dict[str, Any]:
    entry = _subentry(resource, subresource)
    return {
        **entry,
        "group": asked.group,
        "version": asked.version,
        "kind": asked.kind,
        "verbs": sorted(asked.verbs),
    }
