"""From a join token to a credential: what is kept, what is replaced, and every way in which it fails."""

import stat
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from tests.integration.apiserver.serving import ServerThread
from tests.integration.joining.impostor import impostor
from tests.integration.joining.plane import Plane

from strongroom.agent.folders import StateFolder
from strongroom.agent.joining import credential_path, find_joined, find_stored, join
from strongroom.api.hostaccounts import (
    JoinToken,
    account_name,
    format_join_token,
    parse_join_token,
    read_claims,
)
from strongroom.apiserver.auth.accounts import Account, AccountTokens
from strongroom.apiserver.auth.authority import ensure_certificates
from strongroom.apiserver.auth.jwts import ensure_signing_key
from strongroom.apiserver.settings import Settings
from strongroom.cli.parts import agent
from strongroom.kube.authorities import der_of
from strongroom.kube.joinerrors import JoinFailed, JoinProblem
from strongroom.kube.kubeconfigs import read_credential


def refused(request, problem):
    """The one line that a joining ends with."""
    with pytest.raises(JoinFailed) as caught:
        join(request)
    assert caught.value.problem is problem
    text = str(caught.value)
    assert "\n" not in text
    assert problem.value.hint in text
    assert find_stored(request.state_dir) is None
    assert request.token not in text
    return text


def test_joining_keeps_a_credential_of_its_own_for_a_month(plane, host, request_to_join):
    request = request_to_join(plane.invite(host))
    path = join(request)
    assert path == credential_path(request.state_dir)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    credential = read_credential(path)
    claims = read_claims(credential.token)
    assert claims.name == f"strongroom-agent-{host}"
    assert claims.expires_at - claims.issued_at == timedelta(days=30)
    assert credential.token != parse_join_token(request.token).bearer


def test_the_same_command_line_joins_once_though_its_token_has_ended(plane, host, request_to_join):
    request = request_to_join(plane.invite(host))
    before = join(request).read_bytes()
    plane.revoke(host)
    assert join(request).read_bytes() == before
    assert find_joined(request.state_dir) == credential_path(request.state_dir)


def test_a_new_token_replaces_the_credential(plane, host, request_to_join):
    first = join(request_to_join(plane.invite(host))).read_bytes()
    plane.revoke(host)
    assert join(request_to_join(plane.invite(host))).read_bytes() != first


def test_a_failed_joining_leaves_the_credential_of_the_last_one(plane, host, request_to_join):
    path = join(request_to_join(plane.invite(host)))
    before = path.read_bytes()
    with pytest.raises(JoinFailed):
        join(request_to_join(plane.wrap(plane.mint(host, timedelta(hours=1), age=timedelta(days=1)))))
    assert path.read_bytes() == before


def test_a_mangled_token_is_refused(plane, host, request_to_join):
    text = refused(request_to_join(plane.invite(host)[:-3]), JoinProblem.BadToken)
    assert "not whole" in text


def test_a_token_for_another_host_is_refused_before_anything_is_sent(plane, host, request_to_join):
    text = refused(request_to_join(plane.invite(host), host_name="other"), JoinProblem.BadToken)
    assert f"strongroom-agent-{host}" in text
    assert "--host-name" in text


def test_a_token_that_ended_is_refused_with_its_end(plane, host, request_to_join):
    plane.invite(host)
    old = plane.wrap(plane.mint(host, timedelta(hours=1), age=timedelta(hours=2)))
    assert "the token ended at 20" in refused(request_to_join(old), JoinProblem.Refused)


def test_a_revoked_token_is_refused(plane, host, request_to_join):
    token = plane.invite(host)
    plane.revoke(host)
    assert "the token was revoked" in refused(request_to_join(token), JoinProblem.Refused)


def test_a_token_without_the_right_to_renew_itself_is_refused(plane, host, request_to_join):
    token = plane.invite(host)
    with plane.running.client() as api:
        path = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
        assert api.delete(f"{path}/strongroom-agent-{host}").status_code == 200
    text = refused(request_to_join(token), JoinProblem.Refused)
    assert "may not make this host's credential" in text


def test_another_control_plane_is_not_told_the_token(plane, host, request_to_join, tmp_path):
    with ServerThread(Settings(tmp_path / "other")) as other:
        request = request_to_join(plane.invite(host), server=other.endpoint.url)
        assert "another control plane" in refused(request, JoinProblem.WrongAuthority)


def test_an_impostor_that_shows_the_true_authority_is_not_told_the_token(
    plane, host, request_to_join, tmp_path
):
    own = ensure_certificates(tmp_path / "impostor", ["127.0.0.1"], datetime.now(UTC))
    with impostor(plane.running.ca.read_bytes(), own) as (url, seen):
        text = refused(request_to_join(plane.invite(host), server=url), JoinProblem.WrongAuthority)
    assert "is not its authority's" in text
    assert seen == ["/cacerts"]


def test_a_token_without_a_pin_trusts_the_machines_own_authorities_alone(plane, host, request_to_join):
    token = format_join_token(JoinToken(None, parse_join_token(plane.invite(host)).bearer))
    text = refused(request_to_join(token), JoinProblem.Unreachable)
    assert "certificate verify failed" in text


