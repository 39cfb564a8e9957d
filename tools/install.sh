#!/usr/bin/env bash
# Makes .venv from nothing on a Debian with Python 3.11: system libraries, packages, the `dvp` command.
# Does nothing when all is up to date. DEVICE=cuda takes torch's newest GPU build instead of the tested CPU one.
set -euo pipefail
cd "$(dirname "$0")/.."
device=${DEVICE:-cpu}
stamp=.venv/.installed
wanted=$(cat pyproject.toml constraints/tested.txt <(echo "$device") | sha256sum | cut -d' ' -f1)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0

# What Blender's and OpenCV's wheels link to and a bare Debian lacks, each beside the library that shows its absence.
missing=()
present=$(/sbin/ldconfig -p)
while read -r library package; do
    [[ $present == *"$library"* ]] || missing+=("$package")
done <<'LIBRARIES'
libGL.so.1 libgl1
libEGL.so.1 libegl1
libX11.so.6 libx11-6
libXi.so.6 libxi6
libXrender.so.1 libxrender1
libXfixes.so.3 libxfixes3
libXxf86vm.so.1 libxxf86vm1
libxkbcommon.so.0 libxkbcommon0
libSM.so.6 libsm6
libICE.so.6 libice6
libgomp.so.1 libgomp1
libglib-2.0.so.0 libglib2.0-0
LIBRARIES

python=$(command -v python3.11 || true)
if [ -z "$python" ] && python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
    python=$(command -v python3)
fi
[ -n "$python" ] || missing+=(python3.11)
[ -z "$python" ] || "$python" -c 'import ensurepip' 2>/dev/null || missing+=(python3.11-venv)

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing system packages: ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
        python=${python:-$(command -v python3.11)}
    else
        echo "System packages are missing. Install them, then run the same command again:" >&2
        echo "    sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
fi

constraints=constraints/tested.txt
if [ "$device" = cuda ]; then
    constraints=$(mktemp)
    trap 'rm -f "$constraints"' EXIT
    grep -v -E '^(torch|triton|nvidia|cuda)' constraints/tested.txt >"$constraints"
fi
echo "Installing packages into .venv (a few minutes the first time)"
[ -x .venv/bin/python ] || "$python" -m venv .venv
rm -f "$stamp"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint "$constraints" --editable '.[test]'
echo "$wanted" >"$stamp"
