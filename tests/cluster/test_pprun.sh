# pprun on three hosts: results, what there is, the ways in which a host is not to be had, status, signals, and nothing left behind.
. "$(dirname "$0")/hosts.sh"

# ---- One rank on each host, with all its cores.
at node-1 60 "$pprun" --hosts $hosts "$program" nodes
[ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "$n nodes, $all workers" ] && [ ! -s "$err" ] || fail "--hosts $hosts"
[ "$(lines "$out" "^node-[1-$n]: rank [0-2], 1 ranks, $cores workers\$")" -eq $n ] || fail "--hosts: the nodes"
[ "$(sed -n 2p "$out")" = "node-1: rank 0, 1 ranks, $cores workers" ] || fail "--hosts: rank 0 is on the first"
[ "$(lines "$out" 'sum OK')" -eq 1 ] || fail "--hosts: results"
nothing_runs
printf '# all\nnode-2 slots=2\nnode-1:4\nnode-2\n' > "$scratch/hostfile"
at node-1 60 "$pprun" --hostfile "$scratch/hostfile" "$program" nodes
[ $status -eq 0 ] && [ "$(sed -n 2p "$out")" = "node-2: rank 0, 1 ranks, $cores workers" ] || fail "--hostfile"
# Without the local host; from where no rank runs.
at node-3 60 "$pprun" --hosts node-2,node-1 "$program" nodes
[ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "2 nodes, $((2 * cores)) workers" ] || fail "--hosts replaces the local node"
at node-3 60 "$pprun" --hosts node-2 "$program" nodes
[ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "1 nodes, $cores workers" ] && [ "$(lines "$out" ^node-2:)" -eq 1 ] || fail "one other host"
at node-1 60 "$pprun" --hosts $hosts -n 2 --workers 3 "$program" nodes
[ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "2 nodes, 6 workers" ] || fail "-n 2 --workers 3"
if [ "$mpi" = openmpi ]; then
    at node-1 60 "$pprun" --hosts $hosts -n 5 "$program" nodes
    [ $status -eq 0 ] && [ "$(lines "$out" '^node-[12]: rank [01], 2 ranks, 2 workers')" -eq 2 ] || fail "-n 5: two on the first two"
    [ "$(lines "$out" "^node-3: rank 2, 1 ranks, $cores workers")" -eq 1 ] || fail "-n 5: one on the last"
fi

# ---- Options and the user's environment reach all nodes, where a shell that logs in has nothing.
export OMP_NUM_THREADS=7 PPMPI_HEARTBEAT=5 MY_OWN='a b;c $HOME
second'
# shellcheck disable=SC2016
at node-1 60 "$pprun" --hosts $hosts --timeout 3 --retries 2 --progress sh -c 'echo "$PPMPI_TIMEOUT $PPMPI_RETRIES $PPMPI_PROGRESS $PPMPI_HEARTBEAT $OMP_NUM_THREADS" $(echo "$MY_OWN" | md5sum)'
[ $status -eq 0 ] && [ "$(grep -cxF "3 2 1 5 7 $(echo "$MY_OWN" | md5sum | tr -s ' ')" "$out")" -eq $n ] || fail "the environment"
unset OMP_NUM_THREADS PPMPI_HEARTBEAT MY_OWN
# What no shell takes for a variable stays here.
at node-1 60 env OMPI_MCA_x.y=1 'BASH_FUNC_module%%=() { echo; }' a-b=1 "$pprun" --hosts $hosts "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "sum OK of 50 by $all workers" ] && [ ! -s "$err" ] || fail "names that are no variables"

