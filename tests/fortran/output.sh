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
grep -E '^task|^unfinished' printed | grep -vw 99 | LC_ALL=C sort > found
cmp -s expected found || fail "lines of the tasks: $(diff expected found | head -5)"
# The lines of a task are in its order.
awk '/^task/ { if ($4 != last[$2] + 1) exit 1; last[$2] = $4 }
     /^unfinished/ { if (last[$2] != 3) exit 1 }' printed || fail "the lines of a task are not in its order"
# The program's own lines are in their place.
awk '/^before the tasks$/ { begun = 1 } /^task/ && !begun { exit 1 }
     /^unfinished/ { ended[$2] = 1 } /^fetched/ && !ended[$2] { exit 1 }' printed || fail "lines of the program are not in their place"
[ "$(grep -cE '^(task 99 writes [123] of 3|unfinished 99|in a statement 99)$' printed)" -eq 5 ] || fail "lines of a task within a statement"
if grep '^nothing in' printed; then fail "a unit that is left open was not flushed at the end of the task"; fi
[ "$(grep -c '^before stop$' printed)" -eq 1 ] || fail "'before stop' is not there once"

awk '/^before the table$/ { before = NR } /^after the table$/ { after = NR }
     END { exit !(before && after > before + 2) }' printed || fail "the table is not between the lines around it"
[ "$(tail -n 1 printed)" = 'closed, status of stop -10' ] || fail "the last line is: $(tail -n 1 printed)"

if [ $# -eq 0 ]; then # one process, one file
    { echo 'logged before'; i=1; while [ $i -le 40 ]; do echo "logged $i"; i=$((i + 1)); done; echo 'logged after'; } |
        LC_ALL=C sort > expected
    grep -v ' 99$' output.log | LC_ALL=C sort > found
    cmp -s expected found || fail "lines in the file: $(diff expected found | head -5)"
fi
for i in 1 2 3 4; do
    [ "$(cat output-$i.txt 2> /dev/null)" = "file of $i" ] || fail "output-$i.txt has: $(cat output-$i.txt 2>&1)"
done
exit $bad
