# pprun on one machine: what is wrong use, what it runs, and that status, signals, input and output pass through.
. "$(dirname "$0")/../fault/program.sh"
program=$scratch/program
build_program "$program"
pprun=$build/launcher/pprun
mpi=${TEST_MPI:-openmpi}
cores=$(nproc)
[ -x "$pprun" ] || { echo "there is no $pprun"; exit 1; }

# wrong PATTERN ARGUMENT…: exit 2, nothing on stdout, and one sentence that matches
wrong()
{
    pattern=$1
    shift
    bounded 20 "$pprun" "$@"
    [ $status -eq 2 ] && [ ! -s "$out" ] && [ "$(lines "$err" .)" -eq 1 ] && [ "$(lines "$err" "^pprun: $pattern")" -eq 1 ] ||
        fail "wrong use: $*"
}

# ---- Wrong use.
wrong 'the program is missing; .* is right'
wrong 'the program is missing' --
wrong 'the program is missing' ''
wrong 'unknown option --foo; pprun --help' --foo "$program"
wrong 'unknown option -np; -n RANKS is right' -np 2 "$program"
wrong '--hosts needs names of hosts' --hosts
wrong '--hosts="": names of hosts are missing, such as node-1,node-2' --hosts '' "$program"
wrong '--hosts="": names' --hosts= "$program"
wrong '--hosts="a,,b": name 2 is empty' --hosts a,,b "$program"
wrong '--hosts="a b": "a b" is no name of a host' --hosts 'a b' "$program"
wrong '--hosts and --hostfile cannot stand together' --hosts a --hostfile b "$program"
wrong 'the host file /no/such cannot be read: No such file' --hostfile /no/such "$program"
printf 'node-1\n!!rubbish!!\n' > "$scratch/hosts"
wrong "the host file.*\|$scratch/hosts, line 2: \"!!rubbish!!\"" --hostfile "$scratch/hosts" "$program"
head -c 4000 "$program" > "$scratch/binary"
wrong "$scratch/binary, line 1: " --hostfile "$scratch/binary" "$program"
: > "$scratch/empty"
wrong "the host file $scratch/empty names no host" --hostfile "$scratch/empty" "$program"
for n in 0 -1 x '' 1.5 99999999999; do
    wrong "-n \"$n\": a number of ranks from 1 on is right" -n "$n" "$program"
    wrong "--workers \"$n\": a " --workers "$n" "$program"
done
wrong '--workers "5000": a whole number from 0 to 1024 is allowed' --workers 5000 "$program"
wrong '--timeout "soon": a number of seconds' --timeout soon "$program"
wrong '--retries "-1": a whole number' --retries=-1 "$program"
wrong '--stats takes no value, but "2"' --stats=2 "$program"
wrong '--mpi "lam": openmpi or mpich is right' --mpi lam "$program"
wrong '--info runs nothing, but a program was given' --info "$program"
export PPMPI_RETRIES=many
wrong 'PPMPI_RETRIES="many": a whole number from 0 to 60000 is allowed' "$program"
unset PPMPI_RETRIES
for hosts in '' ',' a,,b ' ' 'a b' ' a'; do
    export PPMPI_HOSTS="$hosts"
    wrong "PPMPI_HOSTS=\"$hosts\": " "$program" sum
    bounded 20 "$program" sum
    [ $status -eq 1 ] && [ "$(lines "$err" "^refused: PPMPI_HOSTS=\"$hosts\": ")" -eq 1 ] || fail "PPMPI_HOSTS='$hosts' of a program"
    unset PPMPI_HOSTS
done

# ---- No such program, and what cannot be run.
bounded 20 "$pprun" "$scratch/none"
[ $status -eq 127 ] && [ "$(cat "$err")" = "pprun: there is no program $scratch/none" ] || fail "no such program"
bounded 20 "$pprun" ppmpi-no-such-program
[ $status -eq 127 ] && [ "$(cat "$err")" = "pprun: there is no program ppmpi-no-such-program on the PATH" ] || fail "none on the PATH"
bounded 20 "$pprun" "$scratch/hosts"
[ $status -eq 126 ] && [ "$(lines "$err" 'cannot be executed: Permission denied')" -eq 1 ] || fail "not executable"
bounded 20 "$pprun" "$scratch"
[ $status -eq 126 ] || fail "a folder"
bounded 20 "$pprun" -n 2 "$scratch/none"
[ $status -eq 127 ] || fail "no such program, 2 ranks"

