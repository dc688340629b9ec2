#!/bin/sh
# What faults cost, counted: drains and reloads under load, killed children and
# instances behind HAProxy.
# DRAINS=100 SECONDS_EACH=10 ./dev bench chaos
set -eu
cd "$(dirname "$0")/../.."
export DOMAIND_BIN="$PWD/build/release/bin"
export PYTHONPATH=tests/lib:tests/integration PYTHONDONTWRITEBYTECODE=1
exec python3 tests/bench/chaos_bench.py
