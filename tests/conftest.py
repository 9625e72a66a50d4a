"""What every room of tests may ask for."""

pytest_plugins = ["tests.docker.fixtures", "tests.s3.fixtures", "tests.ssh.fixtures"]
