"""An agent that cannot start says why and what to do."""

from strongroom.agent.run import run_agent
from strongroom.agent.settings import AgentSettings


def test_an_agent_without_any_credential_is_told_how_to_join(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = AgentSettings(
        kubeconfig=None, host_name="web-2", namespace="default", state_dir=tmp_path / "state"
    )
    assert run_agent(settings) == 1
    assert "strongroom token web-2" in caplog.text
    assert "--join" in caplog.text
