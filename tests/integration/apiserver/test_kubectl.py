"""What a person types: stock kubectl of every supported version, unchanged."""

import json
import textwrap

import pytest
from tests.integration.apiserver.conftest import Kubectl

WIDGET = """\
apiVersion: demo.dev/v1
kind: Widget
metadata:
  name: a
spec:
  size: {size}
"""


def widget(size: int = 3) -> str:
    return WIDGET.format(size=size)


def field(kubectl: Kubectl, path: str, what: str = "widget/a") -> str:
    return kubectl("get", what, "-o", f"jsonpath={{{path}}}")


def test_apply_creates_then_changes_then_leaves_alone(kubectl: Kubectl):
    assert "created" in kubectl("apply", "-f", "-", stdin=widget())
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=widget())
    assert "configured" in kubectl("apply", "-f", "-", stdin=widget(5))
    assert field(kubectl, ".spec.size") == "5"
    assert field(kubectl, ".spec.color") == "red"


def test_apply_refuses_what_the_schema_refuses(kubectl: Kubectl):
    text = kubectl("apply", "-f", "-", stdin=widget(0), fails=True)
    assert "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1" in text


def test_apply_refuses_an_unknown_field_by_name(kubectl: Kubectl):
    text = kubectl("apply", "-f", "-", stdin=widget() + "  zork: 1\n", fails=True)
    assert 'unknown field "spec.zork"' in text


def test_server_side_apply_owns_its_fields(kubectl: Kubectl):
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", stdin=widget())
    text = kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=widget(4), fails=True)
    assert 'conflict with "kubectl"' in text
    kubectl(
        "apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", stdin=widget(4)
    )
    assert field(kubectl, ".spec.size") == "4"


def test_client_side_apply_can_be_moved_to_the_server(kubectl: Kubectl):
    kubectl("apply", "-f", "-", stdin=widget())
    kubectl("apply", "--server-side", "-f", "-", stdin=widget(4))
    assert field(kubectl, ".spec.size") == "4"


def test_get_prints_the_columns_of_the_definition(kubectl: Kubectl):
    kubectl("apply", "-f", "-", stdin=widget())
    header, row = kubectl("get", "wd").splitlines()
    assert header.split() == ["NAME", "SIZE", "READY", "AGE"]
    assert row.split()[:2] == ["a", "3"]
    assert kubectl("get", "demo", "-o", "wide").split()[:5] == ["NAME", "SIZE", "READY", "COLOR", "AGE"]
    assert kubectl("get", "widgets", "-A", "-o", "name")
    assert json.loads(kubectl("get", "wd", "a", "-o", "json"))["spec"] == {"color": "red", "size": 3}
    assert "kind: List" in kubectl("get", "wd", "-o", "yaml")
    assert "creationTimestamp" in kubectl("get", "wd", "--sort-by=.spec.size", "-o", "yaml")


def test_get_watch_prints_each_change(kubectl: Kubectl):
    kubectl("apply", "-f", "-", stdin=widget())
    watching = kubectl.start("get", "wd", "-w")
    try:
        assert watching.stdout.readline().split()[:2] == ["NAME", "SIZE"]
        assert watching.stdout.readline().split()[:2] == ["a", "3"]
        kubectl("patch", "wd", "a", "--type=merge", "-p", '{"spec":{"size":4}}')
        assert watching.stdout.readline().split()[:2] == ["a", "4"]
    finally:
        watching.kill()
        watching.communicate()


