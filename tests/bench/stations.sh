#!/bin/bash
# Where the time of a null task goes: samples the CPU clock of all processes of the farm with perf while millions of
# them go through, 2 workers, plain, and shares the samples out over the files of the library.
set -u
export LC_ALL=C
usage='usage: stations.sh BUILD_DIR OUTPUT
BUILD_DIR is where the library was built (build/release). Needs perf; which events may be sampled by whom is told by
/proc/sys/kernel/perf_event_paranoid. PERF_TASKS (200000) tasks go through PERF_TIMES (20) times.'
if [ $# -ne 2 ]; then
    echo "$usage" >&2
    exit 2
fi
output=$2 farm=$1/tests/bench/farm
sources=$(dirname "$0")/../../libppmpi
tasks=${PERF_TASKS:-200000} times=${PERF_TIMES:-20}
period=100000 # nanoseconds

fail()
{
    echo "stations.sh: $1" >&2
    exit 1
}
[ -x "$farm" ] || fail "there is no $farm; build the target bench"
command -v perf >/dev/null || fail 'perf is missing; on Debian it is in the package linux-perf'
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

PPMPI_WORKERS=2 perf record -q -e cpu-clock -c $period -o "$dir/data" "$farm" --tasks "$tasks" --times "$times" \
    >"$dir/out" 2>"$dir/errors" || fail "perf record failed: $(cat "$dir/errors")"
grep -q tasks_per_s= "$dir/out" || fail "the farm failed: $(cat "$dir/out" "$dir/errors")"

# Which file a function is in is read from the sources: its definition begins in the first column and ends in no
# semicolon. So it does not matter how the library was optimised. Of two that share a name the first is taken.
(cd "$sources" && awk '/^[a-z][a-z_0-9 *]*[ *][a-z_0-9]+\(/ && !/;$/ {
    name = $0
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    print name, FILENAME
}' ./*/*.c ./*/*.h) | sed 's, \./, ,' >"$dir/functions"
[ -s "$dir/functions" ] || fail "there are no functions in $sources"

perf script -i "$dir/data" -F comm,ip,sym,dso 2>/dev/null >"$dir/samples" || fail 'perf script failed'
{
    echo "# Nanoseconds of CPU time per null task: program or worker, where, ns. $(cat "$dir/out")"
    awk -v scale="$(awk -v p=$period -v n="$tasks" -v t="$times" 'BEGIN { print p / (n * t) }')" '
        NR == FNR { if (!($1 in file)) file[$1] = $2; next }
        {
            who = $1 == "ppmpi-worker" ? "worker" : $1 == "ppmpi-fork" ? "forkserver" : "program"
            dso = $NF
            name = $(NF - 1)
            sub(/[.+@].*/, "", name)
            if (dso ~ /kernel|kallsyms/) where = "kernel"
            else if (dso ~ /vdso/) where = "clock"
            else if (dso ~ /libc[.-]/) where = name ~ /mutex|cond|lock/ ? "locks" : "libc"
            else if (dso ~ /libppmpi/) where = name in file ? file[name] : "libppmpi"
            else if (dso ~ /farm/) where = "benchmark"
            else where = "rest"
            sum[who " " where]++
        }
        END { for (key in sum) printf "%s %.2f\n", key, sum[key] * scale }' "$dir/functions" "$dir/samples" |
        sort -k 1,1 -k 3,3nr
} >"$dir/stations"
[ "$(wc -l <"$dir/stations")" -gt 1 ] || fail 'perf took no samples'
cp "$dir/stations" "$output" && cat "$output" && echo "written: $output"
