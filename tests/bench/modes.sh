#!/bin/sh
# What a request costs in each mode, prefork beside Apache's; many connections in
# thread mode.  ROUNDS=5 SECONDS_EACH=2 ./dev bench modes
set -eu
cd "$(dirname "$0")/../.."
export DOMAIND_BIN="$PWD/build/release/bin"
export PYTHONPATH=tests/lib:tests/integration:tests/bench PYTHONDONTWRITEBYTECODE=1
exec python3 tests/bench/modes_bench.py
