#!/bin/bash
# Measures the library beside loops, copies and messages written by hand, prints one table, and writes JSON. On a
# machine that others use too, and in a virtual one, speed changes by the minute. So each round runs every program
# once, what is compared one after the other and in alternating order, and what counts are the ratios within a round
# and their median.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd) || exit 1

usage()
{
    cat <<'END'
usage: run.sh [--quick | --smoke] [--rounds N] [--json FILE] PROGRAMS

PROGRAMS is the folder of the benchmark's programs in the build folder: build/release/tests/bench.

  --quick       short runs, less than a minute: a first impression   (or BENCH_QUICK=1)
  --smoke       very short ones: shows that everything works, its figures mean nothing
  --rounds N    rounds; 7, with --quick and --smoke 1                (or BENCH_ROUNDS=N)
  --json FILE   where the results go; PROGRAMS/bench.json

From the environment too: BENCH_SEED (1; of the uneven tasks, counted up by each round), MPIRUN (mpirun), and
BENCH_PATIENCE (0): so many seconds each program waits at most until nothing else runs on the machine.
On a machine with more cores, `taskset -c 0,1 bash run.sh ...` measures on two.
END
}

wrong_use()
{
    echo "run.sh: $1" >&2
    usage >&2
    exit 2
}

mode=full rounds=${BENCH_ROUNDS-} json='' programs=''
[ "${BENCH_QUICK:-0}" = 0 ] || mode=quick
while [ $# -gt 0 ]; do
    case $1 in
    --quick) mode=quick ;;
    --smoke) mode=smoke ;;
    --rounds | --json)
        [ $# -ge 2 ] || wrong_use "$1 needs a value"
        if [ "$1" = --rounds ]; then rounds=$2; else json=$2; fi
        shift
        ;;
    --help)
        usage
        exit 0
        ;;
    -*) wrong_use "there is no option $1" ;;
    *)
        [ -z "$programs" ] || wrong_use "one folder of programs, not two"
        programs=$1
        ;;
    esac
    shift
done
[ -n "$programs" ] || wrong_use 'the folder of the programs is missing'
seed=${BENCH_SEED:-1} patience=${BENCH_PATIENCE:-0}
case $mode in
full) : "${rounds:=7}" ;;
*) : "${rounds:=1}" ;;
esac
for number in "$rounds" "$seed"; do
    case $number in
    '' | *[!0-9]* | 0*) wrong_use "rounds and seed are numbers from 1, not '$number'" ;;
    esac
done
case $patience in
*[!0-9]*) wrong_use "BENCH_PATIENCE is a number of seconds, not '$patience'" ;;
esac
[ -d "$programs" ] || wrong_use "there is no folder $programs"
programs=$(cd "$programs" && pwd) || exit 1
: "${json:=$programs/bench.json}"
for program in calibrate copies echo empty_mpi farm manager_worker queue stopwatch uneven waiting stations; do
    [ -x "$programs/$program" ] || wrong_use "there is no program $program in $programs; build the target bench"
done
[ -w "$(dirname "$json")" ] || wrong_use "$json cannot be written"

# ---- How much -----------------------------------------------------------------------------------------------

mib=$((1 << 20))
sweep=(--steps 2 --repeats 3)
case $mode in
full)
    tasks=1000000 trips=20000 echoes=20 few=1000000 many=10000000 uneven=10000
    starts=10 mpi_starts=3 idle=2 overlap=3000 chunks=8000
    ;;
quick)
    tasks=1000000 trips=5000 echoes=7 few=1000000 many=3000000 uneven=5000 starts=5 mpi_starts=1 idle=1 overlap=1000 chunks=4000
    sweep=(--steps 1 --repeats 1 --run-ms 20 --most 10000)
    ;;
smoke)
    tasks=5000 trips=200 echoes=2 few=5000 many=20000 uneven=500 starts=2 mpi_starts=1 idle=0.2 overlap=200 chunks=400
    sweep=(--steps 1 --repeats 1 --run-ms 2 --most 200 --from-us 0.25 --to-us 128)
    ;;
esac

# ---- Launchers: the manager beside two workers; two ranks of ours, a worker each ------------------------------

