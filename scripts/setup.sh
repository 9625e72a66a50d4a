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

root=""
[ "$(id -u)" = 0 ] || root=sudo
apt_update() { $root env DEBIAN_FRONTEND=noninteractive apt-get update -qq; }

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
    echo "setup: installing ${packages[*]}"
    apt_update
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

# The programs that the chart is tested with: helm out of a package that carries it, promtool out of Debian's Prometheus, without its server.
take_helm() {
    local folder
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' RETURN
    .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest "$folder" -r requirements/helm.txt
    .venv/bin/python -m zipfile -e "$folder"/*.whl "$folder"
    tar --extract --gzip --directory "$folder" --file "$folder"/aws_cdk/*/_jsii/*.jsii.tgz package/lib/layer.zip
    .venv/bin/python -m zipfile -e "$folder/package/lib/layer.zip" "$folder"
    install -m 755 "$folder/helm/helm" .venv/bin/helm
}

take_promtool() {
    local folder
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' RETURN
    chmod 755 "$folder"
    (cd "$folder" && apt-get download -qq prometheus 2>/dev/null) || { apt_update && (cd "$folder" && apt-get download -qq prometheus); }
    dpkg-deb --fsys-tarfile "$folder"/prometheus_*.deb | tar --extract --directory "$folder" ./usr/bin/promtool
    install -m 755 "$folder/usr/bin/promtool" .venv/bin/promtool
}

if [ "${1:-}" = --tests ]; then
    if [ "$(uname -m)" != x86_64 ]; then
        command -v helm >/dev/null || echo "setup: the chart's tests need helm, and the pinned one is for x86_64" >&2
    elif [ ! -x .venv/bin/helm ] || [ .venv/bin/helm -ot requirements/helm.txt ]; then
        take_helm
    fi
    command -v promtool >/dev/null || [ -x .venv/bin/promtool ] || take_promtool
fi
