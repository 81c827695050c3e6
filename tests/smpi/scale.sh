#!/bin/sh
# The figures of libppmpi/SCALE.md: sh scale.sh BUILD ROWS, BUILD being a build of the preset smpi. Writes one row of key=value for
# each run to ROWS; takes some ten minutes, and 4 GB of memory for 4096 ranks.
set -u
if [ $# -ne 2 ]; then
    echo 'usage: scale.sh BUILD ROWS' >&2
    exit 2
fi
here=$(dirname "$0") build=$1/tests/smpi rows=$2
: > "$rows" || exit 1

# run PROGRAM RANKS ARGUMENT...
run()
{
    program=$1 ranks=$2
    shift 2
    sh "$here/run.sh" "$ranks" "$build/$program.so" "$@" | tee -a "$rows" | grep . || exit 1
}

for ranks in 16 64 256 1024 2048 4096; do
    run smpi_loop "$ranks" --tasks-each 100 --ms 10
    run smpi_farm "$ranks" --tasks-each 100 --ms 10
done
for ranks in 16 64 256 1024; do
    run smpi_farm "$ranks" --tasks-each 10 --ms 100 --workers 64
done
