"""A real SSH server for tests, and a proxy in front of it that fails when it is told to."""
