#!/bin/sh
# Called by mmdebstrap with the root of an image: the packages of requirements/runtime.txt in /opt/strongroom, and the user.
set -eu
root=$1
chroot "$root" python3 -m venv --without-pip /opt/strongroom
version=$(chroot "$root" python3 -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
packages=$root/opt/strongroom/lib/python$version/site-packages
.venv/bin/uv pip install --quiet --no-deps --python-version "$version" --target "$packages" --link-mode copy -r requirements/runtime.txt
rm -rf "$packages/bin"
# Workers see a root that they cannot write to: what is not compiled now is compiled at each start.
chroot "$root" /opt/strongroom/bin/python3 -m compileall -q --invalidation-mode unchecked-hash "/opt/strongroom/lib/python$version" || true
cat >"$root/opt/strongroom/bin/strongroom" <<'PYTHON'
#!/opt/strongroom/bin/python3
from strongroom.cli.main import main

main()
PYTHON
chmod 755 "$root/opt/strongroom/bin/strongroom"
ln -s "lib/python$version/site-packages" "$root/opt/strongroom/site-packages"
chroot "$root" useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin strongroom