# ---- Plain: the program itself, with its words, its status, its process.
bounded 20 "$program" sum
plain=$(cat "$out")
bounded 20 "$pprun" "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "$plain" ] && [ ! -s "$err" ] || fail "a plain run"
bounded 20 "$pprun" -- "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "$plain" ] || fail "--"
# shellcheck disable=SC2016
bounded 20 "$pprun" --workers 3 --timeout=7.5 --retries 2 --progress --stats sh -c 'echo $PPMPI_WORKERS $PPMPI_TIMEOUT $PPMPI_RETRIES $PPMPI_PROGRESS $PPMPI_STATS "$@"' sh --hosts 'a  b' ''
[ $status -eq 0 ] && [ "$(cat "$out")" = '3 7.5 2 1 1 --hosts a  b ' ] || fail "options become variables"
bounded 20 "$pprun" --workers 3 "$program" sum
[ "$(cat "$out")" = 'sum OK of 50 by 3 workers' ] || fail "--workers"
bounded 20 "$pprun" --stats "$program" sum
[ "$(lines "$out" 'job server')" -eq 1 ] || fail "--stats"
PPMPI_HOSTS=localhost bounded 20 "$pprun" "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "$plain" ] || fail "localhost is here"
PPMPI_HOSTS=$(hostname) bounded 20 "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "$plain" ] && [ ! -s "$err" ] || fail "a program's own host is here"
bounded 20 "$pprun" --hosts "$(hostname)" -n 1 "$program" leave
[ $status -eq 5 ] || fail "status of a plain run"
# shellcheck disable=SC2016
bounded 20 sh -c '"$0" sh -c "echo \$\$" & echo $!; wait' "$pprun"
[ "$(sort -u "$out" | wc -l)" -eq 1 ] || fail "a plain run is the process itself"

# ---- Ranks: the same results; every status, of signals too.
bounded 60 "$pprun" -n 2 "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = 'sum OK of 50 by 2 workers' ] && [ ! -s "$err" ] || fail "2 ranks"
bounded 60 "$pprun" -n2 "$program" leave
[ $status -eq 5 ] || fail "2 ranks, status"
bounded 60 "$pprun" -n 2 "$program" fail
[ $status -eq 1 ] && [ "$(lines "$err" 'broken on purpose')" -eq 1 ] || fail "2 ranks, PP_FETCH of a failed task"
nothing_left "$program" || fail "2 ranks: left over:$left"
for s in 0 1 2 3 77 126 127 200 255; do
    bounded 60 "$pprun" -n 2 sh -c "exit $s"
    [ $status -eq $s ] || fail "2 ranks end with $s"
done
for s in SEGV ABRT USR1 TERM; do
    # shellcheck disable=SC2016
    bounded 60 "$pprun" -n 2 sh -c 'kill -$0 $$; sleep 30' $s
    [ $status -eq $((128 + $(kill -l $s))) ] || fail "2 ranks end by SIG$s"
done
# A rank that cannot take part ends the job, and is named; rank 0 would wait for it for ever.
# shellcheck disable=SC2016
bounded 60 "$pprun" -n 2 sh -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 0 ] || exit 9; sleep 30'
[ $status -eq 9 ] && [ "$(lines "$err" '^pprun: rank 1 on .* ended with status 9 before the farm was open')" -eq 1 ] || fail "rank 1 fails"

