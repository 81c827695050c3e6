# The cases of test_left_behind*.sh, to be sourced: `add` cases, then `run_cases BUILD_DIR [PATTERN…]`.
#
# However a program ends, and whoever kills it: its launcher ends within 5 seconds, with the status that it would have
# without the library, and 2 seconds later no process is left on this machine that the program has started, nor a file.
# Processes are known by a variable in their environment, and by the session that each case has for itself.
set -u
export LC_ALL=C
launcher=${TEST_MPIEXEC-$(command -v mpirun)}
mpi=${TEST_MPI-openmpi}
work=$(mktemp -d /tmp/plb.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Those that the case has started and that are not zombies; not the launcher itself.
processes() {
    { grep -lz "^LEFT_BEHIND_MARK=$mark\$" /proc/[0-9]*/environ 2> /dev/null | cut -d/ -f3
        ps -o pid= -s "$pid"; } | sort -un | while read -r p; do
        [ "$p" = "$pid" ] && continue
        case $(ps -o stat= -p "$p" 2> /dev/null) in '' | Z* | X*) continue ;; esac
        echo "$p"
    done
}

now() { date +%s%N; }
ms_since() { echo $((($(now) - $1) / 1000000)); }

fail() { echo "FAIL $name: $*"; }

# one NAME RANKS MODE STATE TARGET SIGNAL EXPECTED: RANKS 0 = no launcher; TARGET - = nobody is killed
one() {
    local name=$1 ranks=$2 mode=$3 state=$4 target=$5 signal=$6 expected=$7
    local dir=$work/$name mark=$work/$name pid status began victim left ended gone patience=2000
    mkdir -p "$dir/t"
    local command=()
    if [ "$ranks" -gt 0 ]; then
        command=("$launcher" -n "$ranks")
        [ "$mpi" = openmpi ] && command+=(--oversubscribe)
    fi
    LEFT_BEHIND_MARK=$mark TMPDIR=$dir/t setsid "${command[@]}" "$program" "$mode" "$state" "$dir" \
        > "$dir/out" 2>&1 < /dev/null &
    pid=$!
    for _ in $(seq 400); do
        [ -e "$dir/ready" ] && break
        [ "$mode" = fail-open ] && break
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.05
    done
    [ -e "$dir/ready" ] || [ "$mode" = fail-open ] || { fail "never got ready"; sed 's/^/    /' "$dir/out"; }
    began=$(now)
    if [ "$target" != - ]; then
        case $target in
        program) victim=$pid ;;
        launcher)
            victim=$pid
            [ "$signal" = KILL ] && patience=5000 # the ranks find out by themselves; Open MPI takes 1.1 to 1.6 s
            ;;
        rank*) victim=$(cat "$dir/pid.${target#rank}") ;;
        group) victim=-$pid ;;
        esac
        kill -s "$signal" -- "$victim" || fail "could not kill $target"
    fi
    # Not kill -0, for which a zombie is alive.
    while case $(ps -o stat= -p "$pid") in '' | Z*) false ;; esac do
        [ "$(ms_since "$began")" -lt 5000 ] || break
        sleep 0.02
    done
    ended=$(ms_since "$began")
    if [ "$ended" -ge 5000 ]; then
        fail "the ${command[0]-program} has not ended after 5 s:"
        ps -o pid,ppid,stat,wchan:20,args -s "$pid" | sed 's/^/    /'
        kill -s KILL -- "-$pid"
    fi
    wait "$pid" 2> /dev/null
    status=$?
    while left=$(processes); [ -n "$left" ]; do
        [ "$(ms_since "$began")" -lt $((ended + patience)) ] || break
        sleep 0.02
    done
    gone=$(ms_since "$began")
    if [ -n "$left" ]; then
        fail "left behind:"
        # shellcheck disable=SC2086 # pids are words
        ps -o pid,ppid,pgid,sid,stat,comm,args -p $left | sed 's/^/    /'
        # shellcheck disable=SC2086
        kill -s KILL $left 2> /dev/null
    fi
    case $expected in
    any) ;;
    nonzero) [ "$status" -ne 0 ] || fail "status 0" ;;
    *) [ "$status" -eq "$expected" ] || { fail "status $status instead of $expected"; sed 's/^/    /' "$dir/out"; } ;;
    esac
    # Open MPI leaves its own directory when a rank or mpirun is killed.
    find /dev/shm /tmp -maxdepth 1 ! -type d -iname '*ppmpi*' ! -name 'ppmpi-test-*' -newer "$dir" 2> /dev/null |
        while read -r file; do fail "left behind: $file"; done
    find "$dir/t" -mindepth 1 -maxdepth 1 ! -name 'ompi.*' ! -name 'vader_segment.*' ! -name 'pmix*' |
        while read -r file; do fail "left behind: $file"; done
    echo "$name: status $status, ended after $ended ms, nothing left after $gone ms"
    [ -n "${KEEP-}" ] || rm -rf "$dir"
}

cases=()
add() { cases+=("$*"); }

# run_cases BUILD_DIR [PATTERN…]: all, or those whose name matches. Most of the time they wait: some at once.
run_cases() {
    local build=${1:?usage: test_left_behind*.sh BUILD_DIR [PATTERN...]} running=0 count=0 failures c words pattern wanted
    shift
    program=$build/tests/fault_left_behind
    [ -x "$program" ] || { echo "no program $program"; exit 1; }
    for c in "${cases[@]}"; do
        read -r -a words <<< "$c"
        if [ $# -gt 0 ]; then
            wanted=0
            # shellcheck disable=SC2254 # patterns are wanted
            for pattern; do case ${words[0]} in $pattern) wanted=1 ;; esac done
            [ $wanted = 1 ] || continue
        fi
        count=$((count + 1))
        one "${words[@]}" > "$work/${words[0]}.log" 2>&1 &
        running=$((running + 1))
        if [ $running -ge ${at_once-4} ]; then
            wait -n
            running=$((running - 1))
        fi
    done
    wait
    cat "$work"/*.log | grep -v "^/.*: line [0-9]*: *[0-9]* [A-Z]" # what bash says of processes that were killed
    failures=$(cat "$work"/*.log | grep -c '^FAIL')
    [ -n "${KEEP-}" ] && trap - EXIT && echo "kept $work"
    echo "$count cases, $failures failures"
    [ "$failures" -eq 0 ] && [ "$count" -gt 0 ]
}
