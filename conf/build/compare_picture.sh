#!/bin/sh
# Draws conf/compare.png, the README's picture of the modes: the plots of the
# report of one comparison, taken with headless Chromium.
#   conf/build/compare_picture.sh [REPORT.html]      without: runs the comparison first
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
report=${1:-$work/report.html}
[ $# -gt 0 ] || build/release/bin/loadgen compare -c 100 --html "$report"
# only the plots: the table stands in the README
{
    cat "$report"
    echo '<style>h1,h2,.verdict,details,main>p,main>.card{display:none}body{padding:8px;max-width:none}</style>'
} >"$work/picture.html"
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1180,835 \
    --virtual-time-budget=3000 --screenshot="$PWD/conf/compare.png" "file://$work/picture.html" \
    >/dev/null 2>&1
echo "conf/compare.png"
