#!/bin/bash
# test_guest.sh BUILD_DIR: the library is a guest in the program's process; see guest.c.
set -u
build=${1:?usage: test_guest.sh BUILD_DIR}
program=$build/tests/fault_guest
[ -x "$program" ] || { echo "no program $program"; exit 1; }
launcher=${TEST_MPIEXEC-$(command -v mpirun)}
failures=0

lines() { for i in $(seq 0 999); do echo "line $i"; done; }

part() { # part COMMAND… PART
    # A shell that starts it in the background would have it ignore SIGINT.
    lines | timeout 60 "$@" || { echo "FAIL: $* ended with status $?"; failures=$((failures + 1)); }
}

for p in children handlers interruptions ctrl_c input leaks; do part "$program" $p; done
if [ -n "$launcher" ]; then
    for p in children handlers interruptions input; do
        part "$launcher" -n 2 "$program" $p
        part "$launcher" -n 1 "$program" $p
    done
fi
echo "$failures failures"
[ $failures -eq 0 ]
