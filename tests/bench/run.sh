#!/bin/bash
# run.sh [--quick] BUILD_DIR
#
# Measures the library (farm) beside the manager-worker loop in plain MPI (manager_worker), and for large data beside
# bare copies and messages (copies), all taken from BUILD_DIR, and prints one table. On a machine that others use too, and in a virtual one, speed changes by the minute: so each round
# runs every program once, in alternating order, and what counts are the ratios within a round and their median.
# Seven rounds, about three minutes; --quick is one short round that shows that everything runs.
#
# From the environment: ROUNDS, MPIRUN (mpirun), NP (3: a manager and two workers).
set -u
export LC_ALL=C

usage='usage: run.sh [--quick] BUILD_DIR'
quick=0
if [ "${1-}" = --quick ]; then
    quick=1
    shift
fi
if [ $# -ne 1 ] || [ ! -d "$1" ]; then
    echo "$usage" >&2
    exit 2
fi

find_program()
{
    local found
    found=$(find "$1" -type f -name "$2" -perm -u+x -print -quit)
    if [ -z "$found" ]; then
        echo "run.sh: there is no program $2 in $1" >&2
        exit 1
    fi
    realpath "$found"
}
farm=$(find_program "$1" farm) || exit 1
baseline=$(find_program "$1" manager_worker) || exit 1
copies=$(find_program "$1" copies) || exit 1

mpirun=${MPIRUN:-mpirun}
if "$mpirun" --version 2>/dev/null | grep -q 'Open MPI\|OpenRTE'; then
    launch=("$mpirun" -np "${NP:-3}" --oversubscribe --bind-to none)
    pair=("$mpirun" -np 2)
    if [ "$(id -u)" = 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
else
    pair=("$mpirun" -np 2)
    launch=("$mpirun" -np "${NP:-2}") # MPICH crawls when there are more ranks than cores
fi

if [ "$quick" = 1 ]; then
    rounds=${ROUNDS:-1} tasks=20000 trips=2000 queued=20000 busy=1000 echoes=3
else
    rounds=${ROUNDS:-7} tasks=500000 trips=20000 queued=500000 busy=20000 echoes=20
fi

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
: >"$dir/values"

# fail COMMAND…: the command did not work; shows why.
fail()
{
    echo "run.sh: failed: $*" >&2
    cat "$dir/out" "$dir/errors" >&2
    exit 1
}

# take ROUND SERIES KEY COMMAND…: runs the command and keeps the value of KEY in its output.
take()
{
    local round=$1 series=$2 key=$3 value
    shift 3
    timeout 120 "$@" </dev/null >"$dir/out" 2>"$dir/errors" || fail "$@"
    value=$(tr ' ' '\n' <"$dir/out" | sed -n "s/^$key=//p" | head -n 1)
    [ -n "$value" ] || fail "$@"
    echo "$series $round $value" >>"$dir/values"
}

# take_seconds ROUND SERIES COMMAND…: keeps how long the whole command took.
take_seconds()
{
    local round=$1 series=$2 start=$EPOCHREALTIME
    shift 2
    timeout 120 "$@" </dev/null >"$dir/out" 2>"$dir/errors" || fail "$@"
    awk -v a="$start" -v b="$EPOCHREALTIME" -v s="$series $round" 'BEGIN { printf "%s %.4f\n", s, b - a }' \
        >>"$dir/values"
}

# Everything that is measured once in a round; the odd rounds go through it backwards.
measure()
{
    case $2 in
    0) take "$1" rate_one tasks_per_s "${launch[@]}" "$baseline" --tasks $tasks --in-flight 1 ;;
    1) take "$1" rate_plain tasks_per_s "$farm" --tasks $tasks ;;
    2) take "$1" rate_eight tasks_per_s "${launch[@]}" "$baseline" --tasks $tasks --in-flight 8 ;;
    3) take "$1" rate_mpi tasks_per_s "${launch[@]}" "$farm" --tasks $tasks ;;
    4) take "$1" trip_plain median_us "$farm" --latency --tasks $trips ;;
    5) take "$1" trip_base median_us "${launch[@]}" "$baseline" --latency --tasks $trips ;;
    6) take "$1" trip_mpi median_us "${launch[@]}" "$farm" --latency --tasks $trips ;;
    7) take "$1" busy_plain efficiency "$farm" --tasks $busy --work-us 20 ;;
    8) take "$1" busy_base efficiency "${launch[@]}" "$baseline" --tasks $busy --work-us 20 --in-flight 1 ;;
    9) take_seconds "$1" start_plain "$farm" --open-close ;;
    10) take_seconds "$1" start_base "${launch[@]}" "$baseline" --tasks 1 ;;
    11) take_seconds "$1" start_mpi "${launch[@]}" "$farm" --open-close ;;
    12) take "$1" copy_1 gb_per_s "$copies" --bytes $mib --rounds $((20 * echoes)) ;;
    13) take "$1" echo_1 gb_per_s "$farm" --echo --bytes $mib --tasks $((20 * echoes)) ;;
    14) take "$1" copy_64 gb_per_s "$copies" --bytes $((64 * mib)) --rounds $echoes ;;
    15) take "$1" echo_64 gb_per_s "$farm" --echo --bytes $((64 * mib)) --tasks $echoes ;;
    16) take "$1" send_1 gb_per_s "${pair[@]}" "$copies" --mpi --bytes $mib --rounds $((20 * echoes)) ;;
    17) take "$1" echo_mpi_1 gb_per_s "${pair[@]}" "$farm" --echo --bytes $mib --tasks $((20 * echoes)) ;;
    18) take "$1" send_64 gb_per_s "${pair[@]}" "$copies" --mpi --bytes $((64 * mib)) --rounds $echoes ;;
    19) take "$1" echo_mpi_64 gb_per_s "${pair[@]}" "$farm" --echo --bytes $((64 * mib)) --tasks $echoes ;;
    esac
}
measures=20
mib=$((1 << 20))