mpirun=${MPIRUN:-${TEST_MPIEXEC:-mpirun}}
if "$mpirun" --version 2>/dev/null | grep -q 'Open MPI\|OpenRTE'; then
    loop=("$mpirun" -np 3 --oversubscribe --bind-to none)
    if [ "$(id -u)" = 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
else
    loop=("$mpirun" -np 2) # MPICH crawls when there are more ranks than cores
fi
pair=("$mpirun" -np 2)

# ---- Measuring ------------------------------------------------------------------------------------------------

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
: >"$dir/values"
round=0 rate=0

# run COMMAND…: its output is in $dir/out; a command that fails ends the benchmark.
run()
{
    if ! timeout 300 "$@" </dev/null >"$dir/out" 2>"$dir/errors"; then
        echo "run.sh: failed: $*" >&2
        cat "$dir/out" "$dir/errors" >&2
        exit 1
    fi
}

# keep SERIES KEY…: the value that the last command printed for each KEY becomes this round's value of its SERIES.
keep()
{
    local value
    while [ $# -gt 0 ]; do
        value=$(tr ' ' '\n' <"$dir/out" | sed -n "s/^$2=//p")
        case $value in
        '' | *[!0-9.eE+-]*)
            echo "run.sh: no value of $2 in: $(cat "$dir/out")" >&2
            exit 1
            ;;
        esac
        echo "$1 $round $value" >>"$dir/values"
        shift 2
    done
}

# keep_curve NAME: the whole sweep that the last command printed.
keep_curve()
{
    tr ' ' '\n' <"$dir/out" | awk -F = -v name="$1" -v round="$round" '
        $1 == "size_us" { size = $2 }
        $1 == "efficiency" { print "curve/" name "/" size, round, $2 }' >>"$dir/values"
}

two() { PPMPI_WORKERS=2 "$@"; }

# know_rate: what bare processes do now, to which the next measure is compared.
know_rate()
{
    run "$programs/calibrate" --processes 2 --chunks "$chunks"
    keep turns_per_us turns_per_us bare bare
    rate=$(sed -n "s/^turns_per_us $round //p" "$dir/values" | tail -n 1)
}

measure()
{
    case $1 in
    rate_one)
        run "${loop[@]}" "$programs/manager_worker" --tasks "$tasks" --in-flight 1
        keep rate_one tasks_per_s
        ;;
    rate_eight)
        run "${loop[@]}" "$programs/manager_worker" --tasks "$tasks" --in-flight 8
        keep rate_eight tasks_per_s
        ;;
    rate_plain) two run "$programs/farm" --tasks "$tasks" && keep rate_plain tasks_per_s ;;
    rate_mpi) run "${pair[@]}" "$programs/farm" --tasks "$tasks" && keep rate_mpi tasks_per_s ;;
    rate_2) two run "$programs/farm" --tasks "$tasks" && keep rate_2 tasks_per_s ;;
    rate_16) PPMPI_WORKERS=16 run "$programs/farm" --tasks "$tasks" && keep rate_16 tasks_per_s ;;
    rate_32) PPMPI_WORKERS=32 run "$programs/farm" --tasks "$tasks" && keep rate_32 tasks_per_s ;;
    trip_base)
        run "${pair[@]}" "$programs/manager_worker" --latency --tasks "$trips"
        keep trip_base median_us trip_base_p99 p99_us
        ;;
    trip_plain) run "$programs/farm" --latency --tasks "$trips" && keep trip_plain median_us trip_plain_p99 p99_us ;;
    trip_mpi)
        run "${pair[@]}" "$programs/farm" --latency --remote --tasks "$trips"
        keep trip_mpi median_us trip_mpi_p99 p99_us
        ;;
    curve_one)
        run "${loop[@]}" "$programs/manager_worker" --sweep "${sweep[@]}" --turns-per-us "$rate" --in-flight 1
        keep_curve one
        ;;
    curve_eight)
        run "${loop[@]}" "$programs/manager_worker" --sweep "${sweep[@]}" --turns-per-us "$rate" --in-flight 8
        keep_curve eight
        ;;
    curve_plain) two run "$programs/farm" --sweep "${sweep[@]}" --turns-per-us "$rate" && keep_curve plain ;;
    curve_mpi) run "${pair[@]}" "$programs/farm" --sweep "${sweep[@]}" --turns-per-us "$rate" && keep_curve mpi ;;
    uneven_2 | uneven_8)
        PPMPI_WORKERS=${1#uneven_} run "$programs/uneven" --tasks "$uneven" --turns-per-us "$rate" \
            --seed $((seed + round - 1))
        keep "$1" makespan_ms "bound_${1#uneven_}" bound_ms
        ;;
    copy_1) run "$programs/copies" --bytes $mib --rounds $((20 * echoes)) && keep copy_1 gb_per_s ;;
    echo_1) run "$programs/echo" --bytes $mib --rounds $((20 * echoes)) && keep echo_1 gb_per_s ;;
    copy_64) run "$programs/copies" --bytes $((64 * mib)) --rounds "$echoes" && keep copy_64 gb_per_s ;;
    echo_64) run "$programs/echo" --bytes $((64 * mib)) --rounds "$echoes" && keep echo_64 gb_per_s ;;
    send_1)
        run "${pair[@]}" "$programs/copies" --mpi --bytes $mib --rounds $((20 * echoes))
        keep send_1 gb_per_s
        ;;
    echo_mpi_1)
        run "${pair[@]}" "$programs/echo" --remote --bytes $mib --rounds $((20 * echoes))
        keep echo_mpi_1 gb_per_s
        ;;
    send_64)
        run "${pair[@]}" "$programs/copies" --mpi --bytes $((64 * mib)) --rounds "$echoes"
        keep send_64 gb_per_s
        ;;
    echo_mpi_64)
        run "${pair[@]}" "$programs/echo" --remote --bytes $((64 * mib)) --rounds "$echoes"
        keep echo_mpi_64 gb_per_s
        ;;
    memory_few) run "$programs/queue" --memory --tasks "$few" && keep memory_few bytes_per_task ;;
    memory_many) run "$programs/queue" --memory --tasks "$many" && keep memory_many bytes_per_task ;;
    cost)
        two run "$programs/queue" --cost --tasks "$many" --few $((many / 1000))
        keep cost_few few_ns cost_new new_ns cost_warm warm_ns
        ;;
    start_plain) run "$programs/stopwatch" "$starts" "$programs/farm" --open-close && keep start_plain median_ms ;;
    start_mpi)
        run "$programs/stopwatch" "$mpi_starts" "${pair[@]}" "$programs/farm" --open-close
        keep start_mpi median_ms
        ;;
    start_base)
        run "$programs/stopwatch" "$mpi_starts" "${pair[@]}" "$programs/empty_mpi"
        keep start_base median_ms
        ;;
    idle_plain) run "$programs/waiting" --cpu --seconds "$idle" && keep idle_plain percent ;;
    idle_mpi) run "${pair[@]}" "$programs/waiting" --cpu --seconds "$idle" && keep idle_mpi percent ;;
    overlap)
        PPMPI_WORKERS=$others run "$programs/waiting" --dispatch --tasks "$overlap" --turns-per-us "$rate"
        keep first first_median_us first_p99 first_p99_us gap_p99 gap_p99_us busy busy
        ;;
    stations)
        PPMPI_WORKERS=2 run "$programs/stations" --tasks $((tasks / 5)) --trips "$trips"
        keep station_call call_ns station_down down_ns station_up up_ns station_submit submit_ns \
            station_through through_ns station_fetch fetch_ns
        ;;
    *)
        echo "run.sh: there is no measure $1" >&2
        exit 1
        ;;
    esac
}

