# pprun and PPMPI_HOSTS inside of Slurm: salloc, sbatch, a shell in a step, srun itself, with and without MPI's own launcher.
for tool in slurmctld slurmd srun munged; do
    command -v $tool > /dev/null || PATH=$PATH:/usr/sbin:/sbin
    command -v $tool > /dev/null || { echo "skipped: there is no $tool; packages slurmctld, slurmd, slurm-client and munge have them"; exit 77; }
done
. "$(dirname "$0")/hosts.sh"
trap 'sh "$here/slurm.sh" down; sh "$cluster" down; rm -rf "$scratch"' EXIT
sh "$here/slurm.sh" up 2> "$scratch/why" || skip "Slurm does not start here: $(tail -n 3 "$scratch/why")"
export SLURM_CONF="$CLUSTER_DIR/slurm/slurm.conf"
unset OMPI_MCA_plm_rsh_agent HYDRA_LAUNCHER_EXEC # nobody needs it here

# is_farm WHAT NODES WORKERS-PER-NODE
is_farm()
{
    [ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "$2 nodes, $(($2 * $3)) workers" ] || fail "$1"
    [ "$(lines "$out" "^node-[1-3]: rank [0-2], 1 ranks, $3 workers")" -eq "$2" ] && [ "$(lines "$out" 'sum OK')" -eq 1 ] || fail "$1: nodes"
}

# Slurm's own are all that runs.
slurm_is_idle() { only_runs 'slurmctld slurmscriptd slurmd munged' 5 node-1 node-2 node-3; }

# ---- salloc: the nodes of the job, all that was granted of each.
at node-1 60 salloc -Q -N$n --exclusive "$pprun" "$program" nodes
is_farm "salloc" $n "$cores"
at node-1 60 salloc -Q -N2 --ntasks-per-node=1 --cpus-per-task=1 "$pprun" "$program" nodes
is_farm "salloc of one core a node" 2 1
at node-1 60 salloc -Q -N2 --ntasks-per-node="$cores" --cpus-per-task=1 "$pprun" "$program" nodes
is_farm "salloc of tasks with one core each" 2 "$cores"
at node-1 60 salloc -Q -N1 -w node-2 --exclusive "$pprun" "$program" nodes
is_farm "salloc of one other node" 1 "$cores"
[ "$(lines "$out" ^node-2)" -eq 1 ] || fail "salloc of one other node: not there"
at node-1 60 salloc -Q -N1 -w node-1 --exclusive "$pprun" "$program" nodes
is_farm "salloc of this node" 1 "$cores"
at node-1 60 salloc -Q -N$n --exclusive "$pprun" -n 2 --workers 2 "$program" nodes
is_farm "salloc, -n 2 --workers 2" 2 2
at node-1 60 salloc -Q -N3 --exclusive "$pprun" --hosts node-3,node-2 "$program" nodes
is_farm "salloc, two of the hosts" 2 "$cores"
# Under MPICH, whose launcher takes srun, ranks have Slurm's order.
case $mpi in openmpi) first=node-3 ;; *) first=node-2 ;; esac
[ "$(sed -n 's/: rank 0.*//p' "$out")" = $first ] || fail "salloc, two of the hosts: the first has rank 0"
at node-1 60 salloc -Q -N3 --exclusive env PPMPI_HOSTS=node-2,node-3 "$program" nodes
is_farm "salloc, PPMPI_HOSTS" 2 "$cores"
at node-1 60 salloc -Q -N2 -w node-1,node-2 --exclusive "$pprun" --hosts node-1,node-3 "$program" nodes
[ $status -eq 2 ] && [ "$(lines "$err" '^pprun: --hosts: node-3 is not a node of this Slurm job (node-\[1-2\])')" -eq 1 ] ||
    fail "salloc, a host that is not in the job"
at node-1 60 salloc -Q -N2 -w node-1,node-2 --exclusive env PPMPI_HOSTS=node-3 "$program" nodes
[ $status -ne 0 ] && [ "$(lines "$err" 'PPMPI_HOSTS: node-3 is not a node of this Slurm job')" -eq 1 ] ||
    fail "salloc, a host of PPMPI_HOSTS that is not in the job"
at node-1 60 salloc -Q -N$n --exclusive "$pprun" --info
[ $status -eq 0 ] && [ "$(sed -n 's/^total.* //p' "$out")" -eq $((n * cores)) ] || fail "salloc, --info"
at node-1 60 salloc -Q -N$n --exclusive "$pprun" "$program" leave
[ $status -eq 5 ] || fail "salloc, status"
slurm_is_idle

