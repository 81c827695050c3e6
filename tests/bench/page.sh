#!/bin/bash
# Writes measured figures into a page of the documentation, between its lines <!-- figures: NAME --> and
# <!-- end of figures -->.
set -u
export LC_ALL=C
if [ $# -ne 3 ]; then
    cat >&2 <<'END'
usage: page.sh RESULTS.json STATIONS.txt PAGE.md
RESULTS.json is what run.sh writes; it should be a full run of 7 rounds or more, or BENCH_ANY=1 be set.
STATIONS.txt is what stations.sh writes.
END
    exit 2
fi
results=$1 stations=$2 page=$3

fail()
{
    echo "page.sh: $1" >&2
    exit 1
}
command -v jq >/dev/null || fail 'jq is missing; on Debian: apt-get install jq'
[ -s "$results" ] || fail "there is no $results; build the target bench first"
[ -s "$stations" ] || fail "there is no $stations; build the target bench-stations first"
[ -w "$page" ] || fail "$page cannot be written"
enough=$(jq -r '.mode == "full" and .rounds >= 7' "$results") || fail "$results cannot be read"
[ "$enough" = true ] || [ "${BENCH_ANY:-0}" = 1 ] ||
    fail "$results is no full run of 7 rounds or more; BENCH_ANY=1 has it taken all the same"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

jq -r '"\(.machine.cpu), \(.machine.cores) cores, \(.machine.kernel), \(.machine.mpi); \(.date),",
    "\(.rounds) rounds of a \(.mode) run in \(.seconds) s, while other processes took \(.machine.others_cores) cores.",
    (if .machine.others_cores > 0.1 then
        "**That is too much: what is no ratio is worse than it should be, efficiency above all.**" else empty end),
    "The MPI loops are `\(.loop) manager_worker`."' "$results" >"$dir/machine"

# A row that says "the same" is told in full, as a table in HTML is not read line by line.
{
    echo '| measure | libppmpi | baseline | ratio (least … most) | bar | |'
    echo '|---|---|---|---|---|---|'
    jq -r '.rows[] | [.measure, .unit, .format, .ours.median, (.baseline.median // ""), .against,
        (if .kind == "none" then "" elif .kind == "ratio" then "%.2f" else "%+.1f" end),
        (.compared.median // ""), (.compared.min // ""), (.compared.max // ""), .bar, .verdict,
        .ours_beyond, .baseline_beyond] |
        map(tostring) | join("|")' \
        "$results" | awk -F '|' '
        {
            if ($1 != "the same") measure = $1
            unit = $2 == "" ? "" : " " $2
            sub(/ us$/, " µs", unit)
            sub(/ us$/, " µs", $11)
            base = $5 == "" ? "" : $14 sprintf($3, $5) unit " (" $6 ")"
            if ($13 $14 != "") ratio = "not known"
            else ratio = $7 == "" ? "" : sprintf($7 " (" $7 " … " $7 ")", $8, $9, $10)
            gsub(/>=/, "≥", $11)
            gsub(/<=/, "≤", $11)
            printf "| %s | %s | %s | %s | %s | %s |\n", measure, $13 sprintf($3, $4) unit, base, ratio, $11, $12
        }'
} >"$dir/table"

jq -r '.stations | to_entries[] | "\(.key) \(.value.median)"' "$results" | awk '
    { ns[$1] = $2 }
    END {
        print "| one task at a time | ns |"
        print "|---|---|"
        printf "| the call of `pp_submit` | %.0f |\n", ns["call_ns"]
        printf "| from that call to the first line of the task, in the worker | %.0f |\n", ns["down_ns"]
        printf "| from the last line of the task to the return of `pp_fetch` | %.0f |\n", ns["up_ns"]
        print ""
        print "| many tasks, each part alone | ns per task |"
        print "|---|---|"
        printf "| `pp_submit` while all workers are busy: into the queue | %.0f |\n", ns["submit_ns"]
        printf "| from the queue through the workers until all have finished | %.0f |\n", ns["through_ns"]
        printf "| `pp_fetch` of what has finished | %.0f |\n", ns["fetch_ns"]
    }' >"$dir/ways"

# What takes less than two nanoseconds is summed up.
awk '
    /^#/ { next }
    {
        total[$1] += $3
        if ($2 == "kernel") $2 = "the kernel"
        else if ($2 == "clock") $2 = "reading the clock (vDSO)"
        else if ($2 == "locks") $2 = "mutexes (C library)"
        else if ($2 == "benchmark") $2 = "the benchmark itself, with its task"
        else if ($2 ~ /\//) $2 = "`" $2 "`"
        else { other[$1] += $3; next }
        where = $0
        sub(/^[^ ]+ /, "", where)
        sub(/ [^ ]+$/, "", where)
        if ($NF + 0 < 2) { other[$1] += $NF; next }
        line[$1] = line[$1] sprintf("| %s | %.0f |\n", where, $NF)
    }
    function table(who, title) {
        printf "| %s, %.0f ns of CPU time per task | ns |\n|---|---|\n", title, total[who]
        printf "%s| everything else | %.0f |\n", line[who], other[who]
    }
    END {
        table("program", "in the program")
        print ""
        table("worker", "in the workers")
    }' "$stations" >"$dir/files"

awk -v dir="$dir" '
    /^<!-- end of figures -->$/ { inside = 0 }
    !inside { print }
    /^<!-- figures: [a-z]+ -->$/ {
        file = dir "/" $3
        print ""
        while ((getline line < file) > 0) { print line; any = 1 }
        print ""
        if (!any) { print "page.sh: there are no figures called " $3 > "/dev/stderr"; failed = 1 }
        any = 0
        inside = 1
    }
    END {
        if (inside) print "page.sh: the last figures have no end" > "/dev/stderr"
        exit failed || inside
    }' "$page" >"$dir/page" || fail "$page has been left as it was"
cp "$dir/page" "$page" && echo "written: $page"
