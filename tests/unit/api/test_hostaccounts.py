"""The line that a person copies from one machine to another."""

import base64
import json
from datetime import UTC, datetime

import pytest

from strongroom.api.hostaccounts import JoinToken, format_join_token, parse_join_token, read_claims

PIN = bytes(range(32))


def bearer(**claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'ES256'})}.{part(claims)}.c2lnbmF0dXJl"


@pytest.mark.parametrize(("pin", "certificate"), [(PIN, None), (None, None), (None, b"\x30" * 400)])
def test_a_join_token_is_read_as_it_was_written(pin, certificate):
    token = JoinToken(pin, bearer(sub="x"), certificate)
    assert parse_join_token(format_join_token(token)) == token


def test_a_join_token_that_was_wrapped_on_its_way_is_still_whole():
    line = format_join_token(JoinToken(PIN, bearer(sub="x")))
    wrapped = "\n".join(line[at : at + 40] for at in range(0, len(line), 40))
    assert parse_join_token(f"  {wrapped}\n").pin == PIN


def test_a_join_token_cut_anywhere_is_known_to_be_cut():
    line = format_join_token(JoinToken(PIN, bearer(sub="x")))
    for length in range(len(line)):
        with pytest.raises(ValueError, match=r"not whole|no join token"):
            parse_join_token(line[:length])


def test_a_join_token_with_one_changed_letter_is_refused():
    line = format_join_token(JoinToken(PIN, bearer(sub="x")))
    for at in range(4, len(line)):
        changed = line[:at] + ("A" if line[at] != "A" else "B") + line[at + 1 :]
        with pytest.raises(ValueError, match="not whole"):
            parse_join_token(changed)


def test_a_join_token_is_not_shown_by_its_text():
    token = JoinToken(PIN, "secret")
    assert "secret" not in repr(token)


def test_claims_say_whose_a_token_is_and_when_half_of_its_life_is_over():
    account = {"namespace": "vault", "serviceaccount": {"name": "strongroom-agent-web", "uid": "u"}}
    claims = read_claims(bearer(iat=1_800_000_000, exp=1_800_007_200, **{"kubernetes.io": account}))
    assert (claims.namespace, claims.name) == ("vault", "strongroom-agent-web")
    assert claims.half_life == datetime.fromtimestamp(1_800_003_600, UTC)


@pytest.mark.parametrize(
    "token",
    ["", "a", "a.b.c", "a.é.c", bearer(), bearer(**{"kubernetes.io": None}), bearer(iat=1, exp=1e99)],
)
def test_what_is_no_accounts_token_has_no_claims(token):
    with pytest.raises(ValueError, match="no service account's token"):
        read_claims(token)
