#!/usr/bin/env bash
# The main job, end to end, in .demo/: a real PostgreSQL, `strongroom up`, a policy applied with kubectl, a verified backup,
# opened and restored with stock tools. Starts what it needs on loopback and stops just that. KEEP=1 leaves it running.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
root=$PWD
demo=$root/.demo
export PATH="$root/.venv/bin:$PATH"

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

# initdb refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

stop_demo() {
    local pid
    if [ -f "$demo/up.pid" ]; then
        pid=$(cat "$demo/up.pid")
        if kill -TERM "$pid" 2>/dev/null; then
            for _ in $(seq 150); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
            kill -KILL "$pid" 2>/dev/null || true
        fi
        rm -f "$demo/up.pid"
    fi
    if [ -f "$demo/postgres.dir" ]; then
        local cluster bin
        cluster=$(cat "$demo/postgres.dir") bin=$(cat "$demo/postgres.bin")
        [ -f "$cluster/data/postmaster.pid" ] && as_postgres "$bin/pg_ctl" --pgdata "$cluster/data" --mode immediate --wait stop >/dev/null || true
        case $cluster in */strongroom-demo-postgres.*) rm -rf "$cluster" ;; esac
        rm -f "$demo/postgres.dir"
    fi
}

if [ "${1:-}" = stop ]; then
    stop_demo
    echo "demo: stopped"
    exit 0
fi

stop_demo
rm -rf "$demo"
mkdir -m 700 "$demo"
mkdir "$demo/store"
[ -n "${KEEP:-}" ] || trap stop_demo EXIT
trap 'echo "demo: failed; the log is $demo/up.log" >&2; tail -n 20 "$demo/up.log" >&2 2>/dev/null || true; stop_demo' ERR
trap 'exit 130' INT TERM

free_port() { python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

say "A real PostgreSQL with a shop in it"
bin=$(dirname "$(ls -1 /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)")
cluster=$(mktemp -d "${TMPDIR:-/tmp}/strongroom-demo-postgres.XXXXXX")
echo "$cluster" >"$demo/postgres.dir"
echo "$bin" >"$demo/postgres.bin"
[ "$(id -u)" != 0 ] || chown postgres: "$cluster"
port=$(free_port)
superuser_password=$(python -c 'import secrets; print(secrets.token_hex(16))')
backup_password=$(python -c 'import secrets; print(secrets.token_hex(16))')
(umask 077 && echo "$superuser_password" >"$demo/superuser.password" && printf '%s' "$backup_password" >"$demo/backup.password")
passwords=$cluster/initial && (umask 077 && echo "$superuser_password" >"$passwords")
[ "$(id -u)" != 0 ] || chown postgres: "$passwords"
as_postgres "$bin/initdb" --pgdata "$cluster/data" --username postgres --pwfile "$passwords" --auth scram-sha-256 \
    --encoding UTF8 --locale C.UTF-8 >/dev/null
rm -f "$passwords"
as_postgres "$bin/pg_ctl" --pgdata "$cluster/data" --wait --log "$cluster/log" \
    --options "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$cluster -c fsync=off" start >/dev/null
(umask 077 && echo "127.0.0.1:$port:*:postgres:$superuser_password" >"$demo/pgpass")
export PGPASSFILE=$demo/pgpass PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres
createdb shop
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --dbname shop --set rows="${ROWS:-115000}" --file manifests/samples/shop.sql >/dev/null
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --dbname shop <<SQL
CREATE ROLE shop_backup LOGIN PASSWORD '$backup_password' IN ROLE pg_read_all_data, shop_owner;  -- the owner, for its large objects
SQL
psql --no-psqlrc --tuples-only --dbname shop --command "SELECT pg_size_pretty(pg_database_size('shop')) || ' in database shop on 127.0.0.1:$port'"

say "strongroom up: API server, operator and agent"
strongroom up --state "$demo" --allow-store "$demo/store" --metrics-port 0 --tick-seconds 5 >"$demo/up.log" 2>&1 &
echo $! >"$demo/up.pid"
export KUBECONFIG=$demo/kubeconfig
for _ in $(seq 150); do [ -e "$KUBECONFIG" ] && kubectl get dockerhost local >/dev/null 2>&1 && break; kill -0 "$(cat "$demo/up.pid")"; sleep 0.2; done
show kubectl wait --for=condition=Ready dockerhost/local --timeout=60s

say "A Secret, a store, a policy and a first run, by kubectl"
show kubectl create secret generic shop-db --from-file=password="$demo/backup.password"
sed -e "s#/var/backups/strongroom #$demo/store #" -e "s#port: 5432#port: $port#" manifests/samples/quickstart.yaml >"$demo/quickstart.yaml"
show kubectl apply -f "$demo/quickstart.yaml"
show kubectl wait --for=jsonpath='{.status.completionTime}' backuprun/shop-first --timeout=120s
kubectl get backuprun shop-first -o jsonpath='{.status.phase}: {.status.message}{"\n"}'
show kubectl wait --for=condition=Succeeded backuprun/shop-first --timeout=1s
show kubectl wait --for=condition=Fresh backuppolicy/shop --timeout=30s

say "Am I safe?"
show kubectl get bp,br,bs,dh
echo
show strongroom status

say "The artifact opens without Strongroom, and holds all rows"
point=$(kubectl get backuprun shop-first -o jsonpath='{.status.recoveryPoint}')
file=$(ls "$demo/store/$point"/*.dump.zst)
ls -l "$demo/store/$point"
echo "\$ zstd -dc ${file#"$root/"} | pg_restore --list | head"
zstd -dc "$file" >"$demo/shop.dump"
"$bin/pg_restore" --list "$demo/shop.dump" | sed -n '1,16p'
createdb shop_restored
show "$bin/pg_restore" --dbname shop_restored --exit-on-error --no-owner "$demo/shop.dump"
rm "$demo/shop.dump"
count="SELECT string_agg(c, E'\n' ORDER BY c) FROM (SELECT format('%s %s', t.oid::regclass, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', t.oid::regclass), false, true, '')))[1]) AS c FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace WHERE t.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')) AS counts"
psql --no-psqlrc --tuples-only --no-align --dbname shop --command "$count" >"$demo/rows.original"
psql --no-psqlrc --tuples-only --no-align --dbname shop_restored --command "$count" >"$demo/rows.restored"
cmp "$demo/rows.original" "$demo/rows.restored"
echo "Restored into shop_restored: the same rows in $(wc -l <"$demo/rows.original") tables:"
cat "$demo/rows.restored"

say "A disaster, and the way back: planned, confirmed, compared, exchanged; the old state is kept for a day"
show kubectl create secret generic shop-admin --from-file=password="$demo/superuser.password"
show psql --quiet --no-psqlrc --dbname shop --command "SET client_min_messages = error" --command "DROP TABLE shop.order_line CASCADE"
show strongroom restore shop --in-place --db-user postgres --db-password shop-admin/password --confirm shop
psql --no-psqlrc --tuples-only --no-align --dbname shop --command "$count" >"$demo/rows.back"
cmp "$demo/rows.original" "$demo/rows.back"
echo "The same rows as before:"
show kubectl get rr,br

trap - ERR
if [ -n "${KEEP:-}" ]; then
    say "Left running"
    cat <<TXT
  export KUBECONFIG=$demo/kubeconfig PATH=$root/.venv/bin:\$PATH
  kubectl get bp,br,bs,dh
  strongroom backup shop --wait
  psql postgresql://postgres@127.0.0.1:$port/shop      # password: $demo/superuser.password
  make demo-stop
TXT
else
    say "Done; stopping what was started (KEEP=1 leaves it running)"
fi
