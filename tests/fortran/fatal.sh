#!/bin/sh
# A call that fails without ierr says which and why, and ends the whole job with a status. Usage: fatal.sh PROGRAM [LAUNCHER…]
set -u
program=$1
shift
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
bad=0
# Open MPI's mpirun waits for two seconds before it reports a job that has ended in this way.
OMPI_MCA_odls_base_sigkill_timeout=0
export OMPI_MCA_odls_base_sigkill_timeout

# expect HOW STATUS TEXT [LAUNCHER…]; under a launcher the status need only be another than 0.
expect()
{
    how=$1 status=$2 text=$3
    shift 3
    timeout 20 "$@" "$program" "$how" > "$scratch/out" 2> "$scratch/err" < /dev/null
    rc=$?
    if [ $rc -eq 124 ]; then
        echo "fatal $how: did not end"; bad=1
    elif [ $# -eq 0 ] && [ $rc -ne "$status" ] || [ $rc -eq 0 ]; then
        echo "fatal $how: exit status $rc instead of $status"; bad=1
    fi
    if ! grep -q "$text" "$scratch/err"; then
        echo "fatal $how: no '$text' on stderr:"; cat "$scratch/err"; bad=1
    fi
    if grep -q 'went on' "$scratch/out"; then echo "fatal $how: the program went on"; bad=1; fi
}

expect open 1 'pp_server_open failed: invalid argument: .*-2' "$@"
expect fetch 1 'pp_fetch failed: the task reported a failure: .*as it should' "$@"
expect running 1 'pp_fetch failed: no such future' "$@"
expect end 9 'STOP 9' "$@"
expect read 2 'End of file' "$@"
expect callback 1 'pp_fetch failed: no such future' "$@"
expect size 1 'pp_fetch failed: no such future'
expect submit 1 'pp_submit_with failed: invalid argument: .*-9'
expect options 1 'pp_submit_with failed: invalid argument: .*pp_submit_options'
expect wait 1 'pp_wait failed: no such future.* null'
exit $bad
