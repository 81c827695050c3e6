#!/bin/sh
# Several hosts on one machine, out of namespaces. Needs root, iproute2, util-linux and openssh-server. CLUSTER_DIR names a folder
# that keeps what there is; two clusters with two folders do not meet.
#   cluster.sh up N            node-1 … node-N: own name, network, /dev/shm and /tmp. Other files are shared, and so
#                              are folders in /tmp that CLUSTER_SHARED names
#   cluster.sh run NODE CMD…   as if logged in there
#   cluster.sh pids NODE       what runs there
#   cluster.sh kill NODE       SIGKILL for all of it, its sshd too; the other nodes see its connections end
#   cluster.sh stop NODE       SIGSTOP for all of it: the node hangs
#   cluster.sh serve NODE      starts its sshd again
#   cluster.sh cut NODE        the cable is pulled; `join NODE` puts it back
#   cluster.sh down            ends what runs on all nodes, and removes everything; happens by itself when the process that
#                              called `up` is gone
# CLUSTER_DIR/ssh is the remote shell between the nodes, for mpirun and mpiexec; it speaks with a sshd that each node has.
set -u
: "${CLUSTER_DIR:?cluster.sh: CLUSTER_DIR must name the folder of the cluster}"
dir=$CLUSTER_DIR
self=$(readlink -f "$0")
sshd=$(PATH=$PATH:/usr/sbin:/sbin command -v sshd)

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

serve()
{
    case $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$(cat "$dir/$1/sshd" 2> /dev/null)/status" 2> /dev/null) in
    '' | Z | X) ;; # none, or one that nobody has reaped
    *) return ;;
    esac
    sh "$self" run "$1" "$sshd" -D -f "$dir/sshd_config" < /dev/null > /dev/null 2>> "$dir/log" &
    echo $! > "$dir/$1/sshd"
}

# Not at the usual port, where nothing is to answer. Keys are those of this cluster alone.
prepare_ssh()
{
    mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f "$dir/key" && ssh-keygen -q -t ed25519 -N '' -f "$dir/host_key" || return
    cat > "$dir/sshd_config" << END
Port 2222
HostKey $dir/host_key
AuthorizedKeysFile $dir/key.pub
PidFile none
PermitRootLogin yes
PasswordAuthentication no
StrictModes no
UsePAM no
MaxStartups 100
END
    cat > "$dir/ssh_config" << END
User root
Port 2222
IdentityFile $dir/key
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
GlobalKnownHostsFile /dev/null
LogLevel ERROR
END
    printf '#!/bin/sh\nexec ssh -F %s "$@"\n' "$dir/ssh_config" > "$dir/ssh"
    chmod 755 "$dir/ssh"
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
    prepare_ssh || exit 1
    setsid sh "$self" attend "$owner" < /dev/null > /dev/null 2>&1 &
    for i in $(seq "$n"); do keep "node-$i"; done
    for i in $(seq "$n"); do
        for _ in $(seq 100); do
            [ -s "$dir/node-$i/keeper" ] && break
            sleep 0.05
        done
        [ -s "$dir/node-$i/keeper" ] || { cat "$dir/log" >&2; exit 1; }
        serve "node-$i"
    done
    for i in $(seq "$n"); do
        for _ in $(seq 100); do
            sh "$self" run node-1 "$dir/ssh" -o ConnectTimeout=1 "node-$i" true 2>> "$dir/log" && continue 2
            sleep 0.05
        done
        tail -n 3 "$dir/log" >&2
        exit 1
    done
}

# The node's processes, its keeper and its sshd excepted. A process that is gone in the meantime does not matter.
pids()
{
    ip netns pids "$(space "$1")" | grep -vx -e "$(keeper "$1")" -e "$(cat "$dir/$1/sshd")"
}

end_all()
{
    kill -9 "$(cat "$dir/$1/sshd")" 2> /dev/null
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
stop) for pid in $(pids "$2") $(cat "$dir/$2/sshd"); do kill -STOP "$pid" 2> /dev/null; done ;;
serve) serve "$2" ;;
cut) ip -n "$(space "$2")" link set eth0 down ;;
join) ip -n "$(space "$2")" link set eth0 up ;;
down) down ;;
attend) attend "$2" ;;
*) sed -n '2,16s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