def test_patches_of_all_types(kubectl: Kubectl):
    kubectl("apply", "-f", "-", stdin=widget())
    kubectl("patch", "wd", "a", "--type=merge", "-p", '{"spec":{"size":7}}')
    assert field(kubectl, ".spec.size") == "7"
    kubectl("patch", "wd", "a", "--type=json", "-p", '[{"op":"replace","path":"/spec/size","value":8}]')
    assert field(kubectl, ".spec.size") == "8"
    assert "application/strategic-merge-patch+json is not supported" in kubectl(
        "patch", "wd", "a", "-p", "{}", fails=True
    )
    kubectl("patch", "wd", "a", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Done"}}')
    assert field(kubectl, ".status.phase") == "Done"


def test_annotate_and_label(kubectl: Kubectl):
    kubectl("apply", "-f", "-", stdin=widget())
    kubectl("annotate", "wd", "a", "note=yes")
    kubectl("label", "wd", "a", "tier=gold")
    assert kubectl("get", "wd", "-l", "tier=gold", "-o", "name") == "widget.demo.dev/a\n"
    assert kubectl("get", "wd", "-l", "tier!=gold", "-o", "name") == ""
    kubectl("label", "wd", "a", "tier-")
    assert kubectl("get", "wd", "-l", "tier", "-o", "name") == ""


def test_edit_with_a_script(kubectl: Kubectl, tmp_path):
    kubectl("apply", "-f", "-", stdin=widget())
    script = tmp_path / "edit"
    script.write_text("#!/bin/sh\nsed -i 's/size: 3/size: 9/' \"$1\"\n")
    script.chmod(0o755)
    assert "edited" in kubectl("edit", "wd", "a", EDITOR=str(script))
    assert field(kubectl, ".spec.size") == "9"


def test_diff_shows_what_would_change(kubectl: Kubectl):
    kubectl("apply", "-f", "-", stdin=widget())
    assert kubectl.run("diff", "-f", "-", stdin=widget()).returncode == 0
    done = kubectl.run("diff", "-f", "-", stdin=widget(6))
    assert done.returncode == 1
    assert "+  size: 6" in done.stdout
    assert kubectl.run("diff", "--server-side", "-f", "-", stdin=widget(6)).returncode == 1
    assert field(kubectl, ".spec.size") == "3"


def test_explain_reads_the_schema(kubectl: Kubectl):
    text = kubectl("explain", "widget.spec.size")
    assert "How big the widget is." in text
    assert "ObjectMeta" in kubectl("explain", "widget.metadata")
    assert "base64" in kubectl("explain", "secret.data")
    assert "backoffLimit" in kubectl("explain", "job.spec")


def test_replace_wants_the_present_version(kubectl: Kubectl):
    kubectl("apply", "-f", "-", stdin=widget())
    current = json.loads(kubectl("get", "wd", "a", "-o", "json"))
    current["spec"]["size"] = 4
    kubectl("replace", "-f", "-", stdin=json.dumps(current))
    text = kubectl("replace", "-f", "-", stdin=json.dumps(current | {"spec": {"size": 5}}), fails=True)
    assert "the object has been modified" in text


def test_wait_for_a_condition_and_for_deletion(kubectl: Kubectl):
    kubectl("apply", "-f", "-", stdin=widget())
    waiting = kubectl.start("wait", "--for=condition=Ready", "wd/a", "--timeout=20s")
    ready = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    kubectl("patch", "wd", "a", "--subresource=status", "--type=merge", "-p", ready)
    assert "condition met" in waiting.communicate(timeout=20)[0]
    waiting = kubectl.start("wait", "--for=delete", "wd/a", "--timeout=20s")
    kubectl("delete", "wd", "a")
    assert waiting.wait(timeout=20) == 0
    waiting.communicate()


def test_describe_and_events_show_what_was_reported(kubectl: Kubectl, namespace: str):
    kubectl("apply", "-f", "-", stdin=widget())
    uid = field(kubectl, ".metadata.uid")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "a-"},
        "involvedObject": {
            "apiVersion": "demo.dev/v1",
            "kind": "Widget",
            "name": "a",
            "namespace": namespace,
            "uid": uid,
        },
        "reason": "Painted",
        "message": "it is red now",
        "type": "Normal",
        "source": {"component": "painter"},
        "firstTimestamp": "2026-11-22T10:00:00.123456+00:00",
        "lastTimestamp": "2026-11-22T10:00:00.123456+00:00",
        "count": 1,
    }
    kubectl("create", "-f", "-", stdin=json.dumps(event))
    described = kubectl("describe", "wd", "a")
    assert "Painted" in described
    assert "it is red now" in described
    assert "widget/a" in kubectl("get", "events")
    assert "it is red now" in kubectl("events", "--for", "widget/a")
    assert kubectl("get", "events", "-o", "jsonpath={.items[0].firstTimestamp}") == "2026-11-22T10:00:00Z"


def test_secrets_and_configmaps_from_literals(kubectl: Kubectl):
    kubectl("create", "secret", "generic", "s", "--from-literal=password=se cret")
    assert field(kubectl, ".data.password", "secret/s") == "c2UgY3JldA=="
    assert kubectl("get", "secret", "s").split()[3:7] == ["AGE", "s", "Opaque", "1"]
    kubectl("patch", "secret", "s", "-p", '{"stringData":{"user":"me"}}')
    assert field(kubectl, ".data.user", "secret/s") == "bWU="
    kubectl("create", "configmap", "c", "--from-literal=a=b")
    assert field(kubectl, ".data.a", "configmap/c") == "b"
    assert "already exists" in kubectl("create", "configmap", "c", fails=True)


