# How many workers there are under each launcher: one rank per node, per socket, per core, several on shared cores; hosts with different
# numbers of cores.
. "$(dirname "$0")/hosts.sh"

# farm WHAT NODES WORKERS COMMAND…: on node-1; the workers are those of all nodes
farm()
{
    what=$1 nodes=$2 workers=$3
    shift 3
    at node-1 90 "$@"
    [ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "$nodes nodes, $workers workers" ] || fail "$what"
    [ "$(sed -n "$((nodes + 2))p" "$out")" = "sum OK of 100 by $workers workers" ] || fail "$what: results"
}

# Hosts with fewer cores than others: the rank's own share, as its node's administrator would set it.
first=$(taskset -pc $$ | sed 's/.*: *\([0-9]*\).*/\1/')
cat > "$scratch/uneven" << END
#!/bin/sh
case \$(hostname) in
node-2) exec taskset -c $first "$program" nodes ;;
node-3) exec env HWLOC_SYNTHETIC='pack:2 numa:1 core:3 pu:2' "$program" nodes ;;
*) exec "$program" nodes ;;
esac
END
chmod 755 "$scratch/uneven"

if [ "$mpi" = openmpi ]; then
    farm "one rank on each node" 3 $((3 * cores)) mpirun --host node-1,node-2,node-3 --map-by ppr:1:node --bind-to none "$program" nodes
    sockets=$(lscpu -p=socket | grep -v '^#' | sort -u | wc -l)
    farm "one rank on each socket" 3 $((3 * cores)) \
        mpirun --host node-1:$cores,node-2:$cores,node-3:$cores -n $((3 * sockets)) --map-by ppr:1:socket --bind-to socket "$program" nodes
    per_node=$(lscpu -p=core,socket | grep -v '^#' | sort -u | wc -l)
    if [ "$per_node" -eq "$cores" ]; then
        farm "one rank on each core" 3 $((3 * cores)) \
            mpirun --host node-1:$cores,node-2:$cores,node-3:$cores -n $((3 * cores)) --map-by core --bind-to core "$program" nodes
    fi
    farm "four ranks share each node" 3 12 mpirun --host node-1:4,node-2:4,node-3:4 -n 12 --oversubscribe --bind-to none "$program" nodes
    farm "ranks in turn, two here, one there" 2 $((2 + cores)) \
        mpirun --host node-1:2,node-2:1 -n 3 --map-by node --oversubscribe --bind-to none "$program" nodes
    farm "different numbers of cores" 3 $((cores + 1 + 6)) mpirun --host node-1,node-2,node-3 --map-by ppr:1:node --bind-to none "$scratch/uneven"
    [ "$(sed -n 's/^node-2.* \([0-9]*\) workers/\1/p' "$out")" = 1 ] && [ "$(sed -n 's/^node-3.* \([0-9]*\) workers/\1/p' "$out")" = 6 ] ||
        fail "different numbers of cores: whose"
    farm "more ranks than cores, pprun" 3 9 "$pprun" --hosts node-1,node-2,node-3 -n 9 "$program" nodes
else
    mpiexec=${TEST_MPIEXEC:-mpiexec}
    farm "one rank on each node" 2 $((2 * cores)) "$mpiexec" -n 2 -hosts node-1,node-2 -ppn 1 "$program" nodes
    farm "one rank on each core" 1 2 "$mpiexec" -n 2 -hosts node-1:2 -bind-to core "$program" nodes
    farm "two ranks share a node" 1 2 "$mpiexec" -n 2 -hosts node-2:2 -bind-to none "$program" nodes
    farm "different numbers of cores" 2 $((1 + 6)) "$mpiexec" -n 2 -hosts node-2,node-3 -ppn 1 "$scratch/uneven"
fi
farm "different numbers of cores, pprun" 2 $((1 + 6)) "$pprun" --hosts node-2,node-3 "$scratch/uneven"
nothing_runs

# ---- srun, where there is a Slurm.
PATH=$PATH:/usr/sbin:/sbin
if ! { command -v slurmctld && command -v slurmd && command -v srun && command -v munged; } > /dev/null; then
    echo "not tested: srun: packages slurmctld, slurmd, slurm-client and munge are missing"
    finish
fi
trap 'sh "$here/slurm.sh" down; sh "$cluster" down; rm -rf "$scratch"' EXIT
if ! sh "$here/slurm.sh" up 2> "$scratch/why"; then
    echo "not tested: srun: $(tail -n 3 "$scratch/why")"
    finish
fi
export SLURM_CONF="$CLUSTER_DIR/slurm/slurm.conf"
case $mpi in openmpi) type=pmix ;; *) type=pmi2 ;; esac
farm "srun, one rank on each node" $n $all srun -Q -N$n --exclusive --mpi=$type "$program" nodes
farm "srun -c 1" 2 2 srun -Q -N2 -n2 -c1 --mpi=$type "$program" nodes
farm "srun, two ranks on a node" 1 2 srun -Q -N1 -n2 --mpi=$type "$program" nodes
if [ "$mpi" = openmpi ]; then
    farm "srun, ranks on all cores" 3 $((3 * cores)) srun -Q -N3 --ntasks-per-node="$cores" --mpi=$type "$program" nodes
    farm "srun, more ranks than cores" 3 12 srun -Q -N3 -n12 --overcommit --mpi=$type "$program" nodes
fi
farm "srun, different numbers of cores" 2 $((1 + 6)) srun -Q -N2 -w node-2,node-3 --exclusive --mpi=$type "$scratch/uneven"
finish
