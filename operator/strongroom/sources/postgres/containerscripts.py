"""What `sh` does inside a PostgreSQL container before a client program. Fixed texts: values are positional parameters.

The variables are those of the official image: https://hub.docker.com/_/postgres, "Environment Variables".
"""

_BEGIN = r"""
chosen() {
  if [ -n "$1" ]; then
    printf %s "$1"
  elif [ -n "$2" ]; then
    IFS= read -r line <"$2"
    printf %s "$line"
  fi
}
for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin; do
  [ -d "$folder" ] && PATH=$PATH:$folder
done
"""

LOOK = (
    _BEGIN
    + r"""
owner=$(chosen "${POSTGRES_USER:-}" "${POSTGRES_USER_FILE:-}")
database=$(chosen "${POSTGRES_DB:-}" "${POSTGRES_DB_FILE:-}")
owner=${owner:-postgres}
printf '%s\n' "$owner" "${database:-$owner}"
exec pg_dump --version
"""
)
"""Prints the container's own user and database, and the version of its programs, a line each."""

RUN = (
    _BEGIN
    + r"""
unset PGHOST PGHOSTADDR PGSERVICE PGSERVICEFILE PGOPTIONS PGSSLMODE PGREQUIREAUTH PGCLIENTENCODING line
if [ -z "${PGPASSWORD:-}" ]; then
  PGPASSWORD=$(chosen "${POSTGRES_PASSWORD:-}" "${POSTGRES_PASSWORD_FILE:-}" 2>/dev/null)
fi
if [ -n "$PGPASSWORD" ]; then export PGPASSWORD; else unset PGPASSWORD; fi
exec "$@"
"""
)
"""Runs the program over the server's socket. A password that came as a secret goes before the container's own."""
