# Scarce or strange surroundings: the program works, with one clear line where it works with less, or is refused with one.
# It never hangs, crashes or leaves something behind.
. "$(dirname "$0")/program.sh"
program=$scratch/environment
build_program "$program"
run=${TEST_MPIEXEC:-mpirun}
cores=$(nproc)

# works_or_says_why WHAT: after `bounded`
works_or_says_why()
{
    case $status in
    0)
        [ "$(lines "$out" '^sum OK of')" -eq 1 ] || fail "$1: wrong"
        [ "$(lines "$err" .)" -le 1 ] || fail "$1: more than one line of warning"
        works=$((works + 1))
        ;;
    1 | 3)
        [ "$(lines "$err" '^refused: ..*\|^task: ..*')" -eq 1 ] || fail "$1: no reason"
        [ "$(lines "$err" .)" -le 2 ] || fail "$1: a reason in many lines"
        refused=$((refused + 1))
        ;;
    *) fail "$1" ;;
    esac
}

# ---- Cores: affinity, variables, invented machines.
first=$(taskset -pc $$ | sed 's/.*: *\([0-9]*\).*/\1/')
bounded 20 taskset -c "$first" "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "sum OK of 50 by 1 workers" ] && [ ! -s "$err" ] || fail "one core"
bounded 20 env PPMPI_WORKERS=3 "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "sum OK of 50 by 3 workers" ] && [ ! -s "$err" ] || fail "PPMPI_WORKERS=3"
bounded 20 env PPMPI_WORKERS=3 taskset -c "$first" "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "sum OK of 50 by 3 workers" ] || fail "three workers on one core"
bounded 20 env HWLOC_SYNTHETIC="node:2 core:3 pu:2" "$program" sum
[ $status -eq 0 ] && [ "$(lines "$out" 'by 6 workers')" -eq 1 ] || fail "HWLOC_SYNTHETIC"
bounded 20 env -i "$program" sum
[ $status -eq 0 ] && [ "$(lines "$out" 'sum OK')" -eq 1 ] && [ ! -s "$err" ] || fail "empty environment"

# ---- A CPU quota, where one can be set.
group=/sys/fs/cgroup/cpu/ppmpi-test-$$
if mkdir "$group" 2>/dev/null; then
    if [ -e "$group/cpu.cfs_quota_us" ] && echo 100000 >"$group/cpu.cfs_quota_us" 2>/dev/null; then
        # shellcheck disable=SC2016
        bounded 40 sh -c 'echo $$ >"$1/tasks" && exec "$2" sum' sh "$group" "$program"
        [ $status -eq 0 ] && [ "$(cat "$out")" = "sum OK of 50 by 1 workers" ] || fail "a quota of one CPU"
        [ "$(lines "$err" .)" -le 1 ] || fail "a quota of one CPU: more than one line"
        echo 10000 >"$group/cpu.cfs_quota_us"
        # shellcheck disable=SC2016
        bounded 60 sh -c 'echo $$ >"$1/tasks" && exec "$2" sum' sh "$group" "$program"
        [ $status -eq 0 ] && [ "$(cat "$out")" = "sum OK of 50 by 1 workers" ] || fail "a quota of a tenth of a CPU"
    else
        echo "not tested: CPU quota"
    fi
    rmdir "$group" || { sleep 1 && rmdir "$group"; }
else
    echo "not tested: CPU quota"
fi

# ---- Binding is refused (as in some containers): the workers run unbound.
if [ -z "${TEST_SANITIZE:-}" ]; then
    cat >"$scratch/refuse.c" <<'END'
#include <errno.h>
#include <stddef.h>
int sched_setaffinity(int pid, size_t n, const void *set);
int sched_setaffinity(int pid, size_t n, const void *set)
{
    (void)pid, (void)n, (void)set;
    errno = EPERM;
    return -1;
}
END
    ${CC:-cc} -shared -fPIC "$scratch/refuse.c" -o "$scratch/refuse.so" || exit 1
    bounded 20 env LD_PRELOAD="$scratch/refuse.so" "$program" sum
    [ $status -eq 0 ] && [ "$(lines "$out" 'sum OK')" -eq 1 ] || fail "binding refused"
    [ "$(lines "$err" .)" -le 1 ] || fail "binding refused: more than one line"
fi

# ---- Standard streams that are closed, full or broken.
for closed in 0 1 2 01 02 12 012; do
    command='exec "$0" quiet 100'
    for fd in 0 1 2; do
        case $closed in *$fd*) command="$command $fd>&-" ;; esac
    done
    bounded 20 sh -c "$command" "$program"
    [ $status -eq 0 ] || fail "descriptors $closed are closed"
