#!/bin/sh
# Remove GNU's tools, shells, perl, python and openssl, and put busybox's applets in their places.
set -eu
PATH=/usr/lib/postgresql/15/bin
export PATH
bb=/usr/bin/busybox
# busybox's own setpriv cannot change the user; Alpine's images carry su-exec for that.
$bb cp /usr/bin/setpriv /usr/local/bin/setpriv

for package in coreutils bash dash tar gzip grep sed findutils diffutils openssl perl-base perl mawk util-linux procps \
    python3.11-minimal python3-minimal debianutils hostname; do
    list=/var/lib/dpkg/info/$package.list
    [ -e "$list" ] || continue
    $bb grep -E '^(/usr)?/s?bin/[^/]+$' "$list" | while read -r file; do $bb rm -f "$file"; done
done
$bb rm -f /usr/bin/awk /usr/bin/perl* /usr/bin/python3*

for applet in $($bb --list); do
    [ "$applet" = busybox ] || [ "$applet" = setpriv ] || $bb ln -sf busybox "/usr/bin/$applet"
done
for program in /usr/lib/postgresql/15/bin/*; do
    $bb ln -s "$program" /usr/local/bin/
done
$bb rm -f /only-busybox.sh
