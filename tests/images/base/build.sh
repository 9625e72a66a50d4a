#!/bin/sh
# The file system of Debian bookworm with all packages that the test images need, as a tar on standard output.
# From the mirrors that this machine's apt is configured with, where it is Debian bookworm itself; else from Debian's default.
set -eu

sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
    awk '$5 == "Debian" && $4 == "main" && $3 ~ /^bookworm(-updates|-security)?$/ { print $1, $2, $3, $4 }' | sort -u)
proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)

set -- --variant=minbase --mode=root --quiet --format=tar
set -- "$@" --include=postgresql-15,python3,python3-psycopg2,nginx-light,busybox,openssl
set -- "$@" --dpkgopt=force-unsafe-io
# LLVM serves only the JIT of long queries and is half of PostgreSQL's size; without llvmjit.so the server goes on without.
for excluded in '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' '/usr/lib/*/libLLVM*' \
    '/usr/lib/*/libz3.so*' '/usr/lib/postgresql/*/lib/bitcode/*' '/usr/lib/postgresql/*/lib/llvmjit*'; do
    set -- "$@" --dpkgopt="path-exclude=$excluded"
done
# The package would make a cluster for a host; an image makes its own at the first start.
set -- "$@" --dpkgopt=force-confold \
    --essential-hook='mkdir -p "$1/etc/postgresql-common" && echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"'
[ -z "$proxy" ] || set -- "$@" --aptopt="Acquire::http::Proxy \"$proxy\""

if [ -n "$sources" ]; then
    echo "$sources" | mmdebstrap "$@" bookworm - -
else
    mmdebstrap "$@" bookworm - </dev/null
fi
