#!/bin/sh
# The arrow checker finds what it exists to find: a forbidden include, a
# crossed third-party border, a folder that the table does not know.
set -eu
root=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/coro/base" "$dir/server/http" "$dir/server/new" "$dir/client" "$dir/loadgen"

echo '#include "server/http/route.h"' >"$dir/coro/base/up.c"
echo '#include <event2/event.h>' >"$dir/server/http/crossed.c"
echo '#include "x.h"' >"$dir/server/new/unknown.c"
echo '#include "coro/base/buf.h"' >"$dir/server/http/fine.c"

if found=$(sh "$root/conf/build/check_arrows.sh" "$dir" "$root/conf/build/arrows.txt"); then
    echo "the checker called a broken tree clean" >&2
    exit 1
fi
for breach in 'coro/base may not include' 'event2/event.h> may be included only' 'folder server/new is not'; do
    case $found in
    *"$breach"*) ;;
    *) echo "not reported: $breach" >&2; exit 1 ;;
    esac
done
case $found in *fine.c*) echo "a legal include was reported" >&2; exit 1 ;; esac
