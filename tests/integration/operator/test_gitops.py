"""What lies in Git is what runs: nothing drifts from it, and GitOps tools see how each object is."""

import asyncio
import subprocess

import pytest
import yaml
from tests.chart.health import ask_argo, ask_flux, ask_kstatus
from tests.chart.helm import KUBECTL, ROOT

from strongroom.kube.kinds import HOSTS, POLICIES, RUNS, STORES

SAMPLES = ROOT / "manifests/samples"
FILES = sorted(
    path
    for path in SAMPLES.rglob("*.yaml")
    if "strongroom.dev/v1alpha1\nkind" in path.read_text() and "argocd" not in path.parts
)
SERVER_SIDE = ("--server-side", "--field-manager=gitops")


def kubectl(api, *words, text=None):
    return subprocess.run(
        [KUBECTL, "--kubeconfig", api.admin, *words],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def applied(api, world, path, flags):
    """Apply it in the world's namespace; returns what was applied."""
    bodies = [each for each in yaml.safe_load_all(path.read_text()) if each and each["kind"] != "Namespace"]
    text = yaml.safe_dump_all(
        each | {"metadata": each["metadata"] | {"namespace": world.namespace}} for each in bodies
    )
    done = kubectl(api, "apply", *flags, "-f", "-", text=text)
    assert done.returncode == 0, done.stderr
    return text


@pytest.mark.parametrize("flags", [(), SERVER_SIDE], ids=["client-side", "server-side"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SAMPLES).as_posix())
async def test_nothing_differs_right_after_a_sample_is_applied(api, world, path, flags):
    text = applied(api, world, path, flags)
    done = kubectl(api, "diff", *flags, "-f", "-", text=text)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("flags", [(), SERVER_SIDE], ids=["client-side", "server-side"])
async def test_nothing_differs_after_the_operator_has_worked_on_it(api, world, agent, flags):
    path = SAMPLES / "quickstart.yaml"
    async with world.operator(lease_seconds=60):
        text = await asyncio.to_thread(applied, api, world, path, flags)
        await world.until_phase("Succeeded", "Failed", run="shop-first")
        done = await asyncio.to_thread(kubectl, api, "diff", *flags, "-f", "-", text=text)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


async def test_tools_see_an_object_healthy_when_it_is(world, agent):
    await world.store()
    await world.policy()
    await world.run()
    names = ((STORES, "vault"), (POLICIES, "orders"), (HOSTS, "local"))
    for kind, name in names:
        assert ask_argo(await world.get(kind, name))[0] in {"Progressing", "Healthy"}
    async with world.operator(lease_seconds=60):
        await world.until_phase("Succeeded")
        for kind, name in names:
            await world.until_condition(kind, name, "Ready", "True")
        await world.until_condition(POLICIES, "orders", "Fresh", "True")
        for kind, name in (*names, (RUNS, "by-hand")):
            body = await world.get(kind, name)
            assert (ask_argo(body)[0], ask_kstatus(body)) == ("Healthy", "Current")
            assert kind == HOSTS or ask_flux(body) == "current"


async def test_tools_see_what_cannot_be_carried_out_with_its_message_and_a_change_until_it_is_read(
    world, agent
):
    await world.store()
    await world.policy(stores=["nowhere"])
    async with world.operator(lease_seconds=60):
        found = await world.until_condition(POLICIES, "orders", "Ready", "False")
        body = await world.get(POLICIES, "orders")
        assert ask_argo(body) == ("Degraded", found["message"])
        assert (ask_flux(body), ask_kstatus(body)) == ("failed", "InProgress")
    changed = await world.client.patch(POLICIES, world.namespace, "orders", {"spec": {"stores": ["vault"]}})
    assert (ask_argo(changed)[0], ask_flux(changed), ask_kstatus(changed)) == (
        "Progressing",
        "in progress",
        "InProgress",
    )