def test_a_token_with_the_authority_itself_joins_where_the_server_shows_none_and_nowhere_else(
    plane, host, request_to_join, tmp_path
):
    bearer = parse_join_token(plane.invite(host)).bearer
    token = format_join_token(JoinToken(None, bearer, der_of(plane.running.ca.read_bytes())))
    assert read_credential(join(request_to_join(token))).authority == plane.running.ca.read_bytes()
    own = ensure_certificates(tmp_path / "impostor", ["127.0.0.1"], datetime.now(UTC))
    with impostor(b"", own) as (url, seen):
        elsewhere = request_to_join(token, server=url, state_dir=tmp_path / "elsewhere")
        assert "is not its authority's" in refused(elsewhere, JoinProblem.WrongAuthority)
    assert seen == ["/cacerts"]
    junk = request_to_join(format_join_token(JoinToken(None, bearer, b"junk")), state_dir=tmp_path / "junk")
    assert "holds no certificate" in refused(junk, JoinProblem.BadToken)


@pytest.mark.parametrize(
    "junk", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"]
)
def test_a_server_without_an_authority_is_refused(plane, host, request_to_join, tmp_path, junk):
    own = ensure_certificates(tmp_path / "impostor", ["127.0.0.1"], datetime.now(UTC))
    with impostor(junk, own) as (url, _):
        refused(request_to_join(plane.invite(host), server=url), JoinProblem.WrongAuthority)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:1",
        "https://nowhere.invalid:16443",
        "http://127.0.0.1:1",
        "vault",
        "https://[",
        "https://h:x",
    ],
)
def test_an_unreachable_url_is_said_to_be_so(plane, host, request_to_join, url):
    refused(request_to_join(plane.invite(host), server=url), JoinProblem.Unreachable)


def test_a_port_that_speaks_no_tls_is_unreachable(plane, host, request_to_join):
    with impostor(b"", None) as (url, _):
        refused(request_to_join(plane.invite(host), server=url), JoinProblem.Unreachable)


def test_an_address_that_the_certificate_lacks_is_named_and_advertising_it_helps(
    host, request_to_join, tmp_path
):
    settings = Settings(tmp_path / "everywhere", host="0.0.0.0")
    with ServerThread(settings) as running:
        other = Plane(running)
        url = f"https://127.0.0.3:{running.endpoint.port}"
        text = refused(request_to_join(other.invite(host), server=url), JoinProblem.WrongName)
        assert "not for 127.0.0.3" in text
        assert "--advertise" in text
    with ServerThread(Settings(tmp_path / "everywhere", host="0.0.0.0", names=["127.0.0.3"])) as running:
        assert join(request_to_join(Plane(running).invite(host), server=url)).exists()


def test_a_clock_that_is_days_behind_is_named(host, request_to_join, tmp_path):
    state = tmp_path / "ahead"
    days = timedelta(days=2)
    ensure_certificates(state / "pki", ["127.0.0.1", "::1", "localhost"], datetime.now(UTC) + days)
    with ServerThread(Settings(state)) as running:
        ahead = Plane(running)
        # Not by `strongroom token`: a command of this clock cannot reach that API either.
        issuer = AccountTokens(ensure_signing_key(tmp_path / "key"), lambda *_: "u")
        bearer, _ = issuer.issue(Account("default", account_name(host), "u"), timedelta(hours=1))
        request = request_to_join(ahead.wrap(bearer), server=ahead.url, now=lambda: datetime.now(UTC) - days)
        text = refused(request, JoinProblem.ClockSkew)
    assert "not valid yet" in text
    assert "the control plane's clock is 2880 min ahead of it" in text


def test_a_state_folder_that_an_agent_uses_is_left_alone(plane, host, request_to_join):
    request = request_to_join(plane.invite(host))
    request.state_dir.mkdir()
    with StateFolder(request.state_dir).held():
        refused(request, JoinProblem.StateUnusable)


@pytest.mark.parametrize(
    "damage", [lambda _: b"kind: Config\n", lambda whole: whole[:1200], lambda _: b"\xff"]
)
def test_a_damaged_credential_asks_for_a_new_token(plane, host, request_to_join, damage):
    path = join(request_to_join(plane.invite(host)))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(JoinFailed) as caught:
        find_stored(path.parent)
    assert caught.value.problem is JoinProblem.NotJoined
    assert "strongroom token HOST" in str(caught.value)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--join", "https://127.0.0.1:1", "--token", "nonsense"], 64),
        (["--join", "https://127.0.0.1:1"], 80),
    ],
)
def test_the_command_ends_with_the_problems_code_and_one_line(tmp_path, words, code):
    state = ["--state", str(tmp_path), "--host-name", "web"]
    done = CliRunner().invoke(agent, [*state, *words])
    assert done.exit_code == code
    assert done.output.startswith("Error: ")
    assert done.output.count("\n") == 1


def test_no_two_problems_share_an_exit_code():
    codes = [problem.value.exit_code for problem in JoinProblem]
    assert len(set(codes)) == len(codes)


def test_the_token_may_come_from_a_file_or_the_environment(tmp_path, plane, host):
    token = plane.invite(host)[:-1]
    (tmp_path / "token").write_text(token + "\n")
    words = ["--state", str(tmp_path / "s"), "--host-name", host, "--join", plane.url]
    from_file = CliRunner().invoke(agent, [*words, "--token-file", str(tmp_path / "token")])
    from_environment = CliRunner().invoke(agent, words, env={"STRONGROOM_TOKEN": token})
    for done in (from_file, from_environment):
        assert done.exit_code == JoinProblem.BadToken.value.exit_code
        assert "not whole" in done.output
