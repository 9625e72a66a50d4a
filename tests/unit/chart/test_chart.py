"""The chart, rendered by the real helm: valid objects for whatever the values say, and clear words for what they must not say."""

from typing import Any

import click
import pytest
import yaml
from tests.chart.helm import CHART, Refused, Release, find, render
from tests.chart.objects import find_faults

from strongroom import __version__
from strongroom.api.crds import build_crds
from strongroom.cli.parts import operator
from strongroom.controllers.settings import read_job_defaults

NONE = {"install": False}
KNOWN = Release(options=("--api-versions", "strongroom.dev/v1alpha1"))
STORE = {
    "name": "bucket",
    "namespace": "team-a",
    "spec": {
        "media": "object",
        "s3": {"bucket": "backups", "endpoint": "https://s3.example"},
        "limits": {"uploadBytesPerSecond": 10_000_000},
    },
}
EVERYTHING: dict[str, Any] = {
    "image": {"repository": "registry.example/strongroom", "tag": "1.2.3", "digest": f"sha256:{'0a' * 32}"},
    "imagePullSecrets": [{"name": "registry"}],
    "serviceAccount": {"annotations": {"example.com/role": "backup"}},
    "replicas": 2,
    "resources": {"limits": {"memory": "1Gi"}},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]
            }
        }
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "priorityClassName": "system-cluster-critical",
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "platform"},
    "extraArgs": ["--tick-seconds=30"],
    "jobDefaults": {
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
        "scratchSize": "10Gi",
        "tolerations": [{"key": "backup", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    },
    "dockerHosts": [
        {"name": "web-1", "namespace": "team-a", "serveNamespaces": ["team-b"]},
        {"name": "web-2"},
    ],
    "metrics": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True, "alertLabels": {"team": "platform"}},
        "dashboard": {"enabled": True},
    },
    "networkPolicy": {"enabled": True, "apiServerAddresses": ["10.0.0.1/32"]},
    "stores": [STORE],
    "policies": [
        {
            "name": "shop",
            "namespace": "team-a",
            "spec": {
                "schedule": "0 2 * * *",
                "stores": ["bucket"],
                "sources": [
                    {
                        "name": "database",
                        "postgres": {
                            "host": "db",
                            "user": "backup",
                            "passwordSecret": {"name": "db", "key": "password"},
                            "databases": ["shop"],
                        },
                    }
                ],
            },
        }
    ],
}


@pytest.fixture(scope="module")
def plain():
    return render()


@pytest.fixture(scope="module")
def everything():
    return render(EVERYTHING | {"crds": NONE}, KNOWN)


@pytest.fixture(scope="module")
def namespaced():
    return render({"watch": {"namespaces": ["team-a", "team-b"]}, "crds": {"install": False}})


