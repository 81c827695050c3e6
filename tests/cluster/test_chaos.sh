# A hundred thousand tasks on three hosts, whose workers and agents are killed at random all the time: each task has one outcome, and
# the right one; the program ends with its own status; nothing is left on any host. See chaos.c.
# CHAOS_ROUNDS rounds, 3 if it is not set; CHAOS_SEED for the first of them; CHAOS_TASKS in each.
[ "${TEST_MPI:-openmpi}" = openmpi ] || { echo "skipped: MPICH's launcher ends the job when a rank is lost"; exit 77; }
. "$(dirname "$0")/hosts.sh"
chaos=$build/tests/cluster_chaos
tasks=${CHAOS_TASKS:-100000}
[ -z "${TEST_SANITIZE:-}" ] || tasks=$((tasks / 10))
seed=${CHAOS_SEED:-$(date +%s)}

# Three ranks on each host, of which up to six are killed.
for round in $(seq "${CHAOS_ROUNDS:-3}"); do
    export CHAOS="$scratch/round-$round"
    mkdir "$CHAOS"
    "$chaos" hunt "$CHAOS" "$seed" 6 &
    hunter=$!
    at node-1 240 "$pprun" --hosts node-1,node-2,node-3 -n 9 "$chaos" farm "$CHAOS" "$seed" "$tasks" 2
    [ $status -eq 7 ] || { fail "round $round, seed $seed" && grep -E '^(/.*chaos.c:|node-|rank |ppmpi)' "$err"; }
    : > "$CHAOS/up"
    : > "$CHAOS/stop"
    wait $hunter
    echo "round $round, seed $seed: $(cat "$out")"
    nothing_runs
    nothing_remains
    # The library tells of lost ranks and of nothing else; Open MPI has words of its own.
    [ "$(grep '^ppmpi' "$err" | grep -cv 'counts as lost')" -eq 0 ] || fail "round $round, seed $seed: more than losses is told"
    seed=$((seed + 1))
done
finish
