# Farms over several hosts end: again and again, since it is a matter of microseconds whether a rank finds another one in MPI_Finalize
# that still answers. Without what transport/mpi_finalize.c does, most of these hang under MPICH.
. "$(dirname "$0")/hosts.sh"
rounds=12

# ends WHAT RANKS COMMAND…: each time
ends()
{
    what=$1 ranks=$2
    shift 2
    for round in $(seq $rounds); do
        at node-1 40 "$@"
        [ $status -eq 0 ] && [ "$(lines "$out" "^sum OK of 100 by $ranks workers")" -eq 1 ] && continue
        fail "$what, round $round"
        return
    done
}

ends "three ranks on three hosts" 3 "$pprun" --hosts node-1,node-2,node-3 --workers 1 "$program" nodes
ends "four ranks on two hosts" 4 "$pprun" --hosts node-1,node-2 -n 4 --workers 1 "$program" nodes
nothing_runs

# ---- Slurm has a way of its own to bring ranks together.
PATH=$PATH:/usr/sbin:/sbin
for tool in slurmctld slurmd srun munged; do
    command -v $tool > /dev/null || { echo "not tried under Slurm: there is no $tool"; finish; }
done
trap 'sh "$here/slurm.sh" down; sh "$cluster" down; rm -rf "$scratch"' EXIT
sh "$here/slurm.sh" up 2> "$scratch/why" || { echo "not tried under Slurm: $(tail -n 3 "$scratch/why")"; finish; }
export SLURM_CONF="$CLUSTER_DIR/slurm/slurm.conf" PPMPI_WORKERS=1
case $mpi in openmpi) type=pmix ;; *) type=pmi2 ;; esac
ends "srun, three ranks on three hosts" 3 srun -Q -N3 -n3 --mpi=$type "$program" nodes
[ "$cores" -lt 2 ] || ends "srun, four ranks on two hosts" 4 srun -Q -N2 -n4 --mpi=$type "$program" nodes
finish
