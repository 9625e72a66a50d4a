"""Secrets are read from files and never repeated."""

from pathlib import Path

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import SecretKeyReference
from strongroom.worker.secretfiles import SecretFiles


def test_a_secret_that_was_read_is_hidden_in_every_text(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db/password").write_text("hunter22\n")
    secrets = SecretFiles(tmp_path)
    assert secrets.read(SecretKeyReference(name="db", key="password"), "field") == b"hunter22\n"
    assert secrets.hide('FATAL: no entry for "hunter22"\nnext') == 'FATAL: no entry for "[secret]" next'


@pytest.mark.parametrize(
    ("name", "reason"),
    [("db", Reason.SecretKeyMissing), ("other", Reason.SecretMissing), ("empty", Reason.SecretMissing)],
)
def test_what_is_missing_is_named(tmp_path: Path, name: str, reason: Reason) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "user").write_text("other")
    (tmp_path / "empty").mkdir()  # a cluster's volume of a Secret that is not there
    with pytest.raises(StrongroomError, match=f"^some field: Secret {name}") as raised:
        SecretFiles(tmp_path).read(SecretKeyReference(name=name, key="password"), "some field")
    assert raised.value.reason is reason