def test_client_side_apply_of_a_secret_removes_what_left_the_manifest(kubectl: Kubectl):
    head = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
    kubectl("apply", "-f", "-", stdin=head + "stringData: {a: '1', b: '2'}\n")
    kubectl("apply", "-f", "-", stdin=head + "data: {b: Mw==}\n")
    assert field(kubectl, ".data.b", "secret/s") == "Mw=="


def test_namespaces_come_and_go_with_what_they_hold(kubectl: Kubectl):
    name = f"{kubectl.namespace}-more"
    kubectl("create", "namespace", name)
    kubectl("create", "configmap", "c", "-n", name)
    assert "Active" in kubectl("get", "ns", name)
    kubectl("delete", "ns", name)
    assert "not found" in kubectl("get", "ns", name, fails=True)
    assert "not found" in kubectl("create", "configmap", "c", "-n", name, fails=True)


def test_who_am_i_and_what_may_i(kubectl: Kubectl):
    assert "yes" in kubectl("auth", "can-i", "create", "widgets")
    assert "*.*" in kubectl("auth", "can-i", "--list")
    assert "system:masters" in kubectl("auth", "whoami")


def test_api_resources_lists_names_and_verbs(kubectl: Kubectl):
    lines = kubectl("api-resources", "-o", "wide").splitlines()
    (row,) = [line for line in lines if line.startswith("widgets ")]
    assert "wd" in row.split()
    assert "demo.dev/v1" in row
    assert "demo.dev/v1" in kubectl("api-versions").splitlines()
    assert "strongroom" in kubectl("version")


def test_apply_of_a_kustomization(kubectl: Kubectl, tmp_path):
    (tmp_path / "w.yaml").write_text(widget())
    (tmp_path / "kustomization.yaml").write_text(
        textwrap.dedent("""\
        resources: [w.yaml]
        secretGenerator: [{name: s, literals: [a=b], options: {disableNameSuffixHash: true}}]
        """)
    )
    assert kubectl("apply", "-k", str(tmp_path)).count("created") == 2
    assert kubectl("apply", "-k", str(tmp_path)).count("unchanged") == 2
    assert kubectl("delete", "-k", str(tmp_path)).count("deleted") == 2


def test_prune_deletes_what_left_the_manifests(kubectl: Kubectl):
    map_yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{app: x}}}}\n"
    kubectl("apply", "-f", "-", stdin=map_yaml.format(name="one") + "---\n" + map_yaml.format(name="two"))
    text = kubectl("apply", "--prune", "-l", "app=x", "-f", "-", stdin=map_yaml.format(name="one"))
    assert "configmap/two pruned" in text


def test_definitions_can_be_read_and_applied_again(kubectl: Kubectl):
    definition = json.loads(kubectl("get", "crd", "widgets.demo.dev", "-o", "json"))
    kubectl("wait", "--for=condition=Established", "crd/widgets.demo.dev", "--timeout=10s")
    kept = {key: definition[key] for key in ("apiVersion", "kind", "spec")} | {
        "metadata": {"name": "widgets.demo.dev"}
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(kept))
    kept["spec"]["names"]["shortNames"] = ["other"]
    assert "it belongs to this server" in kubectl("apply", "-f", "-", stdin=json.dumps(kept), fails=True)


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_owned_objects_follow_their_owner(kubectl: Kubectl, cascade: str):
    kubectl("apply", "-f", "-", stdin=widget())
    uid = field(kubectl, ".metadata.uid")
    owner = {
        "apiVersion": "demo.dev/v1",
        "kind": "Widget",
        "name": "a",
        "uid": uid,
        "blockOwnerDeletion": True,
    }
    child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "ownerReferences": [owner]}}
    kubectl("create", "-f", "-", stdin=json.dumps(child))
    kubectl("delete", "wd", "a", f"--cascade={cascade}")
    if cascade == "orphan":
        assert field(kubectl, ".metadata.ownerReferences", "configmap/c") == ""
    else:
        kubectl("wait", "--for=delete", "configmap/c", "--timeout=10s")
