#!/bin/sh
# Lets ranks of one machine believe that they are on several: node.sh RANKS_PER_NODE PROGRAM...
# Each starts in a UTS namespace with a host name of its node. 77 where that is not allowed: it takes root.
set -u
per_node=${1:?usage: node.sh RANKS_PER_NODE PROGRAM...}
shift
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}
unshare --uts true 2> /dev/null || exit 77
# shellcheck disable=SC2016 # for the shell inside
exec unshare --uts sh -c 'hostname "$0" && exec "$@"' "test-node-$((rank / per_node))" "$@"
