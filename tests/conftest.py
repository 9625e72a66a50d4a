"""What every room of tests may ask for."""

from hypothesis import settings

pytest_plugins = [
    "tests.cluster.fixtures",
    "tests.docker.fixtures",
    "tests.s3.fixtures",
    "tests.ssh.fixtures",
]

# A busy machine is slow, not wrong.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
