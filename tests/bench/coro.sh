#!/bin/sh
# The runtime's own speed and memory, as "name value unit" lines.
# What each figure means: tests/bench/coro_bench.c
set -eu
cd "$(dirname "$0")/../.."
cmake --build build/release --target coro_bench -- --quiet >&2
exec build/release/bin/coro_bench
