#!/bin/sh
# Install what tests/browser needs: node and chromium (apt, as root or through sudo), three.js and the browser's driver (npm).
set -eu
missing=""
command -v npm >/dev/null || missing="$missing nodejs npm"
command -v chromium >/dev/null || [ -n "${CHROMIUM:-}" ] || missing="$missing chromium"
if [ -n "$missing" ]; then
    as=""
    [ "$(id -u)" = 0 ] || as="sudo"
    echo "installing:$missing"
    $as apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as apt-get install -y --no-install-recommends $missing >/dev/null
fi
cd "$(dirname "$0")/../tests/browser"
npm install --no-package-lock --no-audit --no-fund --silent # package.json names exact versions
