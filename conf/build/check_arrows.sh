#!/bin/sh
# Holds every #include in coro, server, client and loadgen against a table of
# allowed arrows (see the head of arrows.txt).  Prints one line per breach.
#   check_arrows.sh [ROOT [TABLE]]      exit 0 clean, 1 breached, 2 usage
set -eu
root=${1:-$(dirname "$0")/../..}
table=${2:-$root/conf/build/arrows.txt}
[ -r "$table" ] || { echo "check_arrows: cannot read $table" >&2; exit 2; }
cd "$root"

find coro server client loadgen -type f \( -name '*.c' -o -name '*.h' -o -name '*.S' \) 2>/dev/null |
LC_ALL=C sort | xargs -r grep -nH '^[[:space:]]*#[[:space:]]*include' |
awk -v table="$table" '
function dir(path) { return match(path, /.*\//) ? substr(path, 1, RLENGTH - 1) : "." }
# Does PATH lie in WHAT: the same file, or a file directly in that folder?
function is_in(path, what) { return path == what || dir(path) == what }
BEGIN {
    while ((getline line < table) > 0) {
        sub(/#.*/, "", line)
        if (split(line, word, /[[:space:]:]+/) < 2) continue
        rest = line; sub(/^[^:]*:/, "", rest)
        if (word[1] == "allow") allow[word[2]] = rest
        else if (word[1] == "border") border[word[2]] = rest
        else { print "check_arrows: bad line: " line; bad = 1 }
    }
}
{
    split($0, part, ":"); file = part[1]; at = part[1] ":" part[2]
    if (!match($0, /[<"][^>"]+[>"]/)) next
    quoted = substr($0, RSTART, 1) == "\""
    target = substr($0, RSTART + 1, RLENGTH - 2)
    if (quoted) {
        if (target !~ /\//) target = dir(file) "/" target
        here = dir(file)
        if (!(here in allow)) { print at ": folder " here " is not in the table"; bad = 1; next }
        if (dir(target) == here) next
        n = split(allow[here], ok, " ")
        for (i = 1; i <= n; i++) if (is_in(target, ok[i])) next
        print at ": " here " may not include " target; bad = 1
    } else {
        for (b in border) {
            if (b ~ /\/$/ ? index(target, b) != 1 : target != b) continue
            n = split(border[b], ok, " "); fine = 0
            for (i = 1; i <= n; i++) if (is_in(file, ok[i])) fine = 1
            if (!fine) { print at ": <" target "> may be included only by" border[b]; bad = 1 }
        }
    }
}
END { exit bad }'
