#!/bin/sh
# Fill the running stack's database and media volume: ./seed.sh [ORDERS] [FILES]. Both are the same for the same numbers.
# The first run fills the database; COMPOSE names another program than `docker compose`.
set -eu
cd "$(dirname "$0")"
orders=${1:-10000}
files=${2:-300}
compose=${COMPOSE:-docker compose}

# Unquoted: the program and its subcommand are two words.
$compose exec -T postgresql sh -c 'exec psql --quiet --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set orders="$1"' psql "$orders" \
    <postgresql/seed.sql
$compose exec -T django-app python3 - "$files" <django-app/seed_media.py
