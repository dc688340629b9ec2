#!/bin/sh
# CPU per request of domaind, of nginx and of a floor that only moves bytes.
# ROUNDS=15 SECONDS_EACH=1 IDLE=15000 ./dev bench http
set -eu
cd "$(dirname "$0")/../.."
cc -O2 -D_GNU_SOURCE -o build/release/http_floor tests/bench/http_floor.c
exec python3 tests/bench/http_bench.py
