"""An operator with Roles and nothing else: what it lacks is told with the way out, ends nothing, and is used once it is there."""

import secrets
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from tests.integration.embedded import until
from tests.integration.operator.accounts import Account
from tests.integration.operator.plainagent import PlainAgent
from tests.integration.operator.probing import Probe
from tests.integration.operator.world import World

from strongroom.api.group import GROUP
from strongroom.api.labels import CONTROLLER_LEASE
from strongroom.kube.kinds import (
    EVENTS,
    HOSTS,
    JOBS,
    LEASES,
    NAMESPACES,
    POLICIES,
    RESTORES,
    RUNS,
    STORES,
    ApiKind,
)

LEASE_GROUP = LEASES.group
LISTED = (
    *((GROUP, kind.plural) for kind in (POLICIES, RUNS, STORES, HOSTS, RESTORES)),
    (JOBS.group, JOBS.plural),
)


class Tenant(World):
    """A namespace whose operator has an account of its own, and its Lease in another namespace."""

    async def settle(self, folder, *others: str) -> None:
        self.home = f"home-{secrets.token_hex(4)}"
        await self.client.create(NAMESPACES, None, {"metadata": {"name": self.home}})
        self.kubeconfig = folder / "operator.kubeconfig"
        self.account = Account(self.client, self.home, (self.home, self.namespace, *others))
        await self.account.create(self.api.admin, self.kubeconfig)
        self.probe = Probe(folder / "port")

    @asynccontextmanager
    async def running(self, **changes):
        base = {"kubeconfig": self.kubeconfig, "lease_namespace": self.home, "lease_seconds": 15}
        base |= {"metrics_port_file": self.probe.port_file, "resync_seconds": 0.4}
        async with self.operator(**base | changes) as task:
            yield task

    async def event(self, kind: ApiKind, reason: str, *words: str, namespace: str = "") -> None:
        async def told():
            events = (await self.client.list(EVENTS, namespace or self.namespace)).items
            return [
                event
                for event in events
                if (event["involvedObject"]["kind"], event["reason"]) == (kind.kind, reason)
                and all(word in event["message"] for word in words)
            ]

        await until(told, f"an Event of a {kind.kind} says {reason}: {words}")


@pytest.fixture
async def tenant(api, client, tmp_path):
    tenant = await Tenant.create(api, client)
    await tenant.settle(tmp_path)
    return tenant


@pytest.fixture
async def host(tenant, client):
    async with PlainAgent(client, tenant.namespace).alive() as agent:
        yield agent


async def test_roles_in_two_namespaces_are_all_it_needs_to_serve_both(api, client, tmp_path):
    one, two = await Tenant.create(api, client), await World.create(api, client)
    await one.settle(tmp_path, two.namespace)
    async with (
        PlainAgent(client, one.namespace).alive(),
        PlainAgent(client, two.namespace).alive(),
        one.running(namespaces=(one.namespace, two.namespace)),
    ):
        for world in (one, two):
            await world.store()
            await world.policy()
            await world.run()
        for world in (one, two):
            await world.until_phase("Succeeded")
        await one.probe.until_ready()
        assert await one.probe.metric("strongroom_operator_obstacle") == 0
        assert await one.probe.metric("strongroom_api_requests_total", code="403") == 0


async def test_without_rights_everywhere_it_says_how_to_serve_named_namespaces(tenant):
    async with tenant.running(namespaces=()) as task:
        text = await tenant.probe.until_unready("backuppolicies.strongroom.dev in all namespaces")
        assert "--namespace" in text
        assert not task.done()


async def test_a_right_that_lacks_at_the_start_is_waited_for(tenant, host):
    await tenant.store()
    await tenant.policy()
    await tenant.run()
    await tenant.account.lose(tenant.home, LEASE_GROUP, "leases", "create")
    await tenant.account.lose(tenant.namespace, GROUP, "restorerequests", "list")
    async with tenant.running():
        text = await tenant.probe.until_unready("create leases.coordination.k8s.io")
        assert f"in namespace {tenant.home}" in text
        assert (await tenant.probe.ask("/healthz"))[0] == 200
        await tenant.account.regain(tenant.home)
        text = await tenant.probe.until_unready("may not list restorerequests.strongroom.dev")
        assert f"in namespace {tenant.namespace}" in text
        assert "apply the Roles" in text
        words = ("restorerequests", tenant.namespace)
        leases = await tenant.client.list(LEASES, tenant.home)
        assert [lease["metadata"]["name"] for lease in leases.items] == [CONTROLLER_LEASE]
        await tenant.event(LEASES, "Forbidden", *words, namespace=tenant.home)
        assert await tenant.phase() == ""
        await tenant.account.regain(tenant.namespace)
        await tenant.until_phase("Succeeded")
        await tenant.probe.until_ready()