# ---- A dry run can be pasted, whatever the words are.
bounded 20 "$pprun" --dry-run "$program" sum '20'
[ "$(cat "$out")" = "$program sum 20" ] || fail "--dry-run of a plain run"
for word in : "it's" 'a  b' '$HOME' ''; do
    # shellcheck disable=SC2016
    bounded 20 "$pprun" -n 2 --dry-run sh -c 'echo "<$1>"' sh "$word"
    [ $status -eq 0 ] && [ "$(lines "$out" .)" -eq 1 ] || fail "--dry-run of '$word'"
    bounded 60 sh -c "$(cat "$out")"
    [ $status -eq 0 ] && [ "$(grep -cxF "<$word>" "$out")" -eq 2 ] || fail "--dry-run pasted, with '$word'"
    # shellcheck disable=SC2016
    bounded 60 "$pprun" -n 2 sh -c 'echo "<$1>"' sh "$word"
    [ $status -eq 0 ] && [ "$(grep -cxF "<$word>" "$out")" -eq 2 ] || fail "2 ranks get '$word'"
done

# With what the options say, and where they say.
for ranks in '' '-n 2'; do
    # shellcheck disable=SC2016,SC2086
    PPMPI_HOSTS=localhost bounded 20 "$pprun" $ranks --workers 3 --timeout 2.5 --stats --dry-run \
        sh -c 'echo "$PPMPI_WORKERS $PPMPI_TIMEOUT $PPMPI_STATS ${PPMPI_HOSTS:-no hosts}"'
    PPMPI_HOSTS=node-8,node-9 bounded 60 sh -c "$(cat "$out")"
    [ $status -eq 0 ] && [ "$(sort -u "$out")" = '3 2.5 1 no hosts' ] || fail "--dry-run $ranks of options, pasted"
done

# ---- Input, and output that is read slowly: nothing is lost, whatever else is waited for.
seq 2000 > "$scratch/input"
# shellcheck disable=SC2016
bounded 60 sh -c '"$0" -n 2 "$1" stdin < "$2"' "$pprun" "$program" "$scratch/input"
[ $status -eq 0 ] && cmp -s "$out" "$scratch/input" || fail "input of 2 ranks"
seq 200000 > "$scratch/output"
# shellcheck disable=SC2016
bounded 60 sh -c '"$0" -n 2 "$1" print 200000 2>&1 | { sleep 7; cmp - "$2"; }' "$pprun" "$program" "$scratch/output"
[ $status -eq 0 ] || fail "output of 2 ranks, read slowly"
# shellcheck disable=SC2016
bounded 60 sh -c '"$0" -n 2 sh -c "yes | head -c 3000000; exit 3" | head -c 10 > /dev/null' "$pprun"
[ $status -eq 0 ] || fail "a reader that goes away"

# ---- Signals: SIG STATUS MODE
signal_passes()
{
    : > "$out"
    "$pprun" -n 2 "$program" "$3" > "$out" 2> "$err" < /dev/null &
    pid=$!
    for _ in $(seq 300); do grep -q up "$out" && break; sleep 0.1; done
    began=$(date +%s%N)
    kill -"$1" $pid
    wait $pid
    status=$?
    took=$((($(date +%s%N) - began) / 1000000))
    [ $status -eq "$2" ] || fail "SIG$1, $3"
    [ $took -le 2000 ] || fail "SIG$1, $3: took $took ms"
    nothing_left "$program" || fail "SIG$1, $3: left over:$left"
}
signal_passes INT 130 wait
signal_passes TERM 143 wait
signal_passes HUP 129 wait
if [ "$mpi" = openmpi ]; then
    signal_passes TERM 42 save
    [ "$(lines "$out" saved)" -eq 1 ] || fail "SIGTERM: what the program says"
    signal_passes INT 42 save
fi
: > "$out"
"$pprun" -n 2 "$program" wait > "$out" 2> "$err" < /dev/null &
pid=$!
for _ in $(seq 300); do grep -q up "$out" && break; sleep 0.1; done
kill -USR1 $pid
if [ "$mpi" = openmpi ]; then # MPICH handles the signal itself
    for _ in $(seq 50); do [ "$(lines "$err" 'job server')" -ge 1 ] && break; sleep 0.1; done
    [ "$(lines "$err" 'job server')" -eq 1 ] || fail "SIGUSR1 prints the statistics"
