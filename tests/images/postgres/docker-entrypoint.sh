#!/bin/sh
# What the official image's entry point does, for POSIX shells: the first start makes the cluster, its user and database, and runs
# /docker-entrypoint-initdb.d against a server that listens on its socket only.
set -eu

# file_env NAME [DEFAULT]: the value of NAME, or the content of the file that NAME_FILE names, but not both.
file_env() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        echo "error: both $1 and $1_FILE are set (but are exclusive)" >&2
        exit 1
    fi
    if [ -n "$file" ]; then value=$(cat "$file"); fi
    if [ -z "$value" ]; then value=${2:-}; fi
    export "$1=$value"
    unset "$1_FILE"
}

read_settings() {
    file_env POSTGRES_PASSWORD
    file_env POSTGRES_USER postgres
    file_env POSTGRES_DB "$POSTGRES_USER"
    file_env POSTGRES_INITDB_ARGS
    POSTGRES_HOST_AUTH_METHOD=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
}

make_cluster() {
    (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/initial-password)
    [ -n "$POSTGRES_PASSWORD" ] || : >/tmp/initial-password
    set -- --username="$POSTGRES_USER" --auth=trust --no-sync
    [ -z "$POSTGRES_PASSWORD" ] || set -- "$@" --pwfile=/tmp/initial-password
    # The arguments are several words, as the official image takes them.
    eval "initdb \"\$@\" $POSTGRES_INITDB_ARGS"
    rm -f /tmp/initial-password
    printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
}

run_file() {
    case $1 in
        *.sh) if [ -x "$1" ]; then "$1"; else . "$1"; fi ;;
        *.sql) psql_init --file "$1" ;;
        *.sql.gz) gunzip -c "$1" | psql_init ;;
        *) echo "$0: ignoring $1" ;;
    esac
}

psql_init() {
    psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --no-password --dbname "$POSTGRES_DB" "$@"
}

fill_cluster() {
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    if [ "$POSTGRES_DB" != postgres ]; then
        echo 'CREATE DATABASE :"db" ;' |
            psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --no-password --dbname postgres --set db="$POSTGRES_DB"
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        [ ! -e "$file" ] || run_file "$file"
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
}

if [ "${1#-}" != "$1" ]; then set -- postgres "$@"; fi

if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R postgres:postgres "$PGDATA" /run/postgresql
    chmod 0700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    read_settings
    make_cluster
    fill_cluster
    echo 'PostgreSQL init process complete; ready for start up.'
fi

exec "$@"