async def test_each_right_taken_away_is_told_ends_nothing_and_is_used_again_once_it_is_back(tenant, host):
    await tenant.store()
    await tenant.policy()
    async with tenant.running() as task:
        await tenant.run("first")
        await tenant.until_phase("Succeeded", run="first")
        for group, resource in LISTED:
            # And the one before is had back.
            await tenant.account.lose(tenant.namespace, group, resource, "list")
            lacking = f"may not list {resource}.{group} in namespace {tenant.namespace}"
            text = await tenant.probe.until_unready(lacking)
            assert "apply the Roles" in text
        await tenant.account.regain(tenant.namespace)
        await tenant.probe.until_ready()
        assert not task.done()
        await tenant.run("second")
        await tenant.until_phase("Succeeded", run="second")


async def test_a_watch_that_is_forbidden_is_told_and_taken_up_again(tenant, host):
    await tenant.account.lose(tenant.namespace, GROUP, "backupruns", "watch")
    async with tenant.running(resync_seconds=3600):
        await tenant.probe.until_unready("may not watch backupruns.strongroom.dev")
        await tenant.account.regain(tenant.namespace)
        await tenant.probe.until_ready()
        await tenant.run()
        await tenant.until_phase("Pending")


@pytest.mark.parametrize(
    ("group", "resource", "verbs", "kind", "name", "type_", "status"),
    [
        (GROUP, "backupruns", ("create",), POLICIES, "orders", "Ready", "False"),
        (JOBS.group, "jobs", ("create",), RUNS, "by-hand", "Succeeded", "Unknown"),
        (LEASE_GROUP, "leases", ("get",), HOSTS, "local", "Ready", "False"),
        (JOBS.group, "jobs", ("delete",), STORES, "vault", "Ready", "False"),
    ],
)
async def test_what_cannot_be_done_for_an_object_is_its_condition_until_it_can(
    tenant, host, group, resource, verbs, kind, name, type_, status
):
    await tenant.account.lose(tenant.namespace, group, resource, *verbs)
    await tenant.store()
    tenant.clock.shift = timedelta(minutes=30)
    await tenant.policy(schedule="* * * * *", suspend=resource != "backupruns")
    await tenant.run()
    async with tenant.running() as task:
        found = await tenant.until_condition(kind, name, type_, status, "Forbidden")
        lacking = f"may not {verbs[0]} {resource}.{group} in namespace {tenant.namespace}"
        assert lacking in found["message"]
        await tenant.event(kind, "Forbidden", lacking)
        assert await tenant.probe.metric("strongroom_refused_objects", reason="Forbidden") >= 1
        await tenant.account.regain(tenant.namespace)
        await tenant.until_phase("Succeeded")

        async def told_no_more():
            return (await tenant.condition(kind, name, type_)).get("reason") != "Forbidden"

        await until(told_no_more, "the condition speaks of other things")
        await tenant.probe.until_metric(0, "strongroom_refused_objects")
        assert not task.done()


async def test_a_status_that_cannot_be_written_is_told_by_event_and_metric_and_written_later(tenant, host):
    await tenant.account.lose(tenant.namespace, GROUP, "backuppolicies/status", "patch")
    await tenant.store()
    await tenant.policy()
    async with tenant.running():
        await tenant.event(POLICIES, "Forbidden", "may not patch backuppolicies.strongroom.dev/status")
        await tenant.probe.until_metric(1, "strongroom_refused_objects", kind="BackupPolicy")
        await tenant.account.regain(tenant.namespace)
        await tenant.until_condition(POLICIES, "orders", "Ready", "True")
        await tenant.probe.until_metric(0, "strongroom_refused_objects")


async def test_events_that_cannot_be_recorded_hold_up_nothing(tenant, host):
    await tenant.account.lose(tenant.namespace, "", "events", "create", "patch", "get")
    await tenant.store()
    await tenant.policy()
    async with tenant.running():
        await tenant.run()
        await tenant.until_phase("Succeeded")
        assert await tenant.all(EVENTS) == []
