# What the library says by itself: progress, statistics on SIGUSR1 and at close, and nothing in a normal run.
. "$(dirname "$0")/program.sh"
program=$build/tests/fault_report
[ -x "$program" ] || { echo "$program is missing"; exit 1; }
run=${TEST_MPIEXEC:-mpirun}
itself=''
table='job count | % of all jobs'

good()
{
    [ $status -eq 0 ] && [ "$(lines "$out" '^sum OK')" -eq 1 ] || fail "$1: the run"
}

# ---- A normal run says nothing.
for level in '' error warning; do
    bounded 20 env PPMPI_LOG_LEVEL="${level:-warning}" "$program" wait 0.3
    good "quiet, level $level"
    [ ! -s "$err" ] || fail "quiet, level $level: stderr"
    [ "$(lines "$out" .)" -eq 2 ] || fail "quiet, level $level: stdout"
done
bounded 40 "$run" -n 2 "$program" wait 0.3
good "quiet, 2 ranks"
[ ! -s "$err" ] || fail "quiet, 2 ranks: stderr"

# ---- Debug says more, all of it marked, and on stderr.
bounded 20 env PPMPI_LOG_LEVEL=debug "$program" wait 0.3
good "debug"
[ "$(lines "$err" '^ppmpi: ')" -ge 1 ] && [ "$(lines "$err" .)" -eq "$(lines "$err" '^ppmpi: ')" ] || fail "debug: lines"
[ "$(lines "$out" .)" -eq 2 ] || fail "debug: stdout"
bounded 20 env PPMPI_LOG_LEVEL=loud "$program" wait 0.3
[ $status -eq 1 ] && [ "$(lines "$err" 'PPMPI_LOG_LEVEL="loud"')" -eq 1 ] || fail "an unknown level is refused"

# ---- Statistics at close: on stdout, once.
bounded 20 env PPMPI_STATS=1 "$program" wait 0.3
good "stats"
[ "$(lines "$out" "$table")" -eq 1 ] && [ "$(lines "$out" ' submitted, .* 0 running, 0 queued')" -eq 1 ] || fail "stats: table"
[ ! -s "$err" ] || fail "stats: stderr"
bounded 40 env PPMPI_STATS=1 "$run" -n 2 "$program" wait 0.3
good "stats, 2 ranks"
[ "$(lines "$out" "$table")" -eq 1 ] || fail "stats, 2 ranks: table"

# ---- Progress: into a file a line now and then, and one at the end, which is exact; on a terminal one line that is redrawn.
bounded 20 env PPMPI_PROGRESS=1 "$program" wait 0.7
good "progress into a file"
[ "$(lines "$err" '^ppmpi: \([0-9]*\) of \1 done, 0 failed, 0 running, 0 queued')" -eq 1 ] || fail "progress into a file: last line"
[ "$(lines "$err" .)" -le 2 ] || fail "progress into a file: few lines"
[ "$(tr -d -c '\r\033' <"$err" | wc -c)" -eq 0 ] || fail "progress into a file: no control characters"
for mode in wait call compute print; do
    if command -v script >/dev/null; then
        timeout -k 5 20 script -q -e -c "env PPMPI_PROGRESS=1 $program $mode 1.5" "$scratch/typescript" >"$out" 2>"$err" </dev/null
        status=$?
        tr -d '\r' <"$scratch/typescript" >"$out"
        [ $status -eq 0 ] && [ "$(lines "$out" 'sum OK')" -eq 1 ] || fail "progress on a terminal, $mode: the run"
        redrawn=$(tr '\r' '\n' <"$scratch/typescript" | grep -a -c 'ppmpi: .* of .* done')
        [ "$redrawn" -ge 3 ] && [ "$redrawn" -le 20 ] || fail "progress on a terminal, $mode: drawn $redrawn times"
        # As it looks in the end: what stands before the last "erase the line" is gone.
        sed 's/.*\x1b\[K//' "$out" >"$scratch/looks"
        [ "$(lines "$scratch/looks" 'ppmpi: .* done')" -eq 1 ] || fail "progress on a terminal, $mode: one line"
        [ $mode != print ] || { [ "$(lines "$out" 'says so')" -ge 20 ] && [ "$(lines "$scratch/looks" '^task [0-9]* says so$')" -eq "$(lines "$out" 'says so')" ]; } ||
            fail "progress on a terminal: lines of tasks stand alone"
    else
        echo "not tested: progress on a terminal needs script(1)"
    fi
done