done
# shellcheck disable=SC2016
bounded 20 sh -c 'exec "$0" quiet 100 >/dev/full 2>&1' "$program"
[ $status -eq 0 ] || fail "/dev/full"

# ---- Few descriptors.
works=0 refused=0
for n in 5 6 7 8 9 10 11 12 13 14 16 20 32 64; do
    bounded 20 prlimit --nofile=$n "$program" sum
    case $status in 127) continue ;; esac # not even the loader can work
    works_or_says_why "$n descriptors"
done
[ $works -ge 3 ] && [ $refused -ge 1 ] || fail "few descriptors: $works worked, $refused refused"
works=0 refused=0
for n in 16 32 64 128 300; do
    bounded 20 env PPMPI_WORKERS=40 prlimit --nofile=$n "$program" sum 200
    works_or_says_why "$n descriptors for 40 workers"
done
[ $works -ge 4 ] || fail "few descriptors, 40 workers: $works worked"
[ "$(cat "$out")" = "sum OK of 200 by 40 workers" ] || fail "enough descriptors for 40 workers"

if [ -z "${TEST_SANITIZE:-}" ]; then
    # ---- Small files: the memory that we share is one to the system. No signal may come of it.
    for blocks in 100 100000 10000000 100000000; do
        # shellcheck disable=SC2016
        bounded 30 sh -c 'ulimit -f "$1" && exec "$2" sum' sh $blocks "$program"
        works_or_says_why "ulimit -f $blocks"
    done

    # ---- Little address space, and more asked for than there is.
    works=0 refused=0
    for mib in 16384 4096 2048 1024 768 512 400 320 256 200 180 160 140 130 120 110 100 80 60 40; do
        bounded 20 prlimit --as=$((mib << 20)) "$program" sum
        case $status in 127) continue ;; esac
        works_or_says_why "$mib MiB of address space"
        # What works with less works with more.
        [ $status -ne 0 ] || [ $refused -eq 0 ] || fail "$mib MiB suffice, but more did not"
    done
    [ $works -ge 6 ] && [ $refused -ge 2 ] || fail "little address space: $works worked, $refused refused"
    for mib in 100000 8192 2048 1024 512 256; do
        bounded 60 prlimit --as=$((mib << 20)) "$program" huge
        [ $status -eq 0 ] && [ "$(lines "$out" '^huge: [1-9]')" -eq 1 ] || fail "huge tasks in $mib MiB of address space"
    done

    # ---- Few processes. Root has no such limit, so as somebody else.
    if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
        someone="setpriv --reuid=65533 --regid=65533 --clear-groups"
        bounded 20 $someone "$program" sum
        if [ $status -eq 0 ]; then
            works=0 refused=0
            for n in 0 1 2 3 4 5 6 7 8 10 20; do
                bounded 20 prlimit --nproc=$n $someone "$program" sum
                works_or_says_why "$n processes"
            done
            [ $works -ge 2 ] && [ $refused -ge 2 ] || fail "few processes: $works worked, $refused refused"
            works=0 refused=0
            for n in 3 6 10 15 22 24 30; do
                bounded 20 env PPMPI_WORKERS=20 prlimit --nproc=$n $someone "$program" sum
                works_or_says_why "$n processes for 20 workers"
            done
            [ $works -ge 4 ] || fail "few processes, 20 workers: $works worked"
            nothing_left "$program" || fail "few processes: left over:$left"
        else
            echo "not tested: few processes: another user cannot run $program"
        fi
    else
        echo "not tested: few processes"
    fi

    # ---- Under the launcher, one rank has too little: the farm does without its workers, or ends; both with the reason.
    for rank in 0 1; do
        for mib in 256 100; do
            little="prlimit --as=$((mib << 20)) $program"
            if [ $rank -eq 0 ]; then
                # shellcheck disable=SC2086
                bounded 60 "$run" -n 1 $little sum : -n 1 "$program" sum
            else
                # shellcheck disable=SC2086
                bounded 60 "$run" -n 1 "$program" sum : -n 1 $little sum
            fi
            case $status in
            0) [ "$(lines "$out" 'sum OK of 50')" -eq 1 ] || fail "rank $rank with $mib MiB: wrong" ;;
            124 | 137) fail "rank $rank with $mib MiB: hangs" ;;
            *) [ -s "$err" ] || [ -s "$out" ] || fail "rank $rank with $mib MiB: no reason" ;; # UCX writes to stdout
            esac
            nothing_left "$program" || fail "rank $rank with $mib MiB: left over:$left"
        done
    done
fi
nothing_left "$program" || fail "left over:$left"
finish
