#!/usr/bin/env bash
# The image on the Engine of DOCKER_HOST: by the Dockerfile where its base image can be had, else from Debian packages in the same
# layout. Quick when only the code has changed. Its tags: strongroom:dev, strongroom:VERSION, and strongroom:VERSION-HASH of all that it
# is made from, which names the same content everywhere. Environment:
#   OFFLINE=1             asks no registry
#   APT_SOURCE, APT_KEY   a further source of Debian packages with PostgreSQL clients of other majors: a line of sources.list with
#                         [signed-by=/etc/apt/keyrings/further.asc], and the text of its key
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' operator/strongroom/__init__.py)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
contents=$(find operator/strongroom requirements/runtime.txt scripts/image*.sh Dockerfile pyproject.toml -type f -not -name '*.pyc' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | { cat; echo "${APT_SOURCE:-}"; } | sha256sum | cut -c1-12)
tags=(--tag strongroom:dev --tag "strongroom:$version" --tag "strongroom:$version-$contents")
labels=(
    --label org.opencontainers.image.title=strongroom
    --label "org.opencontainers.image.description=Backups for Docker hosts and clusters: operator, agent, worker and API server"
    --label "org.opencontainers.image.version=$version"
    --label "org.opencontainers.image.revision=$revision"
    --label "org.opencontainers.image.created=$(date --utc --date "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)"
    --label org.opencontainers.image.licenses=Apache-2.0
    --label dev.strongroom.contents=/opt/strongroom/contents.tsv
)
cache=${STRONGROOM_IMAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/strongroom}
begun=$SECONDS

say() { echo "image: $* ($((SECONDS - begun)) s)"; }

base_can_be_had() {
    [ -z "${OFFLINE:-}" ] || return 1
    docker image inspect debian:bookworm-slim >/dev/null 2>&1 || timeout 60 docker pull --quiet debian:bookworm-slim >/dev/null 2>&1
}

# Python, the PostgreSQL clients, and the packages of requirements/runtime.txt, as a tar.
write_base() {
    local packages='python3,?name(^postgresql-client-[0-9]+$),ca-certificates,tar,zstd,gpg,gpg-agent,openssl,openssh-client,rsync' sources proxy
    sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
        awk '$5 == "Debian" && $4 == "main" && $3 ~ /^bookworm(-updates|-security)?$/ { print $1, $2, $3, $4 }' | sort -u)
    proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
    local options=(--variant=minbase --mode=root --quiet --format=tar "--include=$packages" --dpkgopt=force-unsafe-io)
    for excluded in '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*'; do
        options+=("--dpkgopt=path-exclude=$excluded")
    done
    if [ -n "${APT_SOURCE:-}" ]; then
        # apt runs outside of the new root, and reads the key there.
        local keys=$1.keys key=/etc/apt/keyrings/further.asc
        mkdir -p "$keys" && echo "$APT_KEY" >"$keys/further.asc"
        sources+=$'\n'${APT_SOURCE/"$key"/"$keys/further.asc"}
        options+=("--customize-hook=install -D -m 644 '$keys/further.asc' \"\$1$key\"")
        options+=("--customize-hook=grep -rl '$keys' \"\$1/etc/apt\" | xargs sed -i 's|$keys/further.asc|$key|'; rm -r '$keys'")
    fi
    [ -z "$proxy" ] || options+=("--aptopt=Acquire::http::Proxy \"$proxy\"")
    options+=(--customize-hook="scripts/image-packages.sh \"\$1\"")
    echo "$sources" | mmdebstrap "${options[@]}" bookworm "$1" $([ -z "$sources" ] || echo -)
}

build_from_packages() {
    local key base archive
    key=$({ cat requirements/runtime.txt scripts/image.sh scripts/image-packages.sh && echo "${APT_SOURCE:-}"; } | sha256sum | cut -c1-16)
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
    tar --create --exclude __pycache__ --owner 0 --group 0 --directory operator strongroom --directory ../scripts image-contents.sh |
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
COPY image-contents.sh /usr/local/bin/
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/strongroom/site-packages/strongroom \\
    && image-contents.sh >/opt/strongroom/contents.tsv \\
    && printf 'pypi\\tstrongroom\\t$version\\tApache-2.0\\n' >>/opt/strongroom/contents.tsv
USER 10001:10001
DOCKERFILE
    DOCKER_BUILDKIT=0 docker build --quiet --network none "${tags[@]}" "${labels[@]}" "$context" >/dev/null 2>&1
}

if base_can_be_had; then
    docker build "${tags[@]}" "${labels[@]}" --build-arg "APT_SOURCE=${APT_SOURCE:-}" --build-arg "APT_KEY=${APT_KEY:-}" .
else
    command -v mmdebstrap >/dev/null || { echo "image: no registry can be reached; install mmdebstrap (apt-get install mmdebstrap)" >&2; exit 1; }
    build_from_packages
fi
say "strongroom:dev, strongroom:$version and strongroom:$version-$contents are ready"
