#!/bin/sh
# What recording the call-table costs: a scope, a report, and % CPU of a request.
# ROUNDS=15 REQUESTS=60000 DELAY_S=30 ./dev bench profile
set -eu
cd "$(dirname "$0")/../.."
cc -O2 -fno-omit-frame-pointer -D_GNU_SOURCE -DDOMAIND_VERSION='"bench"' -I. \
    -o build/release/profile_bench tests/bench/profile_bench.c \
    build/release/server/libprofile.a build/release/coro/libprof.a build/release/coro/libbase.a \
    -lpcre2-8 -lz -lm -pthread
build/release/profile_bench
cc -O2 -D_GNU_SOURCE -I. -o build/release/report_delay tests/bench/report_delay.c
exec python3 tests/bench/profile_bench.py
