#!/bin/bash
# test_lost.sh BUILD_DIR: a rank dies or hangs, and the others go on; see lost.c. Only Open MPI's launcher can let them live.
set -u
build=${1:?usage: test_lost.sh BUILD_DIR}
program=$build/tests/fault_lost
[ -x "$program" ] || { echo "no program $program"; exit 1; }
launcher=${TEST_MPIEXEC-$(command -v mpirun)}
if [ "${TEST_MPI:-openmpi}" != openmpi ] || [ -z "$launcher" ]; then
    echo "skipped: this launcher ends the job when a rank dies"
    exit 77
fi
failures=0
mark=PPMPI_TEST_LOST=$$

# Processes of the farm are known by the mark in their environment.
left() { grep -lzs "^$mark\$" /proc/[0-9]*/environ 2>/dev/null | wc -l; }

for run in 'kill 4' 'stop 4' 'wake 4' 'cause 6'; do
    what=${run% *}
    printed=$(env "$mark" timeout 100 "$launcher" --enable-recovery -n "${run#* }" "$program" "$what" 2>"$build/tests/lost.err")
    case $printed in
    *"$what: as it should be"*) ;;
    *) echo "FAIL: $what: $printed"; cat "$build/tests/lost.err"; failures=$((failures + 1)) ;;
    esac
done

# Nobody is left when rank 0 goes.
env "$mark" timeout 60 "$launcher" --enable-recovery -n 4 "$program" rank0 >"$build/tests/lost.err" 2>&1
[ $? -ne 124 ] || { echo "FAIL: the launcher did not end after rank 0"; failures=$((failures + 1)); }
for i in 1 2 3 4 5 6 7 8 9 10; do
    n=$(left)
    [ "$n" -gt 0 ] || break
    sleep 0.2
done
[ "$n" -eq 0 ] || { echo "FAIL: $n processes are left"; failures=$((failures + 1)); }
echo "$failures failures"
[ $failures -eq 0 ]
