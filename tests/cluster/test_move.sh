# PPMPI_HOSTS and options.hosts: a program that was started plainly moves itself to those hosts.
. "$(dirname "$0")/hosts.sh"

# moved NODE HOSTS ARGUMENTS…
moved()
{
    on=$1 list=$2
    shift 2
    at "$on" 60 env PPMPI_HOSTS="$list" "$program" "$@"
}

# ---- There, with its own words.
moved node-1 $hosts nodes
[ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "$n nodes, $all workers" ] && [ ! -s "$err" ] || fail "PPMPI_HOSTS=$hosts"
[ "$(sed -n 2p "$out")" = "node-1: rank 0, 1 ranks, $cores workers" ] || fail "the first host has rank 0"
moved node-3 node-2,node-1 nodes
[ $status -eq 0 ] && [ "$(sed -n 2p "$out")" = "node-2: rank 0, 1 ranks, $cores workers" ] || fail "from another host"
moved node-1 node-2 nodes
[ $status -eq 0 ] && [ "$(sed -n 1,2p "$out")" = "1 nodes, $cores workers
node-2: rank 0, 1 ranks, $cores workers" ] || fail "one other host"
moved node-1 node-1 nodes
[ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "1 nodes, $cores workers" ] || fail "this host alone"
# shellcheck disable=SC2016
moved node-1 node-2,node-1 words 'a  b' "it's" '' : '$HOME' '*' -x --
# shellcheck disable=SC2016
[ $status -eq 0 ] && [ "$(cat "$out")" = "$(printf '<%s>\n' 'a  b' "it's" '' : '$HOME' '*' -x --)" ] || fail "its words"
build_program "$scratch/optional" "-DHOSTS=\"node-1,node-2\""
at node-1 60 "$scratch/optional" nodes
[ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "2 nodes, $((2 * cores)) workers" ] || fail "options.hosts"
at node-1 60 env PPMPI_HOSTS=node-3,node-1 "$scratch/optional" nodes
[ $status -eq 0 ] && [ "$(lines "$out" '^node-[13]: ')" -eq 2 ] || fail "the variable wins over options.hosts"
# Its surroundings: folder, input, environment.
seq 2000 > "$scratch/input"
# shellcheck disable=SC2016
at node-1 60 sh -c 'cd "$2" && PPMPI_HOSTS=node-2,node-1 ./program stdin < input' sh "$program" "$scratch"
[ $status -eq 0 ] && cmp -s "$out" "$scratch/input" || fail "its folder and its input"
at node-1 60 env PPMPI_HOSTS=node-2,node-3 PPMPI_WORKERS=3 PPMPI_STATS=1 "$program" nodes
[ $status -eq 0 ] && [ "$(sed -n 1p "$out")" = "2 nodes, 6 workers" ] && [ "$(lines "$out" 'job server')" -eq 1 ] || fail "its environment"
nothing_runs

# ---- Refused, by a sentence.
moved node-1 node-1,node-9 nodes
[ $status -eq 2 ] && [ "$(lines "$err" '^ppmpi: node-9 cannot be reached: ')" -eq 1 ] && [ ! -s "$out" ] || fail "unknown host"
for list in "" "," node-1,,node-2 ' ' 'node-1 node-2'; do
    moved node-1 "$list" nodes
    [ $status -eq 1 ] && [ "$(lines "$err" "^refused: PPMPI_HOSTS=\"$list\": ")" -eq 1 ] || fail "PPMPI_HOSTS='$list'"
done
build_program "$scratch/wrong" "-DHOSTS=\"node-1,,\""
at node-1 60 "$scratch/wrong" nodes
[ $status -eq 1 ] && [ "$(lines "$err" '^refused: options.hosts="node-1,,": name 2 is empty')" -eq 1 ] || fail "options.hosts malformed"
at node-1 60 "$program" again
[ $status -eq 0 ] && [ "$(lines "$out" '^hosts "node-1,node-2": the program starts itself again there, .* first time only')" -eq 1 ] || fail "a second server"
if [ "$mpi" = openmpi ]; then
    at node-1 60 env -u OMPI_ALLOW_RUN_AS_ROOT PPMPI_HOSTS=node-1,node-2 "$program" nodes
    [ $status -eq 1 ] && [ "$(lines "$err" '^refused: Open MPI does not start programs as root unless')" -eq 1 ] || fail "root"
fi

# ---- Status and signals are those of the program that it has become.
moved node-1 node-2,node-1 leave
[ $status -eq 5 ] || fail "status"
moved node-1 node-2,node-1 fail
[ $status -eq 1 ] && [ "$(lines "$err" 'broken on purpose')" -eq 1 ] || fail "PP_FETCH of a failed task"
nothing_runs
for signal in INT TERM; do
    begin 1 node-1 env PPMPI_HOSTS=$hosts "$program" wait
    # The first of them waits for the others.
    first=$(for pid in $(sh "$cluster" pids node-1); do
        [ "$(readlink "/proc/$pid/exe")" = "$program" ] && [ "$(ps -o ppid= -p "$pid" | tr -d ' ')" = $runner ] && echo "$pid"
    done)
    began=$(now)
    kill -$signal "$first"
    ended
    [ $status -eq $((128 + $(kill -l $signal))) ] || fail "SIG$signal"
    [ $took -le 2000 ] || fail "SIG$signal: took $took ms"
    nothing_runs
done
finish
