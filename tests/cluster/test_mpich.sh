# pprun with MPICH's mpiexec, whatever MPI the library was built for: programs that do not use MPI show where ranks start, what they
# get, and how they end.
command -v mpiexec.mpich > /dev/null || { echo "skipped: there is no mpiexec.mpich; package mpich has it"; exit 77; }
. "$(dirname "$0")/hosts.sh"
pprun="$pprun --mpi mpich"

# ---- One rank on each host, rank 0 on the first; the whole environment.
# shellcheck disable=SC2016,SC2086
MY_OWN='a b' at node-1 60 $pprun --hosts node-2,node-1,node-3 --workers 4 sh -c 'echo "$PMI_RANK of $PMI_SIZE on $(hostname): $PPMPI_WORKERS $MY_OWN $1"' sh ':'
[ $status -eq 0 ] && [ "$(sort "$out")" = "0 of 3 on node-2: 4 a b :
1 of 3 on node-1: 4 a b :
2 of 3 on node-3: 4 a b :" ] && [ ! -s "$err" ] || fail "--hosts"
# shellcheck disable=SC2016,SC2086
at node-3 60 $pprun --hosts node-1,node-2 -n 3 sh -c 'hostname'
[ $status -eq 0 ] && [ "$(sort "$out" | uniq -c | tr -s ' \n' ' ')" = " 2 node-1 1 node-2 " ] || fail "-n 3"
# shellcheck disable=SC2086
at node-1 60 $pprun --hosts node-1,node-2 --dry-run echo 'it is' here
at node-1 60 sh -c "$(cat "$out")"
[ $status -eq 0 ] && [ "$(grep -cx 'it is here' "$out")" -eq 2 ] || fail "--dry-run, pasted"
# shellcheck disable=SC2086
at node-1 60 $pprun --hosts node-3,node-2 --info
[ $status -eq 0 ] && [ "$(sed -n '2,3s/ .*//p' "$out" | tr '\n' ' ')" = 'node-3 node-2 ' ] || fail "--info"

# ---- Status, also of signals, which mpiexec itself does not tell.
for s in 0 1 3 11 127 255; do
    # shellcheck disable=SC2086
    at node-1 60 $pprun --hosts node-2,node-1 sh -c "[ \$PMI_RANK != 0 ] || exit $s"
    [ $status -eq $s ] || fail "status $s"
done
# shellcheck disable=SC2016,SC2086
at node-1 60 $pprun --hosts node-2,node-1 sh -c '[ $PMI_RANK != 0 ] || kill -SEGV $$'
[ $status -eq 139 ] || fail "signal 11"
nothing_runs

# ---- Hosts that cannot be had.
# shellcheck disable=SC2086
at node-1 60 $pprun --hosts node-1,node-9 sleep 30
[ $status -eq 2 ] && [ "$(lines "$err" '^pprun: node-9 cannot be reached: ssh: Could not resolve')" -eq 1 ] || fail "unknown host"
nothing_runs

# ---- Signals.
for signal in INT TERM HUP; do
    # shellcheck disable=SC2086
    begin 3 node-1 $pprun --hosts node-1,node-2,node-3 sh -c 'echo up; sleep 60'
    signal $signal node-1 "${pprun%% *}"
    ended
    [ $status -eq $((128 + $(kill -l $signal))) ] || fail "SIG$signal"
    [ $took -le 2000 ] || fail "SIG$signal: took $took ms"
    nothing_runs
done
# shellcheck disable=SC2086
begin 1 node-1 $pprun --hosts node-2 sh -c 'trap "echo got it; exit 7" USR1; echo up; while :; do sleep 0.1; done'
signal USR1 node-1 "${pprun%% *}"
ended
[ $status -eq 7 ] && [ "$(lines "$out" 'got it')" -eq 1 ] || fail "SIGUSR1"
finish
