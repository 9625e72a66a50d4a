"""How is a PostgreSQL server read, over the network or inside its container? By client programs of its own major version.

Belongs here: connecting, what is known before a dump, pg_dump, pg_dumpall, and reading archives with pg_restore.
Forbidden: compression, encryption, stores; passwords in arguments or the environment.
"""
