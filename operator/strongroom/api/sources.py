"""What a policy backs up: named sources, each of exactly one type."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from strongroom.api.fields import Duration, Fields, Host, Identifier, Name, Pattern, Port, SecretKeyReference
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
    """A PostgreSQL server reached over the network, and what of it is dumped."""

    model_config = with_rules(
        rule(
            "(has(self.databases) && size(self.databases) > 0) != (has(self.allDatabases) && self.allDatabases)",
            "needs either databases or allDatabases: true, and not both",
        ),
    )

    host: Host = Field(description="Host name or address of the server, seen from where the Job runs.")
    port: Port = Field(default=5432, description="TCP port of the server.")
    tls: PostgresTls = Field(default_factory=PostgresTls, description="Protection of the connection.")
    user: Identifier = Field(description="Role that dumps. It must be able to read all that is dumped.")
    password_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding the role's password. Without it the server must trust the connection.",
    )
    databases: Annotated[list[Identifier], Field(max_length=64)] = Field(
        default_factory=list, description="Databases to dump, by their exact names."
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
        if bool(self.databases) == self.all_databases:
            raise ValueError("needs either databases or allDatabases: true, and not both")
        if len(set(self.databases)) != len(self.databases):
            raise ValueError("databases must not name one database twice")
        return self


class Source(Fields):
    """One named thing to back up."""

    model_config = with_rules(
        rule(
            "has(self.postgres)",
            "needs exactly one type of source: postgres",
        ),
    )

    name: Name = Field(description="Name of the source within the policy; part of its artifacts' keys.")
    postgres: PostgresSource | None = Field(
        default=None, description="A PostgreSQL server reached over the network."
    )

    @model_validator(mode="after")
    def _one_type(self) -> "Source":
        if self.postgres is None:
            raise ValueError("needs exactly one type of source: postgres")
        return self
