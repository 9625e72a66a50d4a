#!/bin/sh
# What is in this image, for those who look for known faults: kind, package, version and licence or source, one a line. Run inside of it.
set -eu
dpkg-query --show --showformat 'deb\t${Package}\t${Version}\t${source:Package}\n'
/opt/strongroom/bin/python3 - <<'PYTHON'
from importlib.metadata import distributions

found = {d.metadata["Name"]: d for d in distributions()}
for name in sorted(found, key=str.lower):
    meta = found[name].metadata
    licence = meta.get("License-Expression") or (meta.get("License") or "").split("\n")[0][:64]
    print("pypi", name, found[name].version, licence, sep="\t")
PYTHON