# The statistics, by the library itself, begin on a line of their own too; stderr alone may be the terminal.
if command -v script >/dev/null; then
    timeout -k 5 20 script -q -e -c "env PPMPI_PROGRESS=1 PPMPI_STATS=1 $program wait 0.7" "$scratch/typescript" >"$out" 2>"$err" </dev/null
    tr -d '\r' <"$scratch/typescript" | sed 's/.*\x1b\[K//' >"$out"
    [ "$(lines "$out" '^Job execution statistics:$')" -eq 1 ] || fail "progress on a terminal, statistics: on a line of their own"
    timeout -k 5 20 script -q -e -c "env PPMPI_PROGRESS=1 $program print 1 >$scratch/stdout" "$scratch/typescript" >"$out" 2>"$err" </dev/null
    [ "$(lines "$scratch/stdout" '^task [0-9]* says so$')" -ge 10 ] || fail "progress on a terminal, stdout in a file: lines of tasks"
    tr -d '\r' <"$scratch/typescript" | sed 's/.*\x1b\[K//' >"$out"
    [ "$(lines "$out" '^task [0-9]* says so$')" -ge 10 ] || fail "progress on a terminal, stdout in a file: stderr's lines"
fi

# ---- SIGUSR1 prints the table to stderr and disturbs nothing.
# signalled MODE PRE…: starts the program, sends it, or the launcher before it, three signals while it runs
# signalled_itself MODE PRE…: the same, but always the program
signalled_itself()
{
    itself=1
    signalled "$@"
    itself=''
}

signalled()
{
    mode=$1
    shift
    : >"$out"
    timeout -k 5 40 "$@" "$program" "$mode" 2 >"$out" 2>"$err" </dev/null &
    waiter=$!
    for _ in $(seq 100); do
        grep -q open "$out" && break
        sleep 0.05
    done
    # The program is the child of timeout, or of the launcher; the signal goes to whatever timeout has started.
    pid=$(cat "/proc/$waiter/task/$waiter/children" 2>/dev/null)
    [ -z "$itself" ] || pid=$(sed -n 's/^open //p' "$out")
    for _ in 1 2 3; do
        sleep 0.3
        # shellcheck disable=SC2086
        kill -USR1 $pid 2>/dev/null # it may have ended of the first
    done
    wait $waiter 2>/dev/null
    status=$?
}
for mode in wait call compute; do
    signalled $mode
    good "signal, $mode"
    [ "$(lines "$err" "$table")" -eq 3 ] || fail "signal, $mode: three tables"
    [ "$(lines "$err" ' submitted, ')" -eq 3 ] || fail "signal, $mode: three totals"
done
signalled handler
good "signal, the program's own handler"
[ ! -s "$err" ] && [ "$(lines "$out" 'own handler: 3')" -eq 1 ] || fail "signal, the program's own handler"
# MPI may have a handler of its own, as MPICH does: it is none of the program's.
for mode in wait call; do
    signalled_itself $mode "$run" -n 2
    good "signal, $mode, 2 ranks"
    [ "$(lines "$err" "$table")" -eq 3 ] || fail "signal, $mode, 2 ranks: three tables"
done
signalled_itself wait env PPMPI_MPI=always
good "signal, MPI always"
[ "$(lines "$err" "$table")" -eq 3 ] || fail "signal, MPI always: three tables"
signalled_itself handler "$run" -n 2
good "signal, the program's own handler, 2 ranks"
[ "$(lines "$err" "$table")" -eq 0 ] && [ "$(lines "$out" 'own handler: 3')" -eq 1 ] || fail "signal, the program's own handler, 2 ranks"
signalled off
[ $status -ne 0 ] && [ "$(lines "$out" 'sum')" -eq 0 ] && [ "$(lines "$err" "$table")" -eq 0 ] || fail "signal_stats=0 leaves the signal alone"
signalled wait env PPMPI_SIGNAL_STATS=0
[ $status -ne 0 ] && [ "$(lines "$err" "$table")" -eq 0 ] || fail "PPMPI_SIGNAL_STATS=0 leaves the signal alone"
nothing_left "$program" || fail "signal: left over:$left"

# Open MPI's launcher passes the signal on to all of the job's processes; not every version of MPICH's does.
if [ "${TEST_MPI:-openmpi}" = openmpi ]; then
    signalled wait "$run" -n 2
    good "signal to the launcher"
    [ "$(lines "$err" "$table")" -ge 1 ] || fail "signal to the launcher: table"
    nothing_left "$program" || fail "signal to the launcher: left over:$left"
fi
finish
