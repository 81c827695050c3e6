#!/bin/bash
# link.sh BUILD_DIR [RATE]: large arguments to a second host, against plain messages of the same size. The hosts are namespaces of this
# machine (see tests/cluster/cluster.sh, which needs root); RATE, such as 1gbit, limits the link between them by tc.
# Each of ROUNDS rounds (5) runs every program once, in turn; medians, and the median of the ratios within a round.
set -u
build=$(cd "${1:?usage: link.sh BUILD_DIR [RATE]}" && pwd) || exit 2
rate=${2:-}
source=$(cd "$(dirname "$0")/../.." && pwd)
cluster=$source/tests/cluster/cluster.sh
scratch=$(mktemp -d) || exit 1
chmod 755 "$scratch"
export CLUSTER_DIR="$scratch/cluster" CLUSTER_SHARED="$scratch $build $source" LC_ALL=C
trap 'sh "$cluster" down; rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
sh "$cluster" up 2 || exit 1
unset OMPI_MCA_btl_tcp_if_include OMPI_MCA_oob_tcp_if_include
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_plm_rsh_agent="$CLUSTER_DIR/ssh"
if [ -n "$rate" ]; then
    for node in node-1 node-2; do
        sh "$cluster" run $node tc qdisc add dev eth0 root tbf rate "$rate" burst 512kb latency 50ms || exit 1
    done
fi

# run BYTES ROUNDS [--mpi]: megabytes per second
run()
{
    sh "$cluster" run node-1 timeout 300 "${MPIRUN:-mpirun}" --host node-1,node-2 --map-by seq --bind-to none \
        "$build/tests/bench/link" --bytes "$1" --rounds "$2" ${3:+"$3"} 2> "$scratch/err" < /dev/null | sed -n 's/.*mb_per_s=//p'
}

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

mib=$((1 << 20))
echo "link ${rate:-without a limit}; MB/s"
printf '%10s %10s %10s %8s\n' bytes ppmpi MPI ratio
for case in 1:${SMALL:-1000} 64:${MIDDLE:-20} 512:${LARGE:-4}; do
    bytes=$((${case%:*} * mib)) n=${case#*:}
    : > "$scratch/ours"
    : > "$scratch/theirs"
    for round in $(seq "${ROUNDS:-5}"); do
        ours=$(run $bytes "$n")
        theirs=$(run $bytes "$n" --mpi)
        [ -n "$ours" ] && [ -n "$theirs" ] || { cat "$scratch/err" >&2; exit 1; }
        echo "$ours" >> "$scratch/ours"
        echo "$theirs" >> "$scratch/theirs"
    done
    ratio=$(paste "$scratch/ours" "$scratch/theirs" | awk '{ print $1 / $2 }' | median)
    printf '%10s %10.0f %10.0f %8.2f\n' "${case%:*} MiB" "$(median < "$scratch/ours")" "$(median < "$scratch/theirs")" "$ratio"
done
