"""Older kubectls, one story each (the newest one has test_kubectl.py; STRONGROOM_ALL_KUBECTLS=1 runs that with all of them)."""

from tests.integration.apiserver.conftest import Kubectl
from tests.integration.apiserver.test_kubectl import field, widget


def test_the_life_of_a_widget_and_a_secret(older_kubectl: Kubectl):
    kubectl = older_kubectl
    assert "created" in kubectl("apply", "-f", "-", stdin=widget())
    assert "configured" in kubectl("apply", "-f", "-", stdin=widget(5))
    assert kubectl.run("diff", "-f", "-", stdin=widget(6)).returncode == 1
    kubectl("apply", "--server-side", "-f", "-", stdin=widget(4))
    assert kubectl("get", "wd").split()[:6] == ["NAME", "SIZE", "READY", "AGE", "a", "4"]
    kubectl("patch", "wd", "a", "--type=json", "-p", '[{"op":"replace","path":"/spec/size","value":8}]')
    ready = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    kubectl("patch", "wd", "a", "--subresource=status", "--type=merge", "-p", ready)
    kubectl("wait", "--for=condition=Ready", "wd/a", "--timeout=10s")
    kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    assert field(kubectl, ".data.a", "secret/s") == "Yg=="
    assert "yes" in kubectl("auth", "can-i", "create", "widgets")
    assert "How big" in kubectl("explain", "widget.spec.size")
    kubectl("delete", "wd", "a")
    assert "not found" in kubectl("get", "wd", "a", fails=True)
