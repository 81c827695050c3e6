#!/bin/sh
# Runs the program `output` with standard output in a pipe, and looks for every line, once, whole, in its place.
# Usage: output.sh PROGRAM SCRATCH_DIR [LAUNCHER…]
set -u
program=$1 scratch=$2
shift 2
rm -rf "$scratch"
mkdir -p "$scratch" && cd "$scratch" || exit 2

bad=0
fail()
{
    echo "output: $*"
    bad=1
}

"$@" "$program" 2> errors | cat > printed
[ ! -s errors ] || grep -v '^STOP$' errors > serious
[ ! -s serious ] || fail "on stderr: $(cat serious)"
# Under a launcher each rank writes what comes before pp_server_open.
ranks=$(grep -c '^before open$' printed)
[ "$ranks" -ge 1 ] || fail "'before open' is missing"
[ "$ranks" -eq 1 ] || [ $# -gt 0 ] || fail "'before open' is there $ranks times"

i=1
while [ $i -le 40 ]; do
    for k in 1 2 3; do echo "task $i writes $k of 3"; done
    echo "unfinished $i"
    i=$((i + 1))
done | LC_ALL=C sort > expected
grep -E '^task|unfinished' printed | LC_ALL=C sort > found
cmp -s expected found || fail "lines of the tasks: $(diff expected found | head -5)"
# The lines of one task stand together, in its order.
awk '/^task/ { if ($4 == 1) current = $2; else if ($2 != current) exit 1 }
     /^unfinished/ { if ($2 != current) exit 1 }' printed || fail "the lines of two tasks are mixed"
[ "$(grep -c '^before stop$' printed)" -eq 1 ] || fail "'before stop' is not there once"

awk '/^before the table$/ { before = NR } /^after the table$/ { after = NR }
     END { exit !(before && after > before + 2) }' printed || fail "the table is not between the lines around it"
[ "$(tail -n 1 printed)" = 'closed, status of stop -10' ] || fail "the last line is: $(tail -n 1 printed)"

if [ $# -eq 0 ]; then # one process, one file
    { echo 'logged before'; i=1; while [ $i -le 40 ]; do echo "logged $i"; i=$((i + 1)); done; echo 'logged after'; } |
        LC_ALL=C sort > expected
    LC_ALL=C sort output.log > found
    cmp -s expected found || fail "lines in the file: $(diff expected found | head -5)"
fi
for i in 1 2 3 4; do
    [ "$(cat output-$i.txt 2> /dev/null)" = "file of $i" ] || fail "output-$i.txt has: $(cat output-$i.txt 2>&1)"
done
exit $bad
