#!/bin/bash
# test_left_behind_mpi.sh BUILD_DIR [PATTERN…]: programs under a launcher.
# shellcheck source=left_behind_cases.sh
. "$(dirname "$0")/left_behind_cases.sh"
[ -n "$launcher" ] || { echo "skipped: no launcher"; exit 77; }

for state in idle family; do
    add "mpi-close-$state" 2 close $state - - 0
    add "mpi-close3-$state" 2 close-return3 $state - - 3
    add "mpi-return-$state" 2 return $state - - 0
    add "mpi-return3-$state" 2 return3 $state - - 3
    add "mpi-exit7-$state" 2 exit7 $state - - 7
    add "mpi-_exit4-$state" 2 _exit4 $state - - nonzero
    add "mpi-segv-$state" 2 segv $state - - nonzero
    add "mpi-abort-$state" 2 abort $state - - nonzero
    add "mpi-fetch-$state" 2 fetch $state - - nonzero
    for target in rank0 rank1 launcher; do
        for signal in TERM INT KILL; do
            expected=nonzero
            [ $target = launcher ] && [ $signal = KILL ] && expected=137
            [ $target = launcher ] && [ $signal != KILL ] && [ "$mpi" = mpich ] && expected=any # its own affair
            add "mpi-$target-$signal-$state" 2 wait $state $target $signal $expected
        done
    done
done
add "mpi-close-busy" 2 close busy - - 0
add "mpi-return-busy" 2 return busy - - 0
add "mpi-thread-busy" 2 thread-exit6 busy - - 6
add "mpi-fail-open" 2 fail-open idle - - nonzero
add "mpi-1-close-busy" 1 close busy - - 0
add "mpi-1-exit7-family" 1 exit7 family - - 7
add "mpi-1-KILL-family" 1 wait family rank0 KILL nonzero
if [ "$mpi" = openmpi ]; then # MPICH with more ranks than cores takes seconds
    add "mpi-4-close-busy" 4 close busy - - 0
    add "mpi-4-exit7-family" 4 exit7 family - - 7
    add "mpi-4-KILL-family" 4 wait family rank3 KILL nonzero
fi

at_once=6
run_cases "$@"