# ---- sbatch; and what it printed can be pasted.
printf '#!/bin/sh\n"$1" "$2" nodes\n"$1" "$2" leave\necho "status $?"\n' > "$scratch/job"
at node-1 60 sbatch -Q -W -N$n --exclusive -o "$scratch/job.out" "$scratch/job" "$pprun" "$program"
cp "$scratch/job.out" "$out"
is_farm "sbatch" $n "$cores"
[ "$(lines "$out" '^status 5$')" -eq 1 ] || fail "sbatch: status"
printf '#!/bin/sh\neval "$("$1" --dry-run "$2" nodes)"\n' > "$scratch/job"
at node-1 60 sbatch -Q -W -N$n --exclusive -o "$scratch/job.out" "$scratch/job" "$pprun" "$program"
cp "$scratch/job.out" "$out"
is_farm "sbatch, --dry-run" $n "$cores"

# ---- A step of one task is a shell like any other; of several tasks it is the job itself.
for type in none pmix pmi2; do
    at node-1 60 salloc -Q -N$n --exclusive srun -N1 -n1 --mpi=$type "$pprun" "$program" nodes
    is_farm "a step of one task, --mpi=$type" $n "$cores"
done
case $mpi in openmpi) type=pmix ;; *) type=pmi2 ;; esac
at node-1 60 srun -Q -N$n --exclusive --mpi=$type "$pprun" "$program" nodes
is_farm "srun pprun" $n "$cores"
at node-1 60 srun -Q -N$n --exclusive --mpi=$type "$program" nodes
is_farm "srun" $n "$cores"
slurm_is_idle

# ---- --preload.
mkdir "$scratch/private" "$scratch/empty_folder"
cp "$program" "$scratch/private/prog"
sh "$cluster" run node-2 mount --bind "$scratch/empty_folder" "$scratch/private"
at node-1 60 salloc -Q -N$n --exclusive "$pprun" --preload "$scratch/private/prog" nodes
is_farm "--preload" $n "$cores"
for i in 1 2 3; do
    [ -z "$(sh "$cluster" run node-$i find /tmp -maxdepth 1 -name 'ppmpi-*')" ] || fail "--preload: node-$i still has it"
done

at node-1 60 salloc -Q -N3 --exclusive "$pprun" --preload --hosts node-3,node-2 "$scratch/private/prog" nodes
is_farm "--preload to two of the hosts" 2 "$cores"

# ---- Signals.
for signal in INT TERM; do
    begin 1 node-1 salloc -Q -N$n --exclusive "$pprun" "$program" wait
    signal $signal node-1 "$pprun"
    ended
    [ $status -eq $((128 + $(kill -l $signal))) ] || fail "SIG$signal"
    slurm_is_idle
done

# ---- Without MPI's own launcher on the node: srun.
if [ "$mpi" = openmpi ]; then hidden=mpirun.openmpi; else hidden=mpiexec.mpich; fi
file=$(readlink -f "$(command -v $hidden || command -v mpirun)")
: > "$scratch/nothing"
sh "$cluster" run node-1 mount --bind "$scratch/nothing" "$file"
at node-1 60 salloc -Q -N$n --exclusive "$pprun" --dry-run "$program" nodes
[ "$(lines "$out" "/srun --nodes=$n --ntasks=$n --ntasks-per-node=1 --cpu-bind=none --mpi=$type ")" -eq 1 ] || fail "srun in place of $file"
at node-1 60 salloc -Q -N$n --exclusive "$pprun" "$program" nodes
is_farm "pprun by srun" $n "$cores"
for outer in none pmix pmi2; do
    at node-1 60 salloc -Q -N$n --exclusive srun -N1 -n1 --mpi=$outer "$pprun" "$program" nodes
    is_farm "pprun by srun in a step, --mpi=$outer" $n "$cores"
done
at node-1 60 salloc -Q -N$n --exclusive "$pprun" "$program" leave
[ $status -eq 5 ] || fail "pprun by srun: status"
# shellcheck disable=SC2016
at node-1 60 salloc -Q -N$n --exclusive "$pprun" sh -c 'kill -SEGV $$'
[ $status -eq 139 ] || fail "pprun by srun: signal"
at node-1 60 "$pprun" --hosts node-1,node-2 "$program" nodes
[ $status -eq 2 ] && [ "$(lines "$err" 'and its launcher, mpi[a-z]*, is not on the PATH')" -eq 1 ] || fail "no launcher"
for signal in INT TERM; do
    begin 1 node-1 salloc -Q -N$n --exclusive "$pprun" "$program" wait
    signal $signal node-1 "$pprun"
    ended
    [ $status -eq $((128 + $(kill -l $signal))) ] || fail "pprun by srun: SIG$signal"
    slurm_is_idle
done
finish