# ---- What there is.
at node-1 60 "$pprun" --info --hosts $hosts
[ $status -eq 0 ] && [ "$(tr -s ' ' < "$out" | sed -n "2,$((n + 1))p;s/^total.* //p" | wc -l)" -ge $n ] || fail "--info"
[ "$(tr -s ' ' < "$out" | sed -n 2p | cut -d ' ' -f 1,5,6)" = "node-1 $cores $cores" ] || fail "--info: node-1"
[ "$(sed -n 's/^total.* //p' "$out")" -eq $all ] || fail "--info: the total"
HWLOC_SYNTHETIC='pack:2 core:4 pu:2' at node-1 60 "$pprun" --info --hosts node-2,node-3
[ $status -eq 0 ] && [ "$(tr -s ' ' < "$out" | sed -n '2,3p')" = "node-2 2 1 8 8 8
node-3 2 1 8 8 8" ] || fail "--info of invented machines"

# ---- A dry run can be pasted.
at node-1 20 "$pprun" --hosts $hosts --dry-run "$program" nodes
[ $status -eq 0 ] && [ "$(lines "$out" .)" -eq 1 ] || fail "--dry-run"
at node-1 60 sh -c "$(cat "$out")"
[ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "$n nodes, $all workers" ] || fail "--dry-run, pasted"
nothing_runs

# ---- Who starts the ranks on other hosts: pprun itself where it can, mpirun's daemons where something speaks against that.
# carries YES-OR-NO WHAT NODE COMMAND…
carries()
{
    expected=$1 what=$2 node=$3
    shift 3
    at "$node" 20 "$@"
    case $(cat "$out") in *" --carry "*) carried=yes ;; *) carried=no ;; esac
    [ $status -eq 0 ] && [ $carried = "$expected" ] || fail "carried ($expected is right): $what"
}
if [ "$mpi" = openmpi ]; then
    dry="$pprun --dry-run --hosts $hosts"
    # shellcheck disable=SC2086 # $dry is several words
    {
        carries yes "a program of the library" node-1 $dry "$program" nodes
        carries yes "-n 2" node-1 $dry -n 2 "$program" nodes
        carries no "--plain-mpirun" node-1 $dry --plain-mpirun "$program" nodes
        for variable in OMPI_MCA_btl=tcp,self OMPI_MCA_pml=ob1 PMIX_MCA_gds=hash; do
            carries no $variable node-1 env $variable $dry "$program" nodes
        done
        carries no "-n 5" node-1 $dry -n 5 "$program" nodes
        carries no "the first host is another one" node-2 $dry "$program" nodes
        carries no "a program that calls MPI itself" node-1 $dry "$build/tests/mpi_comm"
        carries no "a program that does not call the library" node-1 $dry "$(command -v hostname)"
        carries no "a large environment" node-1 env LARGE="$(head -c 70000 /dev/zero | tr '\0' x)" $dry "$program" nodes
        carries no "large arguments" node-1 $dry "$program" nodes "$(head -c 70000 /dev/zero | tr '\0' x)"
        printf 'node-1\nnode-2\n' > "$scratch/nodefile"
        carries no "a batch job" node-1 env PBS_NODEFILE="$scratch/nodefile" "$pprun" --dry-run "$program" nodes
        printf '#include <ppmpi.h>\nint main(void) { pp_prepare(); return !pp_server_open(0, 0, 0); }\n' > "$scratch/prepare.c"
        ${CC:-cc} "$scratch/prepare.c" -o "$scratch/prepare" $flags -lppmpi || exit 1
        carries no "a program that calls pp_prepare" node-1 $dry "$scratch/prepare"
        # node-3 is on another network.
        sh "$cluster" run node-1 ip link add other type veth peer name end
        sh "$cluster" run node-1 ip addr add 10.177.32.1/24 dev other
        sh "$cluster" run node-1 ip link set other up
        sh "$cluster" run node-1 ip route add 10.177.31.3/32 dev other src 10.177.32.1
        carries no "two interfaces" node-1 $dry "$program" nodes
        carries yes "two interfaces, one of them named" node-1 env OMPI_MCA_oob_tcp_if_include=eth0 $dry "$program" nodes
        sh "$cluster" run node-1 ip link del other
        carries yes "one interface again" node-1 $dry "$program" nodes
        mpirun=$(readlink -f "$(sed 's/ --host .*//; s/.* //' "$out")")
        printf '#!/bin/sh\necho "mpirun (Open MPI) 5.0.3"\n' > "$scratch/mpirun"
        chmod 755 "$scratch/mpirun"
        sh "$cluster" run node-1 mount --bind "$scratch/mpirun" "$mpirun"
        carries no "another Open MPI" node-1 $dry "$program" nodes
        sh "$cluster" run node-1 umount "$mpirun"
    }
    LARGE=$(head -c 120000 /dev/zero | tr '\0' x) at node-1 60 "$pprun" --hosts $hosts "$program" nodes
    [ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "$n nodes, $all workers" ] || fail "a large environment"
fi
nothing_runs

