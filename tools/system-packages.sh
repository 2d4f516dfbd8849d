#!/bin/sh
# Install the system packages that glrast needs and this Debian or Ubuntu machine lacks.
# usage: system-packages.sh PYTHON
# As root or through sudo; otherwise it prints the line to run and fails.
set -eu
python=${1:-python3}

missing=""
library() { ldconfig -p 2>/dev/null | grep -q "$1" || missing="$missing $2"; }
export PATH="$PATH:/sbin:/usr/sbin"

library 'libEGL\.so\.1' libegl1
library 'libGL\.so\.1' libgl1
library 'libEGL_mesa\.so\.0' libegl-mesa0
# Mesa's software rasterizer: a driver of its own up to 24.1, part of libgallium since
driver() { for file in "$@"; do [ -e "$file" ] && return 0; done; return 1; }
driver /usr/lib/*/dri/swrast_dri.so /usr/lib/*/libgallium-*.so || missing="$missing libgl1-mesa-dri"
command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || missing="$missing g++"
if ! command -v "$python" >/dev/null; then
    missing="$missing python3 python3-venv"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    missing="$missing python3-venv"
fi
# torch.compile's kernels include Python.h
header='import os, sysconfig as s; raise SystemExit(not os.path.exists(s.get_path("include") + "/Python.h"))'
"$python" -c "$header" 2>/dev/null || missing="$missing python3-dev"

if [ -n "$missing" ]; then
    line="apt-get install -y --no-install-recommends$missing"
    if ! command -v apt-get >/dev/null; then
        echo "glrast needs what Debian calls:$missing. There is no apt-get here; install them your system's way." >&2
        exit 1
    elif [ "$(id -u)" = 0 ]; then
        as=""
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        as="sudo"
    else
        echo "glrast needs system packages, and this user may not install them. Run as root:" >&2
        echo "    apt-get update && $line" >&2
        exit 1
    fi
    echo "installing:$missing"
    $as apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as $line >/dev/null
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "glrast needs Python 3.10 or newer; $("$python" --version) was found. Name another: make PYTHON=python3.12 ..." >&2
    exit 1
}
