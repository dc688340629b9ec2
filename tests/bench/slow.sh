#!/bin/sh
# Clients that are slow on purpose, as slowhttptest makes them: slow heads, slow
# bodies, slow readers, endless ranges; what others notice of it, in each mode.
# CONNECTIONS=500 SECONDS_EACH=40 ./dev bench slow
set -eu
cd "$(dirname "$0")/../.."
command -v slowhttptest >/dev/null || { echo "slow: slowhttptest is not installed" >&2; exit 1; }
export DOMAIND_BIN="$PWD/build/release/bin"
export PYTHONPATH=tests/lib PYTHONDONTWRITEBYTECODE=1
exec python3 -P tests/bench/slow.py
