# Launchers: the wrong one is refused loudly, a fatal error ends the whole job, and unused cores are told once.
. "$(dirname "$0")/program.sh"
program=$scratch/launched
build_program "$program"
run=${TEST_MPIEXEC:-mpirun}
mpi=${TEST_MPI:-openmpi}

# ---- The launcher of the other MPI: no singletons that each do all the work.
case $mpi in
openmpi) other=mpiexec.mpich ;;
mpich) other=mpirun.openmpi ;;
*) other='' ;;
esac
if [ -n "$other" ] && command -v "$other" >/dev/null; then
    case $other in *openmpi) over=--oversubscribe ;; *) over='' ;; esac
    # shellcheck disable=SC2086
    bounded 40 "$other" $over -n 2 "$program" sum
    [ $status -ne 0 ] && [ $status -ne 124 ] && [ $status -ne 137 ] || fail "$other -n 2: should be refused"
    [ "$(lines "$out" 'sum')" -eq 0 ] || fail "$other -n 2: a singleton ran"
    # Each of them says so; the first to end may take the others with it before they have.
    [ "$(lines "$err" 'refused: .*launcher.*MPI')" -ge 1 ] || fail "$other -n 2: no clear line"
    nothing_left "$program" || fail "$other -n 2: left over:$left"
    bounded 40 "$other" -n 1 "$program" sum
    [ $status -eq 0 ] && [ "$(lines "$out" 'sum OK of 50')" -eq 1 ] || fail "$other -n 1: one process is a whole job"
else
    echo "not tested: the launcher of the other MPI is not installed"
fi

# ---- PP_FETCH of a failed task ends the job, plainly and under the launcher.
bounded 20 "$program" fail
[ $status -ne 0 ] && [ $status -ne 124 ] || fail "PP_FETCH of a failed task: status"
[ "$(lines "$err" 'broken on purpose')" -eq 1 ] || fail "PP_FETCH of a failed task: message"
[ "$(cat "$out")" = "printed before" ] || fail "PP_FETCH of a failed task: stdout"
nothing_left "$program" || fail "PP_FETCH of a failed task: left over:$left"
bounded 40 "$run" -n 2 "$program" fail
[ $status -ne 0 ] && [ $status -ne 124 ] && [ $status -ne 137 ] || fail "PP_FETCH of a failed task, 2 ranks: status"
[ "$(lines "$err" 'broken on purpose')" -eq 1 ] || fail "PP_FETCH of a failed task, 2 ranks: message"
[ "$(lines "$out" 'not reached')" -eq 0 ] || fail "PP_FETCH of a failed task, 2 ranks: went on"
nothing_left "$program" || fail "PP_FETCH of a failed task, 2 ranks: left over:$left"

# ---- A program that returns without closing keeps its status.
bounded 20 "$program" leave
[ $status -eq 5 ] || fail "leaving without a close"
nothing_left "$program" || fail "leaving without a close: left over:$left"
bounded 40 "$run" -n 2 "$program" leave
[ $status -eq 5 ] || fail "leaving without a close, 2 ranks"
nothing_left "$program" || fail "leaving without a close, 2 ranks: left over:$left"

# ---- A malformed variable: on all ranks, on rank 0 alone; elsewhere alone it does not matter, as rank 0's options hold.
export PPMPI_WORKERS=many
bounded 20 "$program" sum
[ $status -eq 1 ] && [ "$(lines "$err" 'refused: PPMPI_WORKERS="many": .* allowed')" -eq 1 ] || fail "malformed variable"
bounded 40 "$run" -n 2 "$program" sum
[ $status -ne 0 ] && [ $status -ne 124 ] && [ $status -ne 137 ] || fail "malformed variable, 2 ranks: status"
[ "$(lines "$err" 'PPMPI_WORKERS="many": .* allowed')" -eq 1 ] || fail "malformed variable, 2 ranks: one message"
nothing_left "$program" || fail "malformed variable, 2 ranks: left over:$left"
unset PPMPI_WORKERS
bounded 40 "$run" -n 1 env PPMPI_RETRIES=x "$program" sum : -n 1 "$program" sum
[ $status -ne 0 ] && [ $status -ne 124 ] && [ $status -ne 137 ] || fail "malformed variable on rank 0: status"
[ "$(lines "$err" 'PPMPI_RETRIES="x"')" -eq 1 ] || fail "malformed variable on rank 0: one message"
nothing_left "$program" || fail "malformed variable on rank 0: left over:$left"
bounded 40 "$run" -n 1 "$program" sum : -n 1 env PPMPI_RETRIES=x "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "sum OK of 50 by 2 workers" ] || fail "malformed variable on rank 1"

# ---- Cores that the launcher's binding leaves unused are told in one line, with the remedy.
bounded 20 "$program" sum
[ $status -eq 0 ] && [ ! -s "$err" ] || fail "a plain run has nothing to say"
plain=$(cat "$out")
if [ "$mpi" = openmpi ] && [ "$(nproc)" -ge 2 ]; then
    bounded 40 "$run" -n 1 --bind-to core "$program" sum
    [ $status -eq 0 ] && [ "$(lines "$err" 'ppmpi: .*warning')" -eq 1 ] || fail "unused cores: one warning"
    [ "$(lines "$err" 'bind-to none')" -eq 1 ] || fail "unused cores: the remedy"
    bounded 40 env PPMPI_WORKERS=1 "$run" -n 1 --bind-to core "$program" sum
    [ $status -eq 0 ] && [ "$(lines "$err" warning)" -eq 0 ] || fail "unused cores: PPMPI_WORKERS is an answer"
    bounded 40 env PPMPI_LOG_LEVEL=error "$run" -n 1 --bind-to core "$program" sum
    [ $status -eq 0 ] && [ "$(lines "$err" warning)" -eq 0 ] || fail "unused cores: log level"
    bounded 40 "$run" -n 1 --bind-to none "$program" sum
    [ $status -eq 0 ] && [ "$(lines "$err" warning)" -eq 0 ] || fail "unused cores: without binding there are none"
    [ "$(cat "$out")" = "$plain" ] || fail "one rank without binding runs a worker on every core"
fi

# ---- Standard input is the program's: tasks do not take it away.
seq 2000 >"$scratch/input"
# shellcheck disable=SC2016
bounded 20 sh -c '"$0" stdin <"$1"' "$program" "$scratch/input"
[ $status -eq 0 ] && cmp -s "$out" "$scratch/input" || fail "standard input"
# shellcheck disable=SC2016
bounded 40 sh -c '"$0" -n 2 "$1" stdin <"$2"' "$run" "$program" "$scratch/input"
[ $status -eq 0 ] && cmp -s "$out" "$scratch/input" || fail "standard input, 2 ranks"

# ---- MPI without a launcher, when the program asks for it.
bounded 40 env PPMPI_MPI=always "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "$plain" ] || fail "PPMPI_MPI=always"

# ---- Two ranks, and no launcher.
bounded 40 "$run" -n 2 "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "sum OK of 50 by 2 workers" ] || fail "two ranks"
bounded 20 "$program" sum
[ $status -eq 0 ] && [ "$(lines "$out" 'sum OK of 50')" -eq 1 ] || fail "no launcher"
finish
