"""What a policy backs up: named sources, each of exactly one type."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from strongroom.api.containers import ContainerSelector
from strongroom.api.fields import Duration, Fields, Host, Identifier, Name, Pattern, Port, SecretKeyReference
from strongroom.api.filesources import ConfigSource, FilesSource
from strongroom.api.hooks import Hooks
from strongroom.api.rules import rule, with_rules

TlsMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]


class PostgresTls(Fields):
    """How the connection to PostgreSQL is protected (libpq's sslmode)."""

    mode: TlsMode = Field(
        default="prefer",
        description="libpq's sslmode. verify-full proves the server's identity and needs caSecret or a public CA.",
    )
    ca_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding the CA certificates (PEM) that the server's certificate must chain to.",
    )


class PostgresSource(Fields):
    """A PostgreSQL server, reached over the network or inside its container, and what of it is dumped.

    Inside a container the programs are the container's own, so that client and server are of one version.
    """

    model_config = with_rules(
        rule(
            "[has(self.host), has(self.container), has(self.labelled) && self.labelled].filter(x, x).size() == 1",
            "needs exactly one of host, container and labelled: true",
        ),
        rule(
            "!((has(self.databases) && size(self.databases) > 0) && (has(self.allDatabases) && self.allDatabases))",
            "needs either databases or allDatabases: true, and not both",
        ),
        rule(
            "!has(self.host) || ((has(self.databases) && size(self.databases) > 0) || (has(self.allDatabases) && self.allDatabases))",
            "needs either databases or allDatabases: true, and not both",
        ),
        rule("!has(self.host) || has(self.user)", "user is needed with host"),
    )

    host: Host | None = Field(
        default=None, description="Host name or address of the server, seen from where the Job runs."
    )
    container: ContainerSelector | None = Field(
        default=None, description="Container of the Docker host that the server runs in."
    )
    labelled: bool = Field(
        default=False,
        description="Every container of the host with the label strongroom.dev/policy=<this policy's name>, or <namespace>/<name>.",
    )
    port: Port = Field(
        default=5432, description="TCP port of the server; also the one its socket is named after."
    )
    tls: PostgresTls = Field(default_factory=PostgresTls, description="Protection of the connection.")
    user: Identifier | None = Field(
        default=None,
        description="Role that dumps. It must be able to read all that is dumped. In a container the default is its POSTGRES_USER, else postgres.",
    )
    password_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding the role's password. Without it the server must trust the connection; in a container its POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE is used.",
    )
    databases: Annotated[list[Identifier], Field(max_length=64)] = Field(
        default_factory=list,
        description="Databases to dump, by their exact names. In a container the default is its POSTGRES_DB, else the user's.",
    )
    all_databases: bool = Field(
        default=False,
        description="Dump every database that allows connections, templates excepted, instead of a list.",
    )
    include_schemas: Annotated[list[Pattern], Field(max_length=64)] = Field(
        default_factory=list, description="Dump only schemas matching these pg_dump patterns."
    )
    exclude_schemas: Annotated[list[Pattern], Field(max_length=64)] = Field(
        default_factory=list, description="Leave out schemas matching these pg_dump patterns."
    )
    include_tables: Annotated[list[Pattern], Field(max_length=64)] = Field(
        default_factory=list, description="Dump only tables matching these pg_dump patterns."
    )
    exclude_tables: Annotated[list[Pattern], Field(max_length=64)] = Field(
        default_factory=list, description="Leave out tables matching these pg_dump patterns."
    )
    exclude_table_data: Annotated[list[Pattern], Field(max_length=64)] = Field(
        default_factory=list,
        description="Keep the definition but not the rows of tables matching these pg_dump patterns.",
    )
    globals: bool = Field(
        default=True,
        description="Also keep roles and tablespaces (pg_dumpall --globals-only, without passwords where these are unreadable).",
    )
    lock_timeout: Duration = Field(
        default="60s", description="Give up, and try again later, when a table stays locked this long."
    )
    allow_empty: bool = Field(
        default=False,
        description="Accept a database without a single table; otherwise it is taken for the wrong database.",
    )

    @model_validator(mode="after")
    def _list_or_all(self) -> "PostgresSource":
        if sum((self.host is not None, self.container is not None, self.labelled)) != 1:
            raise ValueError("needs exactly one of host, container and labelled: true")
        if self.databases and self.all_databases:
            raise ValueError("needs either databases or allDatabases: true, and not both")
        if self.host is not None and not (self.databases or self.all_databases):
            raise ValueError("needs either databases or allDatabases: true, and not both")
        if self.host is not None and self.user is None:
            raise ValueError("user is needed with host")
        if len(set(self.databases)) != len(self.databases):
            raise ValueError("databases must not name one database twice")
        return self


class Source(Fields):
    """One named thing to back up."""

    model_config = with_rules(
        rule(
            "[has(self.postgres), has(self.files), has(self.config)].filter(x, x).size() == 1",
            "needs exactly one type of source: postgres, files or config",
        ),
    )

    name: Name = Field(description="Name of the source within the policy; part of its artifacts' keys.")
    postgres: PostgresSource | None = Field(
        default=None, description="A PostgreSQL server, over the network or in a container."
    )
    files: FilesSource | None = Field(
        default=None, description="A volume or claim, a folder of the host, or a path in a container."
    )
    config: ConfigSource | None = Field(
        default=None, description="Configuration files, listed or found by a compose project's labels."
    )
    hooks: Hooks | None = Field(
        default=None, description="Services stopped and commands run around the reading of this source."
    )

    @model_validator(mode="after")
    def _one_type(self) -> "Source":
        if sum(kind is not None for kind in (self.postgres, self.files, self.config)) != 1:
            raise ValueError("needs exactly one type of source: postgres, files or config")
        return self

    @property
    def needs_engine(self) -> bool:
        """Whether a Docker Engine must be asked to read it, hooks not counted."""
        if self.postgres is not None:
            return self.postgres.host is None
        if self.files is not None:
            return self.files.path is None and self.files.persistent_volume_claim is None
        return self.config is not None and self.config.project is not None
