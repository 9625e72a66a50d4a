#!/usr/bin/env bash
# Make .venv with the pinned packages, and see that PostgreSQL, zstd and kubectl are there. Idempotent and quick when nothing is missing.
# --tests: also what the tests' own Docker Engines and their images are made with.
set -euo pipefail
cd "$(dirname "$0")/.."

python=""
for candidate in python3.11 python3.12 python3.13 python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo "setup: Python 3.11 or newer is needed (apt-get install python3 python3-venv)" >&2; exit 1; }

packages=()
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages+=(postgresql)
command -v zstd >/dev/null || packages+=(zstd)
"$python" -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
if [ "${1:-}" = --tests ]; then
    command -v dockerd >/dev/null || packages+=(docker.io)
    command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 || packages+=(docker-compose)
    command -v mmdebstrap >/dev/null || packages+=(mmdebstrap)
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || packages+=(debian-archive-keyring)
    command -v openssl >/dev/null || packages+=(openssl)
    command -v age >/dev/null || packages+=(age)
    { command -v gpg && command -v gpg-agent; } >/dev/null || packages+=(gpg gpg-agent)
    command -v ssh-keygen >/dev/null || packages+=(openssh-client)
    [ -x /usr/sbin/sshd ] || packages+=(openssh-server)
    command -v rsync >/dev/null || packages+=(rsync)
    command -v ip >/dev/null || packages+=(iproute2)
    command -v iptables >/dev/null || [ -x /usr/sbin/iptables ] || packages+=(iptables)
fi
if [ ${#packages[@]} -gt 0 ]; then
    root=""
    [ "$(id -u)" = 0 ] || root=sudo
    echo "setup: installing ${packages[*]}"
    $root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" >/dev/null
fi

stamp=.venv/strongroom-setup
wanted=$(cat pyproject.toml requirements/*.txt | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
    [ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
    .venv/bin/uv pip install --quiet --python .venv/bin/python -r requirements/dev.txt
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
    echo "$wanted" >"$stamp"
fi
