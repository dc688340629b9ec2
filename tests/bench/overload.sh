#!/bin/sh
# Twice the work that can be done, in each mode: what is still answered, what is
# refused, how soon the server is well again.  ROUNDS=3 ./dev bench overload
set -eu
cd "$(dirname "$0")/../.."
export DOMAIND_BIN="$PWD/build/release/bin"
export PYTHONPATH=tests/lib:tests/integration PYTHONDONTWRITEBYTECODE=1
# -P: not the folder of this script first, whose http.py would hide the library's
exec python3 -P tests/bench/overload.py