# words N: 10 million and the like.
words() { if [ $(($1 % 1000000)) = 0 ]; then echo "$(($1 / 1000000)) million"; else echo "$1"; fi; }

# What is compared stands together; even rounds go through it backwards.
order=(rate_one rate_plain rate_eight rate_mpi rate_2 rate_16 rate_32 trip_base trip_plain trip_mpi
    curve_one curve_plain curve_eight curve_mpi uneven_2 uneven_8 copy_1 echo_1 copy_64 echo_64
    send_1 echo_mpi_1 send_64 echo_mpi_64 memory_few memory_many cost start_plain start_base start_mpi
    idle_plain idle_mpi overlap stations)
n=${#order[@]}
cores=$(nproc)
others=$((cores > 1 ? cores - 1 : 1))

# busy_ticks: what all cores have done since the machine started, and what the children of this shell have.
busy_ticks() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 + $9 }' /proc/stat; }
own_ticks() { awk '{ sub(/.*\) /, ""); print $14 + $15 }' /proc/$$/stat; }

# wait_for_quiet: until others take less than a tenth of a core, or patience has run out.
wait_for_quiet()
{
    local until=$((SECONDS + patience)) before
    while [ $SECONDS -lt $until ]; do
        before=$(busy_ticks)
        sleep 0.3
        [ $(($(busy_ticks) - before)) -gt 3 ] || return 0
    done
}

started=$EPOCHREALTIME busy=$(busy_ticks) own=$(own_ticks)

for ((round = 1; round <= rounds; round++)); do
    for ((i = 0; i < n; i++)); do
        name=${order[round % 2 ? i : n - 1 - i]}
        [ ! -t 2 ] || printf '\r\033[Kround %d of %d: %s' $round "$rounds" "$name" >&2
        [ "$patience" = 0 ] || wait_for_quiet
        case $name in curve_* | uneven_* | overlap) know_rate ;; esac
        measure "$name"
    done
done
[ ! -t 2 ] || printf '\r\033[K' >&2

# ---- The table and the JSON -----------------------------------------------------------------------------------

mpi=$("$mpirun" --version 2>/dev/null |
    awk 'NR == 1 { line = $0 } $1 == "Version:" { line = line " " $2 } END { print line }')
took=$(awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
others_load=$(awk -v all="$(($(busy_ticks) - busy))" -v own="$(($(own_ticks) - own))" -v s="$took" \
    -v hz="$(getconf CLK_TCK)" 'BEGIN { x = (all - own) / hz / s; printf("%.2f", x > 0 ? x : 0) }')
awk -f "$here/curve.awk" "$dir/values" >"$dir/derived" || exit 1
awk -f "$here/report.awk" -v mode="$mode" -v rounds="$rounds" -v json="$dir/json" -v took="$took" -v cores="$cores" \
    -v others="$others_load" -v cpu="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
    -v kernel="$(uname -sr)" -v mpi="$mpi" \
    -v date="$(date -u +%Y-%m-%d)" -v loop="${loop[*]##*/}" \
    -v few="$(words "$few")" -v many="$(words "$many")" -v thousandth="$(words $((many / 1000)))" \
    "$here/rows.txt" "$dir/values" "$dir/derived" || exit 1
mv "$dir/json" "$json" && echo "written: $json"
