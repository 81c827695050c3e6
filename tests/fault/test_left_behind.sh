#!/bin/bash
# test_left_behind.sh BUILD_DIR [PATTERN…]: programs that are started plainly.
# shellcheck source=left_behind_cases.sh
. "$(dirname "$0")/left_behind_cases.sh"

for state in idle busy family; do
    add "plain-close-$state" 0 close $state - - 0
    add "plain-close3-$state" 0 close-return3 $state - - 3
    add "plain-return-$state" 0 return $state - - 0
    add "plain-exit7-$state" 0 exit7 $state - - 7
    add "plain-_exit4-$state" 0 _exit4 $state - - 4
    add "plain-segv-$state" 0 segv $state - - 139
    add "plain-fetch-$state" 0 fetch $state - - 1
    add "plain-thread-$state" 0 thread-exit6 $state - - 6
    add "plain-TERM-$state" 0 wait $state program TERM 143
    add "plain-INT-$state" 0 wait $state program INT 130
    add "plain-KILL-$state" 0 wait $state program KILL 137
    add "plain-group-INT-$state" 0 wait $state group INT 130
    add "plain-group-TERM-$state" 0 wait $state group TERM 143
    add "plain-group-KILL-$state" 0 wait $state group KILL 137
    add "plain-handler-$state" 0 handler $state program TERM 35
done
add "plain-fail-open" 0 fail-open idle - - 1

run_cases "$@"
