#!/bin/sh
# Install what tests/mitsuba needs: the wheel (pip; 68 MB, 0.2 GB installed) and, on a processor for which the LLVM that is
# here is too old, a newer one (apt, as root or through sudo; 26 MB, 0.13 GB installed).
# usage: mitsuba-packages.sh PYTHON
set -eu
python=${1:-python3}
"$python" -m pip install -q 'mitsuba>=3.9'
why=$("$python" -c 'import glrast; print(glrast.mitsuba.missing())')
case $why in
*LLVM*)
    as=""
    [ "$(id -u)" = 0 ] || as="sudo"
    echo "installing: libllvm19 ($why)"
    $as apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as apt-get install -y --no-install-recommends libllvm19 >/dev/null
    ;;
esac
"$python" -c 'import glrast; raise SystemExit(glrast.mitsuba.missing() or None)'
