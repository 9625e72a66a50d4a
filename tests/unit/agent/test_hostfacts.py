import pytest

from strongroom.agent.hostfacts import operating_system, parse_version


@pytest.mark.parametrize(
    ("text", "major", "version"),
    [
        ("pg_dump (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)\n", 15, "15.8"),
        ("pg_dump (PostgreSQL) 18beta1\n", 18, "18beta1"),
        ("pg_dump (PostgreSQL) 9.6.24\n", 9, "9.6.24"),
    ],
)
def test_a_clients_version_is_read(text, major, version):
    client = parse_version(text)
    assert (client.major, client.version) == (major, version)


@pytest.mark.parametrize(
    "text", ["", "pg_dump: command not found", "pg_dump (PostgreSQL) x", "pg_dump (PostgreSQL) 7.4"]
)
def test_what_is_no_version_is_no_client(text):
    assert parse_version(text) is None


def test_the_system_has_a_name():
    assert 0 < len(operating_system()) <= 128