# ---- Hosts that cannot be had: named, soon, in a sentence.
at node-1 60 "$pprun" --hosts node-1,node-9 "$program" sum
[ $status -eq 2 ] && [ "$(lines "$err" '^pprun: node-9 cannot be reached: ssh: Could not resolve hostname node-9')" -eq 1 ] || fail "unknown host"
[ "$(lines "$out" sum)" -eq 0 ] || fail "unknown host: something ran"
at node-1 60 "$pprun" --info --hosts node-1,node-9
[ $status -eq 2 ] && [ "$(lines "$err" '^pprun: node-9 cannot be reached')" -eq 1 ] || fail "--info, unknown host"
nothing_runs
if command -v ssh > /dev/null; then
    at node-1 60 env -u OMPI_MCA_plm_rsh_agent -u HYDRA_LAUNCHER_EXEC "$pprun" --hosts node-1,node-2 "$program" sum
    [ $status -eq 2 ] && [ "$(lines "$err" '^pprun: node-2 cannot be reached: ssh: .*refused')" -eq 1 ] || fail "no sshd there"
    # Nobody has this address.
    at node-1 90 env -u OMPI_MCA_plm_rsh_agent -u HYDRA_LAUNCHER_EXEC "$pprun" --hosts node-1,10.177.31.99 "$program" sum
    [ $status -eq 2 ] && [ "$(lines "$err" '^pprun: 10.177.31.99 cannot be reached: ssh: ')" -eq 1 ] || fail "unreachable host"
fi
# The remote shell as the user wants it, for the ranks, the program and signals.
told="env OMPI_MCA_plm_rsh_agent=ssh HYDRA_LAUNCHER_EXEC=ssh"
words="-F $CLUSTER_DIR/ssh_config"
for how in '' --plain-mpirun --preload; do
    # shellcheck disable=SC2086
    at node-1 60 $told OMPI_MCA_plm_rsh_args="$words" HYDRA_LAUNCHER_EXTRA_ARGS="$words" "$pprun" $how --hosts node-1,node-2 "$program" nodes
    [ $status -eq 0 ] && [ "$(lines "$out" '^node-2: rank 1')" -eq 1 ] || fail "words for the remote shell $how"
done
# shellcheck disable=SC2086
begin 1 node-1 $told OMPI_MCA_plm_rsh_args="$words" HYDRA_LAUNCHER_EXTRA_ARGS="$words" "$pprun" --hosts node-2 "$program" save
signal TERM node-1 "$pprun"
ended
[ $status -eq 42 ] || fail "words for the remote shell, a signal"
mkdir "$scratch/bare"
for tool in sh env uname hostname sleep rm; do ln -s "$(command -v $tool)" "$scratch/bare/$tool"; done
at node-1 60 env -u OMPI_MCA_plm_rsh_agent -u HYDRA_LAUNCHER_EXEC PATH="$scratch/bare" "$pprun" --hosts node-1,node-2 "$program" sum
[ $status -eq 2 ] && [ "$(lines "$err" '^pprun: other hosts are started by "ssh.*", and there is no such program on the PATH')" -eq 1 ] || fail "no ssh"
nothing_runs

# ---- A node that does not have the program; --preload takes it there, and leaves nothing.
mkdir "$scratch/private" "$scratch/empty_folder"
cp "$program" "$scratch/private/prog"
sh "$cluster" run node-2 mount --bind "$scratch/empty_folder" "$scratch/private"
# Whether rank 0 would have been there or another, and whether others take part.
for list in $hosts node-2,node-1 node-2; do
    at node-1 60 "$pprun" --hosts $list "$scratch/private/prog" sum
    [ $status -eq 127 ] && [ "$(lines "$err" '^pprun: node-2 does not have the program; .*--preload')" -eq 1 ] || fail "program not there: $list"
done
nothing_runs
# Byte 18 of a program says which machine it is for.
mkdir "$scratch/foreign"
cp "$program" "$scratch/foreign/prog"
printf '\377' | dd of="$scratch/foreign/prog" bs=1 seek=18 conv=notrunc 2> "$scratch/why"
sh "$cluster" run node-3 mount --bind "$scratch/foreign" "$scratch/private"
for list in node-1,node-3 node-3,node-1; do
    at node-1 60 "$pprun" --hosts $list "$scratch/private/prog" sum
    [ $status -eq 126 ] && [ "$(lines "$err" '^pprun: rank [01] ended with status 126: node-3 could not execute the program')" -eq 1 ] ||
        fail "another architecture: $list"
