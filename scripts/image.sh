#!/usr/bin/env bash
# The image strongroom:dev and strongroom:VERSION on the Engine of DOCKER_HOST: by the Dockerfile where its base image can be had,
# else from Debian packages in the same layout. Quick when only the code has changed. OFFLINE=1 does not ask any registry.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' operator/strongroom/__init__.py)
tags=(--tag strongroom:dev --tag "strongroom:$version")
cache=${STRONGROOM_IMAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/strongroom}
begun=$SECONDS

say() { echo "image: $* ($((SECONDS - begun)) s)"; }

base_can_be_had() {
    [ -z "${OFFLINE:-}" ] || return 1
    docker image inspect debian:bookworm-slim >/dev/null 2>&1 || timeout 60 docker pull --quiet debian:bookworm-slim >/dev/null 2>&1
}

# Python, the PostgreSQL clients, and the packages of requirements/runtime.txt, as a tar.
write_base() {
    local packages=python3,postgresql-client,ca-certificates,tar,zstd,gpg,gpg-agent,openssl,openssh-client,rsync sources proxy
    sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
        awk '$5 == "Debian" && $4 == "main" && $3 ~ /^bookworm(-updates|-security)?$/ { print $1, $2, $3, $4 }' | sort -u)
    proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
    local options=(--variant=minbase --mode=root --quiet --format=tar "--include=$packages" --dpkgopt=force-unsafe-io)
    for excluded in '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*'; do
        options+=("--dpkgopt=path-exclude=$excluded")
    done
    [ -z "$proxy" ] || options+=("--aptopt=Acquire::http::Proxy \"$proxy\"")
    options+=(--customize-hook="scripts/image-packages.sh \"\$1\"")
    echo "$sources" | mmdebstrap "${options[@]}" bookworm "$1" $([ -z "$sources" ] || echo -)
}

build_from_packages() {
    local key base archive
    key=$(cat requirements/runtime.txt scripts/image.sh scripts/image-packages.sh | sha256sum | cut -c1-16)
    base=strongroom-base:$key archive=$cache/base-$key.tar
    if ! docker image inspect "$base" >/dev/null 2>&1; then
        if [ ! -f "$archive" ]; then
            mkdir -p "$cache"
            rm -f "$cache"/base-*.tar "$archive.new"
            write_base "$archive.new"
            mv "$archive.new" "$archive"
            say "Debian packages and Python packages are in $archive"
        fi
        docker import --change 'ENV PATH=/opt/strongroom/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONUNBUFFERED=1' \
            --change 'USER 10001:10001' --change 'ENTRYPOINT ["strongroom"]' "$archive" "$base" >/dev/null
        say "$base is imported"
    fi
    tar --create --directory operator --exclude __pycache__ --owner 0 --group 0 strongroom |
        add_code "$base"
}

# Standard input: the package as a tar. It is the last layer, so that a change of the code costs seconds.
add_code() {
    local context
    context=$(mktemp -d)
    trap 'rm -rf "$context"' RETURN
    tar --extract --directory "$context"
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $1
USER 0
COPY strongroom /opt/strongroom/site-packages/strongroom
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/strongroom/site-packages/strongroom
USER 10001:10001
DOCKERFILE
    DOCKER_BUILDKIT=0 docker build --quiet --network none "${tags[@]}" "$context" >/dev/null 2>&1
}

if base_can_be_had; then
    docker build "${tags[@]}" .
else
    command -v mmdebstrap >/dev/null || { echo "image: no registry can be reached; install mmdebstrap (apt-get install mmdebstrap)" >&2; exit 1; }
    build_from_packages
fi
say "strongroom:dev and strongroom:$version are ready"
