#!/bin/bash
# Draws the efficiency curve: work done per core and second against the size of the tasks. Medians of the rounds.
set -u
export LC_ALL=C
if [ $# -ne 2 ]; then
    echo 'usage: plot.sh RESULTS.json PICTURE.svg; RESULTS.json is what run.sh writes' >&2
    exit 2
fi
results=$1 picture=$2

fail()
{
    echo "plot.sh: $1" >&2
    exit 1
}
command -v gnuplot >/dev/null || fail 'gnuplot is missing; on Debian: apt-get install gnuplot-nox'
command -v jq >/dev/null || fail 'jq is missing; on Debian: apt-get install jq'
[ -s "$results" ] || fail "there is no $results; build the target bench first"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

for system in plain mpi eight one; do
    jq -r --arg system $system '.efficiency[] | select(.system == $system) | [.size_us, .efficiency] | @tsv' \
        "$results" >"$dir/$system" || fail "$results cannot be read"
    [ -s "$dir/$system" ] || fail "$results has no curve $system"
done
gnuplot >"$dir/errors" 2>&1 <<END || fail "gnuplot failed: $(cat "$dir/errors")"
set terminal svg size 760,460 font "sans-serif,13" background "white"
set output "$dir/picture"
set logscale x 2
set xlabel "size of the tasks, microseconds"
set ylabel "efficiency on two cores"
set format x "%g"
set xrange [*:*] noextend
set yrange [0:1.05]
set ytics 0.1
set grid xtics ytics linecolor "#e0e0e0"
set key right bottom box linecolor "#c0c0c0" opaque
set style line 1 linecolor "#0060b0" linewidth 2.5 pointtype 7 pointsize 0.5
set style line 2 linecolor "#00a070" linewidth 2.5 pointtype 5 pointsize 0.5
set style line 3 linecolor "#d08000" linewidth 1.5 pointtype 9 pointsize 0.5
set style line 4 linecolor "#a03030" linewidth 1.5 pointtype 11 pointsize 0.5
plot 0.5 linecolor "#808080" dashtype 2 notitle, 0.9 linecolor "#808080" dashtype 2 notitle, \
     "$dir/plain" with linespoints linestyle 1 title "libppmpi, plain, 2 workers", \
     "$dir/mpi" with linespoints linestyle 2 title "libppmpi, mpirun -np 2", \
     "$dir/eight" with linespoints linestyle 3 title "MPI loop, 8 tasks in flight, 2 workers", \
     "$dir/one" with linespoints linestyle 4 title "textbook MPI loop, 2 workers"
END
[ -s "$dir/picture" ] || fail "gnuplot drew nothing: $(cat "$dir/errors")"
cp "$dir/picture" "$picture" && echo "written: $picture"
