#!/bin/sh
# The load that `./dev train` lets the recording programs run: what each is for, in
# every mode, for about ten seconds on this machine's own addresses.
#   conf/build/train.sh BIN_FOLDER
set -eu
bin=$1
work=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

sample='https://www.google.com/search?q=Enhancement&aq=f&sugexp=chrome,mod=0&sourceid=chrome&ie=UTF-8'
awk 'BEGIN {
    split("com org net de co.uk github.io com.au jp gov.uk io example", tops, " ")
    split("https://www. http:// https://cdn.static. https://user@ http://WWW. ftp:// www.", starts, " ")
    split("bücher xn--bcher-kva straße a-b-c", odd, " ")
    for (i = 0; i < 30000; i++) {
        name = i % 50 == 49 ? odd[i % 4 + 1] : "host" (i * 7919 % 31607)
        host = i % 40 == 39 ? "http://192.168." i % 256 "." i % 199 : starts[i % 7 + 1] name "." tops[i % 11 + 1]
        print host (i % 9 == 0 ? ":8080" : "") "/path/" i "?q=" i * 31 (i % 5 == 0 ? "%20x#part" : "")
    }
}' >"$work/urls"

# serve MODE [FLAG...]: sets $server and $base.
serve() {
    : >"$work/log" # what the last one said, or it would be taken for ready
    "$bin/domaind" --mode="$@" --listen=127.0.0.1:0 2>"$work/log" &
    server=$!
    for _ in $(seq 100); do
        grep -q ': ready' "$work/log" && break
        kill -0 $server 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.1
    done
    base=http://$(sed -n 's/.*listening on \(.*\)/\1/p' "$work/log" | head -n 1)
}

# Programs write what they counted when they end by themselves.
stop() {
    kill $server
    wait $server
    server=
}

# What it measured does not matter: recording programs are slow, some lines are refused.
load() {
    "$bin/loadgen" -q -d "$@" >/dev/null 2>&1 || true
}

for mode in coroutine thread prefork; do
    serve $mode --workers=1
    load 1500ms -c 32 "$base/domain?url=$sample"
    load 300ms -c 16 --url-param=url -f "$work/urls" "$base/domain"
    load 300ms -c 32 --pipeline=16 "$base/domain?url=$sample"
    load 200ms -c 4 --no-keepalive "$base/domain?url=$sample"
    "$bin/domainc" query -q --server "$base" -c 8 -f "$work/urls" >"$work/out"
    stop
done
serve coroutine --workers=1
load 500ms -c 32 -R 20000 "$base/domain?url=$sample"
head -n 300 "$work/urls" >"$work/batch"
load 500ms -c 2 -b "@$work/batch" -H 'Content-Type: text/plain' "$base/domain"
for path in "profile?format=text" "profile?format=json" metrics tasks; do
    load 100ms -c 1 "$base/$path"
done
stop

"$bin/coro_bench" yield yield_accounted spawn_join channel >"$work/out"

for format in ndjson tsv text; do
    "$bin/domainc" extract -j1 --format=$format "$work/urls" >"$work/out"
done
"$bin/domainc" extract -j1 --count=10 "$work/urls" >"$work/out"
for engine in scan regex pcre pcre-jit; do
    "$bin/domainc" extract -q --repeat=100000 --engine=$engine "$sample" >"$work/out"
done
