# A whole node dies, hangs, or loses its cable while three hosts work: pprun's program goes on without it, has every outcome, and ends with its
# own status; nothing is left where there is still somebody. With mpirun's own daemons the job ends soon, and says which node it was.
[ "${TEST_MPI:-openmpi}" = openmpi ] || { echo "skipped: MPICH's launcher ends the job when a rank is lost"; exit 77; }
. "$(dirname "$0")/hosts.sh"
chaos=$build/tests/cluster_chaos
tasks=30000
[ -z "${TEST_SANITIZE:-}" ] || tasks=5000

# farm FOLDER [OPTION…]: on three hosts, in the background, until tasks have begun
farm()
{
    CHAOS="$scratch/$1"
    mkdir -p "$CHAOS"
    shift
    begin 0 node-1 "$pprun" "$@" --hosts node-1,node-2,node-3 "$chaos" farm "$CHAOS" 1 $tasks 2
    for _ in $(seq 300); do [ -e "$CHAOS/up" ] && break; sleep 0.1; done
    [ -e "$CHAOS/up" ] || fail "no tasks have begun"
    sleep 0.5
}

# quiet_within SECONDS NODE…: nothing runs there, but for sessions of sshd, which wait for a host that does not answer
quiet_within() { only_runs sshd "$@"; }

# ---- The program goes on.
for what in cut stop kill; do
    farm survive-$what
    echo '0 1 1' > "$CHAOS/killed"
    began=$(now)
    sh "$cluster" $what node-2
    ended
    [ $status -eq 7 ] || fail "$what: the program's own status"
    [ "$(lines "$err" 'rank 1 on node-2 has been silent for 2 s: it counts as lost')" -eq 1 ] || fail "$what: who was lost"
    echo "$what: $(cat "$out"); ended after $took ms"
    quiet_within 2 node-1 node-3
    # A rank that is cut off ends when it has heard nothing for three times the heartbeat; one that was stopped when it goes on.
    [ $what != cut ] || quiet_within 15 node-2
    revive node-2
    quiet_within 5 node-1 node-2 node-3
done
nothing_remains

# ---- With mpirun's own daemons: when one is gone, mpirun ends the job, or does not notice. Either way it is told whose it was.
for what in cut kill; do
    farm plain-$what --plain-mpirun
    echo '0 1 1' > "$CHAOS/killed"
    began=$(now)
    sh "$cluster" $what node-2
    ended
    [ $status -eq 7 ] || { [ $status -ne 0 ] && [ $took -le 5000 ]; } || fail "--plain-mpirun, $what: after $took ms"
    [ "$(lines "$err" node-2)" -ge 1 ] || fail "--plain-mpirun, $what: who was lost"
    quiet_within 2 node-1 node-3
    sh "$cluster" kill node-2
    revive node-2
done

# ---- The node of rank 0 is what the job stands on.
for what in kill cut stop; do
    farm first-$what
    sh "$cluster" $what node-1
    quiet_within 15 node-2 node-3
    sh "$cluster" kill node-1
    wait $runner
    revive node-1
done
quiet_within 2 node-1 node-2 node-3
finish
