# For the scripts of this folder: hosts node-1 … node-3 on this machine, which are gone when the script ends. Skips, with the reason,
# where they cannot be made.
skip()
{
    echo "skipped: $*"
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip "only root can make hosts out of namespaces"
for tool in ip nsenter unshare; do
    command -v $tool > /dev/null || skip "there is no $tool; packages iproute2 and util-linux have it"
done
PATH=$PATH:/usr/sbin:/sbin command -v sshd > /dev/null || skip "there is no sshd; package openssh-server has it"
. "$(dirname "$0")/../fault/program.sh"
unset OMPI_MCA_btl_tcp_if_include OMPI_MCA_oob_tcp_if_include OMPI_MCA_rmaps_base_oversubscribe
export CLUSTER_DIR="$scratch/cluster" CLUSTER_SHARED="$scratch $build $source"
export OMPI_MCA_plm_rsh_agent="$CLUSTER_DIR/ssh" HYDRA_LAUNCHER_EXEC="$CLUSTER_DIR/ssh" UCX_TLS=tcp,self UCX_NET_DEVICES=eth0
cluster=$here/cluster.sh
trap 'sh "$cluster" down; rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
sh "$cluster" up 3 2> "$scratch/why" || skip "hosts cannot be made here: $(tail -n 1 "$scratch/why")"

mpi=${TEST_MPI:-openmpi}
pprun=$build/launcher/pprun
program=$scratch/program
build_program "$program"
cores=$(nproc)
# MPICH is too slow with more ranks than cores.
if [ "$mpi" = openmpi ] || [ "$cores" -ge 3 ]; then n=3 hosts=node-1,node-2,node-3; else n=2 hosts=node-1,node-2; fi
all=$((n * cores))

# at NODE SECONDS COMMAND…: sets $status, $out and $err as bounded does
at()
{
    node=$1 limit=$2
    shift 2
    bounded "$limit" sh "$cluster" run "$node" "$@"
}

now() { date +%s%N; }

# begin UPS NODE COMMAND…: in the background, until it has printed so many lines with "up"; sets $runner
begin()
{
    ups=$1 node=$2
    shift 2
    : > "$out"
    : > "$err"
    timeout -k 5 120 sh "$cluster" run "$node" "$@" > "$out" 2> "$err" < /dev/null &
    runner=$!
    for _ in $(seq 300); do [ "$(lines "$out" up)" -ge "$ups" ] && break; sleep 0.1; done
}

# signal SIG NODE FILE: to the first process there that runs this file; sets $began
signal()
{
    for pid in $(sh "$cluster" pids "$2"); do
        [ "$(readlink "/proc/$pid/exe")" = "$3" ] || continue
        began=$(now)
        kill -"$1" "$pid" && return
    done
    fail "nothing on $2 runs $3"
}

# ended: sets $status, and $took in ms from $began on
ended()
{
    wait $runner
    status=$?
    took=$((($(now) - began) / 1000000))
}

# only_runs NAMES SECONDS NODE…: nothing else runs there, after at most so long; NAMES, separated by blanks, may
only_runs()
{
    names=$1 seconds=$2
    shift 2
    for _ in $(seq $((seconds * 5))); do
        left=''
        for host; do
            for pid in $(sh "$cluster" pids "$host"); do
                name=$(cat "/proc/$pid/comm" 2> /dev/null)
                case " $names " in *" $name "*) ;; *) [ -z "$name" ] || left="$left $host:$name" ;; esac
            done
        done
        [ -z "$left" ] && return 0
        sleep 0.2
    done
    fail "left over:$left"
}

nothing_runs() { only_runs '' 2 node-1 node-2 node-3; }

# revive NODE: the cable is back, what was stopped goes on, and there is a sshd that answers
revive()
{
    sh "$cluster" join "$1"
    for pid in $(sh "$cluster" pids "$1") $(cat "$CLUSTER_DIR/$1/sshd"); do kill -CONT "$pid" 2> /dev/null; done
    sh "$cluster" serve "$1"
    for _ in $(seq 100); do
        timeout 5 sh "$cluster" run node-1 "$CLUSTER_DIR/ssh" "$1" true < /dev/null > /dev/null 2>&1 && return
        sleep 0.1
    done
    fail "$1 is not back"
}

# No file is left in any node's /dev/shm and /tmp; folders of CLUSTER_SHARED are mounted there.
nothing_remains()
{
    left=''
    for i in 1 2 3; do
        for file in $(sh "$cluster" run node-$i find /dev/shm /tmp -mindepth 1 -xdev -type f); do left="$left node-$i:$file"; done
    done
    [ -z "$left" ] || fail "left over:$left"
}