for ((round = 1; round <= rounds; round++)); do
    for ((i = 0; i < measures; i++)); do
        measure $round $((round % 2 ? i : measures - 1 - i))
    done
done
take 1 memory bytes_per_task "$farm" --memory --tasks $queued
take 1 idle_plain cpu_s "$farm" --idle
take 1 idle_mpi cpu_s "${launch[@]}" "$farm" --idle
if [ "$quick" = 0 ]; then
    timeout 300 "$farm" --scaling </dev/null >"$dir/out" 2>"$dir/errors" || fail "$farm" --scaling
    sed -n 's/.*tasks=\([0-9]*\) ns_per_task=\(.*\)/scaling_\1 1 \2/p' "$dir/out" >>"$dir/values"
fi

echo "$rounds round(s); baseline: ${launch[*]} manager_worker; medians, and the median of the ratios in each round"
awk -v quick="$quick" '
    { value[$1, $2] = $3; if ($2 > rounds) rounds = $2 }
    function sort(v, n,    i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    }
    function middle(v, n) { sort(v, n); return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }
    function median(series,    v, r) {
        for (r = 1; r <= rounds; r++)
            v[r] = value[series, r] + 0
        return middle(v, rounds)
    }
    function pair(title, base, ours, format,    v, r, m) {
        for (r = 1; r <= rounds; r++)
            v[r] = value[base, r] > 0 ? value[ours, r] / value[base, r] : 0
        m = middle(v, rounds)
        printf "%-52s %12s %12s %8.2f  %.2f ... %.2f\n", title, sprintf(format, median(base)),
            sprintf(format, median(ours)), m, v[1], v[rounds]
    }
    function single(title, series, format) { printf "%-52s %12s %12s\n", title, "", sprintf(format, value[series, 1]) }
    END {
        printf "%-52s %12s %12s %8s  %s\n", "", "baseline", "libppmpi", "ratio", "from ... to"
        pair("tasks/s, plain start, against one in flight", "rate_one", "rate_plain", "%.0f")
        pair("tasks/s, plain start, against eight in flight", "rate_eight", "rate_plain", "%.0f")
        pair("tasks/s, under mpirun, against one in flight", "rate_one", "rate_mpi", "%.0f")
        pair("tasks/s, under mpirun, against eight in flight", "rate_eight", "rate_mpi", "%.0f")
        pair("one at a time, us, plain start", "trip_base", "trip_plain", "%.2f")
        pair("one at a time, us, under mpirun", "trip_base", "trip_mpi", "%.2f")
        pair("efficiency with tasks of 20 us, plain start", "busy_base", "busy_plain", "%.3f")
        pair("1 MiB there and back, GB/s, plain start", "copy_1", "echo_1", "%.2f")
        pair("64 MiB there and back, GB/s, plain start", "copy_64", "echo_64", "%.2f")
        pair("1 MiB to another rank and back, GB/s", "send_1", "echo_mpi_1", "%.2f")
        pair("64 MiB to another rank and back, GB/s", "send_64", "echo_mpi_64", "%.2f")
        pair("whole empty program, s, plain start", "start_base", "start_plain", "%.3f")
        pair("whole empty program, s, under mpirun", "start_base", "start_mpi", "%.3f")
        single("bytes of memory per queued task", "memory", "%.0f")
        single("CPU s while waiting 2 s, plain start", "idle_plain", "%.3f")
        single("CPU s while waiting 2 s, under mpirun", "idle_mpi", "%.3f")
        for (n = 1000; n <= 1000000 && !quick; n *= 10)
            single("ns per task, " n " tasks", "scaling_" n, "%.0f")
    }' "$dir/values"
