#!/bin/sh
# Several hosts on one machine, out of namespaces. Needs root, iproute2 and util-linux. CLUSTER_DIR names a folder that
# keeps what there is; two clusters with two folders do not meet.
#   cluster.sh up N            node-1 … node-N: own name, network, /dev/shm and /tmp. Other files are shared, and so
#                              are folders in /tmp that CLUSTER_SHARED names
#   cluster.sh run NODE CMD…   as if logged in there
#   cluster.sh pids NODE       what runs there
#   cluster.sh kill NODE       SIGKILL for all of it, as a power cut would
#   cluster.sh cut NODE        the cable is pulled; `join NODE` puts it back
#   cluster.sh down            ends what runs on all nodes, and removes everything; happens by itself when the process that
#                              called `up` is gone
# CLUSTER_DIR/rsh is the remote shell between the nodes, for mpirun and mpiexec.
set -u
: "${CLUSTER_DIR:?cluster.sh: CLUSTER_DIR must name the folder of the cluster}"
dir=$CLUSTER_DIR
self=$(readlink -f "$0")

# Network namespaces have names that all of the machine sees.
space() { echo "ppmpi-$(cat "$dir/id")-$1"; }

keeper() { cat "$dir/$1/keeper" 2> /dev/null || { echo "cluster.sh: there is no $1" >&2; exit 255; }; }

# A process that holds a node's namespaces. It holds nobody's pipe as its standard streams.
keep()
{
    # shellcheck disable=SC2016 # for the inner shell
    nsenter --net="/run/netns/$(space "$1")" unshare --mount --uts --propagation private sh -c '
        node=$1 dir=$2; shift 2
        hostname "$node" && mount -t tmpfs -o size=2g shm /dev/shm && mount -t tmpfs -o size=2g tmp "$dir/$node/tmp" &&
        mount --bind "$dir/hosts" /etc/hosts || exit
        for path; do
            case $path in /tmp/*)
                mkdir -p "$dir/$node/tmp/${path#/tmp/}" && mount --bind "$path" "$dir/$node/tmp/${path#/tmp/}" || exit ;;
            esac
        done
        mount --rbind "$dir/$node/tmp" /tmp && echo $$ > "$dir/$node/keeper" && exec sleep 1000000' \
        sh "$1" "$dir" "$dir" ${CLUSTER_SHARED:-} < /dev/null > /dev/null 2>> "$dir/log" &
}

# For an owner that is killed, and cannot clean up any more.
attend()
{
    while kill -0 "$1" 2> /dev/null && [ -f "$dir/nodes" ]; do sleep 1; done
    [ ! -f "$dir/nodes" ] || down
}

up()
{
    n=$1 owner=$PPID
    mkdir -p "$dir" || exit 1
    echo "$$" > "$dir/id"
    echo "$n" > "$dir/nodes"
    echo '127.0.0.1 localhost' > "$dir/hosts"
    ip netns add "$(space switch)" || exit 1
    ip -n "$(space switch)" link add bridge type bridge && ip -n "$(space switch)" link set bridge up || exit 1
    for i in $(seq "$n"); do
        node=node-$i
        echo "10.177.31.$i $node" >> "$dir/hosts"
        ip netns add "$(space $node)" || exit 1
        ip -n "$(space switch)" link add "port$i" type veth peer name eth0 netns "$(space $node)" &&
            ip -n "$(space switch)" link set "port$i" master bridge up &&
            ip -n "$(space $node)" link set lo up &&
            ip -n "$(space $node)" addr add "10.177.31.$i/24" dev eth0 &&
            ip -n "$(space $node)" link set eth0 up || exit 1
        mkdir -p "$dir/$node/tmp"
    done
    cat > "$dir/rsh" << END
#!/bin/sh
# Like ssh: a bare environment, the home folder, and an error when there is no such host.
while :; do case \${1:-} in -o | -l | -p) shift 2 ;; -*) shift ;; *) break ;; esac; done
[ -f "$dir/\$1/keeper" ] || { echo "rsh: could not resolve hostname \$1: Name or service not known" >&2; exit 255; }
node=\$1
shift
exec env -i CLUSTER_DIR="$dir" HOME=/root USER=root SHELL=/bin/sh PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
    sh "$self" run "\$node" sh -c "cd; unset CLUSTER_DIR; \$*"
END
    chmod 755 "$dir/rsh"
    setsid sh "$self" attend "$owner" < /dev/null > /dev/null 2>&1 &
    for i in $(seq "$n"); do keep "node-$i"; done
    for i in $(seq "$n"); do
        for _ in $(seq 100); do
            [ -s "$dir/node-$i/keeper" ] && break
            sleep 0.05
        done
        [ -s "$dir/node-$i/keeper" ] || { cat "$dir/log" >&2; exit 1; }
    done
}

# The node's processes, its keeper excepted. A process that is gone in the meantime does not matter.
pids()
{
    ip netns pids "$(space "$1")" | grep -vx "$(keeper "$1")"
}

end_all()
{
    for _ in 1 2 3; do
        left=$(pids "$1")
        [ -n "$left" ] || return 0
        for pid in $left; do kill -9 "$pid" 2> /dev/null; done
        sleep 0.1
    done
}

down()
{
    [ -f "$dir/nodes" ] || { rm -rf "$dir"; return; }
    for i in $(seq "$(cat "$dir/nodes")"); do
        [ ! -s "$dir/node-$i/keeper" ] || { end_all "node-$i"; kill -9 "$(keeper "node-$i")"; }
    done
    for i in $(seq "$(cat "$dir/nodes")"); do ip netns del "$(space "node-$i")" 2> /dev/null; done
    ip netns del "$(space switch)" 2> /dev/null
    rm -rf "$dir"
}

case ${1:-} in
up) up "${2:?cluster.sh up N}" ;;
run)
    pid=$(keeper "$2") || exit
    shift 2
    exec nsenter --target "$pid" --net --uts --mount --wd="$PWD" -- "$@"
    ;;
pids) pids "$2" ;;
kill) end_all "$2" ;;
cut) ip -n "$(space "$2")" link set eth0 down ;;
join) ip -n "$(space "$2")" link set eth0 up ;;
down) down ;;
attend) attend "$2" ;;
*) sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
