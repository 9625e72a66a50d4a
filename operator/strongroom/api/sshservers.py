"""What every store on an SSH server is told: where the server is, who logs in, and by which key it is known."""

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, Field

from strongroom.api.fields import AbsolutePath, Fields, Host, Port

HOST_KEY = r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,2}( [ -~]{0,128})?$"


def _is_whole(text: str) -> str:
    """The blob begins with the name of its type, with four bytes of length before it (RFC 4253, section 6.6)."""
    kind, encoded = text.split(" ")[:2]
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError("is no base64 after the type") from error
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise ValueError(f"holds no key of the type {kind}")
    return text


HostKey = Annotated[str, Field(max_length=1600, pattern=HOST_KEY), AfterValidator(_is_whole)]
"""A public key in one line: type, base64, and perhaps a comment."""


class SshServer(Fields):
    """A folder on a server that is reached by SSH."""

    host: Host = Field(description="SSH server.")
    port: Port = Field(default=22, description="SSH port.")
    user: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.][A-Za-z0-9_.@+-]*$")] = (
        Field(description="User to log in as.")
    )
    path: AbsolutePath = Field(description="Absolute path of an existing folder on the server.")
    host_key: HostKey = Field(
        description="The server's public key: type and base64, as in /etc/ssh/ssh_host_ed25519_key.pub or after the name in known_hosts. No other is accepted."
    )

    @property
    def address(self) -> str:
        """Server and folder in one word, as an agent's allowances name it: `backup.example:22/srv/backups`."""
        return f"{self.host}:{self.port}{self.path.rstrip('/')}"

    @property
    def login(self) -> str:
        """User and host in one word, as ssh, scp and rsync take it."""
        return f"{self.user}@{self.host}"

    def file(self, key: str) -> str:
        """Where a key is on the server."""
        return f"{self.path.rstrip('/')}/{key}"