fi
kill -KILL $pid
wait $pid 2> /dev/null
sleep 1
nothing_left "$program" || fail "SIGKILL of pprun: left over:$left"

# ---- The other MPI's programs and launchers.
case $mpi in openmpi) other=mpich ;; *) other=openmpi ;; esac
if command -v mpicc.$other > /dev/null && [ -z "${TEST_SANITIZE:-}" ]; then
    printf '#include <mpi.h>\n#include <stdio.h>\nint main(void) { int n; MPI_Init(NULL, NULL); MPI_Comm_size(MPI_COMM_WORLD, &n); printf("%%d\\n", n); return MPI_Finalize(); }\n' > "$scratch/size.c"
    mpicc.$other "$scratch/size.c" -o "$scratch/size" || exit 1
    bounded 60 "$pprun" -n 2 "$scratch/size"
    [ $status -eq 0 ] && [ "$(grep -cx 2 "$out")" -eq 2 ] || fail "a program of the other MPI"
    wrong "--mpi $mpi, but $scratch/size is linked to" -n 2 --mpi $mpi "$scratch/size"
    wrong "--mpi $other, but $program is linked to" -n 2 --mpi $other "$program"
fi
if [ "$mpi" = openmpi ] && [ "$(id -u)" -eq 0 ]; then
    bounded 20 env -u OMPI_ALLOW_RUN_AS_ROOT "$pprun" -n 2 "$program" sum
    [ $status -eq 2 ] && [ "$(lines "$err" '^pprun: Open MPI does not start programs as root unless')" -eq 1 ] || fail "root"
fi

# ---- Started by a launcher itself.
bounded 60 "${TEST_MPIEXEC:-mpirun}" -n 2 "$pprun" "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = 'sum OK of 50 by 2 workers' ] || fail "mpirun pprun"
bounded 60 "${TEST_MPIEXEC:-mpirun}" -n 2 "$pprun" --hosts a,b "$program" sum
[ $status -ne 0 ] && [ "$(lines "$err" 'has started pprun as one process of a job; leave')" -ge 1 ] || fail "mpirun pprun --hosts"
PPMPI_HOSTS=node-1,node-2 PPMPI_LOG_LEVEL=info bounded 60 "${TEST_MPIEXEC:-mpirun}" -n 2 "$program" sum
[ $status -eq 0 ] && [ "$(lines "$err" 'info: hosts "node-1,node-2" has no effect')" -ge 1 ] || fail "PPMPI_HOSTS under a launcher"

# ---- What there is.
bounded 20 "$pprun" --info
[ $status -eq 0 ] && [ "$(lines "$out" .)" -eq 2 ] && [ "$(sed -n '2s/.* //p' "$out")" -eq "$cores" ] || fail "--info"
HWLOC_SYNTHETIC='pack:2 numa:2 core:3 pu:2' bounded 20 "$pprun" --info
[ "$(sed -n 2p "$out" | tr -s ' ')" = "$(hostname) 2 4 12 12 12" ] || fail "--info of an invented machine"
HWLOC_SYNTHETIC='core:8 pu:1' PPMPI_CORES_PER_WORKER=3 bounded 20 "$pprun" --info
[ "$(sed -n '2s/.* //p' "$out")" -eq 2 ] || fail "--info with cores_per_worker"
bounded 20 "$pprun" --workers 5 --info
[ "$(sed -n '2s/.* //p' "$out")" -eq 5 ] || fail "--info --workers"
bounded 20 "$pprun" --version
[ $status -eq 0 ] && [ "$(lines "$out" '^pprun [0-9.]*, libppmpi for ')" -eq 1 ] || fail "--version"
bounded 20 "$pprun" --help
[ $status -eq 0 ] && [ "$(lines "$out" '^Usage: pprun')" -eq 1 ] && [ ! -s "$err" ] || fail "--help"
# shellcheck disable=SC2016
bounded 20 sh -c '"$0" --help > /dev/full' "$pprun"
[ $status -eq 1 ] || fail "--help to a full disk"
finish
