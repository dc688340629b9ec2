#!/bin/sh
# What an extraction costs, one core: in the library, as a program, as a service.
# ROUNDS=5 ./dev bench domain
set -eu
libs="build/release/server/libdomain.a build/release/coro/libprof.a build/release/coro/libbase.a"
# shellcheck disable=SC2086
cc -std=gnu17 -O2 -D_GNU_SOURCE -I. -o build/release/domain_bench tests/bench/domain_bench.c $libs \
    $(pkg-config --cflags --libs libpcre2-8 libpsl) -lm -lpthread
exec python3 tests/bench/domain_bench.py