done
sh "$cluster" run node-3 umount "$scratch/private"
nothing_runs
at node-1 60 "$pprun" --preload --hosts $hosts "$scratch/private/prog" nodes
[ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "$n nodes, $all workers" ] || fail "--preload"
at node-1 60 "$pprun" --preload --hosts $hosts "$scratch/private/prog" leave
[ $status -eq 5 ] || fail "--preload: status"
at node-1 60 "$pprun" --preload --hosts node-1,node-9 "$scratch/private/prog" nodes
[ $status -eq 2 ] && [ "$(lines "$err" '^pprun: node-9 did not get the program: ')" -eq 1 ] || fail "--preload to an unknown host"
cp "$pprun" "$scratch/private/pprun"
at node-1 60 "$scratch/private/pprun" --info --hosts $hosts
[ $status -eq 127 ] && [ "$(lines "$err" 'nodes have answered; pprun must be at')" -eq 1 ] || fail "--info, pprun is not there"
at node-1 60 "$scratch/private/pprun" --info --preload --hosts $hosts
[ $status -eq 0 ] && [ "$(sed -n 's/^total.* //p' "$out")" -eq $all ] || fail "--info --preload"
for i in 1 2 3; do
    [ -z "$(sh "$cluster" run node-$i find /tmp -maxdepth 1 -name 'ppmpi-*')" ] || fail "--preload: node-$i still has it"
done

# ---- Status and signals, from wherever rank 0 runs.
for first in node-1 node-2; do
    at node-1 60 "$pprun" --hosts $first,node-3 "$program" leave
    [ $status -eq 5 ] || fail "status 5 of rank 0 on $first"
    at node-1 60 "$pprun" --hosts $first,node-3 "$program" fail
    [ $status -eq 1 ] && [ "$(lines "$err" 'broken on purpose')" -eq 1 ] || fail "PP_FETCH of a failed task on $first"
    # shellcheck disable=SC2016
    at node-1 60 "$pprun" --hosts $first sh -c 'kill -SEGV $$'
    [ $status -eq 139 ] || fail "signal 11 of rank 0 on $first"
    nothing_runs
done

# passes SIG STATUS MODE HOSTS
passes()
{
    begin 1 node-1 "$pprun" --hosts "$4" "$program" "$3"
    signal "$1" node-1 "$pprun"
    ended
    [ $status -eq "$2" ] || fail "SIG$1, $3, on $4"
    # Rank 0 on another host is told by ssh, which takes its time on a busy machine.
    case $4 in node-1*) most=2000 ;; *) most=4000 ;; esac
    [ $took -le $most ] || fail "SIG$1, $3, on $4: took $took ms"
    nothing_runs
}
for list in $hosts node-2,node-3; do
    passes INT 130 wait $list
    passes TERM 143 wait $list
    passes HUP 129 wait $list
    if [ "$mpi" = openmpi ]; then
        passes TERM 42 save $list
        passes INT 42 save $list
    fi
done
passes KILL 137 wait $hosts

# ---- After all these runs a host on which mpirun has no daemon has no folders of Open MPI's sessions either.
for i in 2 3; do
    [ -z "$(sh "$cluster" run node-$i find /tmp -maxdepth 1 -name 'ompi.node-1.*')" ] || fail "folders are left on node-$i"
done

# ---- PBS, Torque: a line for each core, which the batch system's own file has.
printf 'node-2\nnode-2\nnode-1\nnode-1\n' > "$scratch/nodefile"
PBS_NODEFILE=$scratch/nodefile PBS_JOBID=1.server at node-2 60 "$pprun" "$program" nodes
[ $status -eq 0 ] && [ "$(sed -n 1,2p "$out")" = "2 nodes, $((2 * cores)) workers
node-2: rank 0, 1 ranks, $cores workers" ] || fail "PBS_NODEFILE"
echo 'node-3' > "$scratch/nodefile"
PBS_NODEFILE=$scratch/nodefile at node-3 60 "$pprun" "$program" sum
[ $status -eq 0 ] && [ "$(cat "$out")" = "sum OK of 50 by $cores workers" ] || fail "PBS_NODEFILE with this node alone"
PBS_NODEFILE=$scratch/none at node-3 60 "$pprun" "$program" sum
[ $status -eq 2 ] && [ "$(lines "$err" "^pprun: the host file $scratch/none cannot be read")" -eq 1 ] || fail "PBS_NODEFILE is not there"
nothing_runs
finish
