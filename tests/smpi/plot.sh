#!/bin/sh
# Draws the figure of libppmpi/SCALE.md, and prints its table: sh plot.sh ROWS PICTURE.svg; ROWS is what scale.sh writes.
set -u
LC_ALL=C
export LC_ALL
if [ $# -ne 2 ]; then
    echo 'usage: plot.sh ROWS PICTURE.svg' >&2
    exit 2
fi
rows=$1 picture=$2

fail()
{
    echo "plot.sh: $1" >&2
    exit 1
}
command -v gnuplot > /dev/null || fail 'gnuplot is missing; on Debian: apt-get install gnuplot-nox'
[ -s "$rows" ] || fail "there is no $rows; run scale.sh first"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# PROGRAM-MS: ranks, workers, seconds, efficiency, messages of the server a task, part of the time that its own work takes
awk -v dir="$dir" '/^program=/ {
    for (i = 1; i <= NF; i++) { split($i, pair, "="); v[pair[1]] = pair[2] }
    messages = v["program"] == "farm" ? (v["sent"] + v["received"]) / v["tasks"] : 2
    busy = v["program"] == "farm" ? v["server_busy"] : 0
    print v["ranks"], v["workers"], v["seconds"], v["efficiency"], messages, busy > dir "/" v["program"] "-" v["ms"]
}' "$rows"
for curve in loop-10 farm-10 farm-100; do
    [ -s "$dir/$curve" ] || fail "$rows has no rows of $curve"
    sort -n -o "$dir/$curve" "$dir/$curve"
done

echo '| ranks | plain loop | libppmpi | messages a task |'
echo '|---|---|---|---|'
awk 'NR == FNR { loop[$1] = $4; next } { printf "| %d | %.1f %% | %.1f %% | %.2f |\n", $1, 100 * loop[$1], 100 * $4, $5 }' \
    "$dir/loop-10" "$dir/farm-10"
echo
echo '| ranks of 64 workers | workers | libppmpi | messages a task |'
echo '|---|---|---|---|'
awk '{ printf "| %d | %d | %.1f %% | %.2f |\n", $1, $2, 100 * $4, $5 }' "$dir/farm-100"

gnuplot > "$dir/errors" 2>&1 <<END || fail "gnuplot failed: $(cat "$dir/errors")"
set terminal svg size 760,420 font "sans-serif,13" background "white"
set output "$dir/picture"
set logscale x 2
set xlabel "workers"
set ylabel "efficiency"
set xrange [12:90000]
set xtics (16, 64, 256, 1024, 4096, 16384, 65536)
set yrange [0:1.05]
set ytics 0.1
set grid xtics ytics linecolor "#e0e0e0"
set key left bottom Left reverse
plot 0.9 linecolor "#808080" dashtype 2 notitle, \
     "$dir/farm-100" using 2:4 with linespoints linecolor "#00a070" linewidth 2.5 pointtype 5 pointsize 0.5 \
         title "libppmpi, 64 workers a rank, 100 ms", \
     "$dir/farm-10" using 2:4 with linespoints linecolor "#0060b0" linewidth 2.5 pointtype 7 pointsize 0.5 \
         title "libppmpi, one worker a rank, 10 ms", \
     "$dir/loop-10" using 2:4 with linespoints linecolor "#a03030" linewidth 1.5 pointtype 11 pointsize 0.5 \
         title "plain loop, one worker a rank, 10 ms"
END
[ -s "$dir/picture" ] || fail "gnuplot drew nothing: $(cat "$dir/errors")"
cp "$dir/picture" "$picture" && echo "written: $picture" >&2
