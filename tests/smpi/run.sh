#!/bin/sh
# Runs a program of this folder in simulated time: sh run.sh RANKS PROGRAM.so [ARGUMENT…]
# The cluster: one rank on each node, 100 Gbit/s and 1 µs between any two. MPI takes 2.5 µs of a rank's time for each message that
# is sent and as much for each that is received (SIMULATED_MESSAGE_US), which is on the slow side: with it the plain loop in
# loop.c, like others in SimGrid, serves 200,000 tasks a second. What tasks and the server's work take is in the programs; what
# the computer that simulates takes does not count.
set -u
if [ $# -lt 2 ]; then
    echo 'usage: run.sh RANKS PROGRAM.so [ARGUMENT...]' >&2
    exit 2
fi
ranks=$1 program=$2
shift 2
us=${SIMULATED_MESSAGE_US:-2.5}
if ! command -v smpirun > /dev/null; then
    echo 'run.sh: smpirun is missing; on Debian: apt-get install libsimgrid-dev'
    exit 77
fi
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

seq -f 'node-%.0f' 0 $((ranks - 1)) > "$dir/hosts"
cat > "$dir/platform.xml" <<END
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="cluster" prefix="node-" suffix="" radical="0-$((ranks - 1))" speed="1Gf" bw="12.5GBps" lat="500ns"/>
</platform>
END
# The library's variables of threads are more than the loader leaves room for when it opens a program late.
GLIBC_TUNABLES=glibc.rtld.optional_static_tls=65536
export GLIBC_TUNABLES
# The factors of bandwidth and latency would be those of an Ethernet of long ago. Messages up to 64 KiB are sent at once.
smpirun -quiet -np "$ranks" -platform "$dir/platform.xml" -hostfile "$dir/hosts" \
    --log=xbt_cfg.thresh:warning --cfg=smpi/host-speed:1Gf --cfg=smpi/simulate-computation:no \
    --cfg=smpi/privatization:no --cfg=contexts/guard-size:0 --cfg=contexts/stack-size:1024 \
    --cfg=smpi/iprobe:0 --cfg=smpi/test:0 --cfg=smpi/bw-factor:0:1 --cfg=smpi/lat-factor:0:1 \
    --cfg=smpi/os:"0:${us}e-6:0" --cfg=smpi/ois:"0:${us}e-6:0" --cfg=smpi/or:"0:${us}e-6:0" \
    --cfg=smpi/async-small-thresh:65536 --cfg=smpi/send-is-detached-thresh:65536 "$program" "$@"
