#!/bin/sh
# run.sh NAME BINARY EXPECTED [LAUNCHER ...]
#
# Runs an example, as LAUNCHER ... BINARY with the arguments that NAME stands for, and compares its stdout with the
# file EXPECTED. Times and host names vary, so the table of statistics is replaced by one line before, from its title or
# its row of headings to the end of the output; EXPECTED has "[statistics]" there. Prints a diff when they differ.
set -u
LC_ALL=C
export LC_ALL
here=$(cd "$(dirname "$0")" && pwd)
usage='usage: run.sh NAME BINARY EXPECTED [LAUNCHER ...]'
name=${1:?$usage} binary=${2:?$usage} expected=${3:?$usage}
shift 3

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

data=$here/../../examples/data/globins.fa
case $name in
align) set -- "$@" "$binary" "$data" ;;
align-matrix) set -- "$@" "$binary" --matrix "$data" ;;
mandelbrot) set -- "$@" "$binary" "$dir/mandelbrot.png" ;;
*) set -- "$@" "$binary" ;;
esac

timeout "${RUN_TIMEOUT:-60}" "$@" </dev/null >"$dir/stdout" 2>"$dir/stderr"
status=$?

sed '/[Jj]ob execution statistics\|job count/,$c\
[statistics]' "$dir/stdout" >"$dir/masked"

failed=0
if [ "$status" -ne 0 ]; then
    echo "FAIL: $name ended with status $status"
    failed=1
fi
diff -u "$expected" "$dir/masked" || { echo "FAIL: $name printed something else (+) than expected (-)"; failed=1; }
if [ "$failed" -ne 0 ] && [ -s "$dir/stderr" ]; then
    echo "its stderr:"
    cat "$dir/stderr"
fi
exit "$failed"