def container(objects):
    (only,) = find(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return only


@pytest.mark.parametrize("values", ["plain", "everything", "namespaced"])
def test_every_object_is_one_that_a_strict_server_takes(values, request):
    objects = request.getfixturevalue(values)
    names = [
        (o["apiVersion"], o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects
    ]
    assert len(set(names)) == len(names)
    assert [fault for body in objects for fault in find_faults(body)] == []


@pytest.mark.parametrize("values", ["plain", "everything", "namespaced"])
def test_the_operator_is_started_with_options_that_it_has(values, request):
    words = container(request.getfixturevalue(values))["args"]
    assert words[0] == "operator"
    parsed = operator.make_context("operator", list(words[1:]), resilient_parsing=True)
    assert isinstance(parsed, click.Context)
    known = {option for parameter in operator.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words[1:]} <= known


def test_the_crds_are_those_of_the_models_and_stay_when_the_release_goes(plain):
    rendered = [o for o in plain if o["kind"] == "CustomResourceDefinition"]
    for crd in rendered:
        assert crd["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert sorted(rendered, key=str) == sorted(build_crds(), key=str)


def test_the_operator_of_all_namespaces_has_one_cluster_role_and_its_own_lease(plain):
    grants = {
        (o["kind"], o["metadata"]["name"]) for o in plain if o["kind"].endswith(("Role", "RoleBinding"))
    }
    assert grants == {
        (f"{scope}{kind}", name)
        for scope, name in (
            ("Cluster", "strongroom-operator"),
            ("Cluster", "strongroom-operator-services"),
            ("", "strongroom-operator-lease"),
        )
        for kind in ("Role", "RoleBinding")
    }


def test_an_operator_of_named_namespaces_has_nothing_of_the_clusters_scope(namespaced):
    assert not [o for o in namespaced if o["kind"].startswith("Cluster") or "namespace" not in o["metadata"]]
    roles = {(o["metadata"]["namespace"], o["metadata"]["name"]) for o in namespaced if o["kind"] == "Role"}
    assert roles == {
        ("team-a", "strongroom-operator"),
        ("team-a", "strongroom-operator-services"),
        ("team-b", "strongroom-operator"),
        ("team-b", "strongroom-operator-services"),
        ("strongroom", "strongroom-operator-lease"),
    }
    assert [word for word in container(namespaced)["args"] if word.startswith("--namespace")] == [
        "--namespace=team-a",
        "--namespace=team-b",
    ]


def test_whoever_does_not_want_workloads_scaled_leaves_that_right_out():
    objects = render({"rbac": {"services": False}, "crds": NONE})
    assert "apps" not in {g for o in objects for rule in o.get("rules", []) for g in rule["apiGroups"]}


def test_a_docker_host_gets_the_account_that_strongroom_token_makes(everything):
    accounts = {
        (o["metadata"]["namespace"], o["metadata"]["name"])
        for o in everything
        if o["kind"] == "ServiceAccount"
    }
    assert {("team-a", "strongroom-agent-web-1"), ("strongroom", "strongroom-agent-web-2")} < accounts
    roles = {
        o["metadata"]["namespace"]: o
        for o in everything
        if o["kind"] == "Role" and "web-1" in o["metadata"]["name"]
    }
    assert set(roles) == {"team-a", "team-b"}
    names = {name for rule in roles["team-a"]["rules"] for name in rule.get("resourceNames", [])}
    assert names == {"web-1", "strongroom-host-web-1", "strongroom-agent-web-1"}
    assert "dockerhosts" not in str(roles["team-b"])


def test_the_pod_is_restricted_as_pod_security_asks(everything):
    pod = find(everything, "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container(everything)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_digest_pins_the_image(plain, everything):
    assert container(plain)["image"] == f"strongroom:{__version__}"
    assert container(everything)["image"] == f"registry.example/strongroom:1.2.3@sha256:{'0a' * 32}"


def test_the_operator_reads_the_defaults_of_jobs_as_they_were_given(everything, tmp_path):
    settings = tmp_path / "job-defaults.yaml"
    settings.write_text(find(everything, "ConfigMap", "strongroom-operator")["data"][settings.name])
    assert f"--job-defaults=/etc/strongroom/{settings.name}" in container(everything)["args"]
    read = read_job_defaults(settings).to_api()
    assert EVERYTHING["jobDefaults"].items() <= read.items()
    assert read["image"] == container(everything)["image"]
    assert read["imagePullSecrets"] == EVERYTHING["imagePullSecrets"]


def test_the_chart_is_of_the_operators_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


def test_a_second_replica_is_kept_by_a_disruption_budget_and_a_single_one_blocks_no_drain(plain, everything):
    assert not [o for o in plain if o["kind"] == "PodDisruptionBudget"]
    budget = find(everything, "PodDisruptionBudget")["spec"]
    pods = find(everything, "Deployment")["spec"]["selector"]
    assert budget == {"maxUnavailable": 1, "selector": pods}


def test_stores_and_policies_come_with_the_release_and_outlive_it(everything):
    for kind in ("BackupStore", "BackupPolicy"):
        body = find(everything, kind)
        assert body["metadata"]["namespace"] == "team-a"
        assert body["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert find(everything, "BackupStore")["spec"] == STORE["spec"]


def test_policies_are_refused_with_the_way_out_while_the_cluster_does_not_know_them():
    with pytest.raises(Refused, match="Install once without stores and policies, then `helm upgrade`"):
        render({"stores": [STORE]})


def test_another_release_name_makes_other_names_everywhere():
    objects = render({"crds": NONE}, Release(name="vault"))
    named = {o["metadata"]["name"] for o in objects}
    assert {name for name in named if not name.startswith("vault-strongroom")} == set()
    (binding,) = [
        o
        for o in objects
        if o["kind"] == "ClusterRoleBinding" and not o["metadata"]["name"].endswith("services")
    ]
    assert binding["subjects"][0]["name"] == "vault-strongroom-operator"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"replicas": 0}, "/replicas"),
        ({"replica": 1}, "'replica' not allowed"),
        ({"logFormat": "xml"}, "/logFormat"),
        ({"watch": {"namespaces": ["Team A"]}}, "/watch/namespaces/0"),
        ({"metrics": {"serviceMonitor": {"enabled": "yes"}}}, "/metrics/serviceMonitor/enabled"),
        ({"dockerHosts": [{"namespace": "team-a"}]}, "missing property 'name'"),
        ({"policies": [{"name": "shop"}]}, "missing property 'spec'"),
        ({"networkPolicy": {"apiServerAddresses": ["10.0.0.1"]}}, "/networkPolicy/apiServerAddresses/0"),
        ({"metricsPort": 80}, "/metricsPort"),
        ({"jobDefaults": {"scratchsize": "1Gi"}}, "'scratchsize' not allowed"),
        (
            {"jobDefaults": {"resources": {"limits": {"memory": "much"}}}},
            "/jobDefaults/resources/limits/memory",
        ),
        (
            {"metrics": {"prometheusRule": {"enabled": True, "disabled": ["Nonsense"]}}},
            "there is no alert Nonsense; there are: StrongroomBackupNotFresh",
        ),
        (
            {"metrics": {"service": {"enabled": False}, "serviceMonitor": {"enabled": True}}},
            "turn metrics.service.enabled on",
        ),
        ({"serviceAccount": {"create": False}}, "serviceAccount.name: name the account"),
    ],
)
def test_bad_values_are_refused_with_their_place(values, words):
    with pytest.raises(Refused) as refused:
        render(values)
    assert words in str(refused.value)


def test_the_schema_knows_every_value_that_the_chart_has():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())

    def compare(value, node, path):
        if "properties" in node:
            assert set(value) == set(node["properties"]) - {"global"}, path
            for key, each in value.items():
                compare(each, node["properties"][key], f"{path}.{key}")

    compare(values, schema, "")
