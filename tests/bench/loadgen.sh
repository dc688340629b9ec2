#!/bin/sh
# What a request costs loadgen beside wrk, and how punctual its open loop is.
# ROUNDS=5 SECONDS_EACH=2 ./dev bench loadgen
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/bench/loadgen_bench.py
