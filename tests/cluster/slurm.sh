#!/bin/sh
# A real Slurm on the hosts of cluster.sh. Needs the packages slurmctld, slurmd, slurm-client and munge.
#   slurm.sh up      controller on node-1, a daemon on every node; then with SLURM_CONF=$CLUSTER_DIR/slurm/slurm.conf
#   slurm.sh down    ends what `up` started
set -u
: "${CLUSTER_DIR:?slurm.sh: CLUSTER_DIR must name the folder of the cluster}"
dir=$CLUSTER_DIR/slurm
cluster=$(dirname "$(readlink -f "$0")")/cluster.sh
nodes=$(cat "$CLUSTER_DIR/nodes")
cores=$(nproc)

# Daemons write their own process ids; these may be gone already.
stop()
{
    for file in "$dir"/pid/*; do
        [ -s "$file" ] && kill "$1" "$(cat "$file")" 2> /dev/null
    done
}

down()
{
    stop -TERM
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        alive=0
        for file in "$dir"/pid/*; do [ -s "$file" ] && kill -0 "$(cat "$file")" 2> /dev/null && alive=1; done
        [ $alive -eq 0 ] && return
        sleep 0.2
    done
    stop -KILL
}

configure()
{
    cat << END
ClusterName=ppmpi
SlurmctldHost=node-1
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/socket/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool.%n
SlurmctldPidFile=$dir/pid/slurmctld
SlurmdPidFile=$dir/pid/slurmd.%n
SlurmctldLogFile=$dir/log.slurmctld
SlurmdLogFile=$dir/log.%n
SlurmctldPort=21817
SlurmdPort=21818
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1
MpiDefault=none
ReturnToService=2
KillWait=2
InactiveLimit=0
END
    for i in $(seq "$nodes"); do echo "NodeName=node-$i NodeAddr=10.177.31.$i CPUs=$cores RealMemory=500 State=UNKNOWN"; done
    echo "PartitionName=all Nodes=node-[1-$nodes] Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES"
}

up()
{
    mkdir -p "$dir/munge" "$dir/socket" "$dir/pid" "$dir/state" || exit 1
    chmod 700 "$dir/munge"
    head -c 1024 /dev/urandom > "$dir/munge/key" && chmod 400 "$dir/munge/key"
    sh "$cluster" run node-1 munged --force --key-file="$dir/munge/key" --socket="$dir/socket/munge" --pid-file="$dir/pid/munged" \
        --log-file="$dir/log.munged" --seed-file="$dir/munge/seed" || exit 1
    configure > "$dir/slurm.conf"
    echo PMIxCliTmpDirBase=/tmp > "$dir/mpi.conf" # a folder for each host
    export SLURM_CONF="$dir/slurm.conf"
    sh "$cluster" run node-1 slurmctld -c < /dev/null > /dev/null || exit 1
    for i in $(seq "$nodes"); do
        mkdir -p "$dir/spool.node-$i"
        sh "$cluster" run "node-$i" slurmd -N "node-$i" < /dev/null > /dev/null || exit 1
    done
    for _ in $(seq 100); do
        [ "$(sh "$cluster" run node-1 sinfo -h -t idle -o %D 2> /dev/null)" = "$nodes" ] && return
        sleep 0.2
    done
    sh "$cluster" run node-1 sinfo >&2
    tail -n 5 "$dir"/log.* >&2
    exit 1
}

case ${1:-} in
up) up ;;
down) down ;;
*) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
