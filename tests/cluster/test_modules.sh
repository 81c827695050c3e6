# Code travels: plug-ins that are on one node only, in its own /tmp.
. "$(dirname "$0")/hosts.sh"
program=$scratch/modules
# shellcheck disable=SC2086
${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 "$here/modules.c" -o "$program" $flags -lppmpi || exit 1
plugins=/tmp/plug-ins # of node-1; nobody else sees it

# plug NODE FOLDER VERSION HELPER [FLAGS…]: builds /tmp/plug-ins/FOLDER/plug.so there
plug()
{
    node=$1 folder=$plugins/$2 version=$3 helper=$4
    shift 4
    at "$node" 30 sh -c 'mkdir -p "$0" && cd "$0" && exec "$@"' "$folder" cc -shared -fPIC -O1 -Wl,-soname,plug.so -DVERSION="$version" \
        -DHELPER="$helper" "$here/plug.c" -o plug.so "$@"
    [ $status -eq 0 ] || fail "$folder cannot be built"
}

# sent PATH: to which nodes it went, as often as it did
sent() { sed -n "s|.*info: module '$1', .* goes to rank [0-9]* on ||p" "$err" | sort | tr '\n' ' '; }

# received NODE: bytes on its interface so far
received() { sh "$cluster" run "$1" cat /proc/net/dev | sed -n 's/^ *eth0: *\([0-9]*\).*/\1/p'; }

# run TASKS PLUGIN…: two ranks on each node, six or more workers
run()
{
    at node-1 120 env PPMPI_LOG_LEVEL=info "$pprun" --hosts "$hosts" -n $((2 * n)) --workers 2 "$program" "$@"
}

# said PLUGIN TEXT: how many tasks of that plug-in said so
said() { sed -n "s/^$1 $2 \([0-9]*\)\$/\1/p" "$out" | head -n 1; }

# everywhere PLUGIN NUMBER TASKS: on each node some, together all
everywhere()
{
    sum=0
    for i in $(seq $n); do
        times=$(said "$1" "node-$i $2")
        [ "${times:-0}" -gt 0 ] || fail "plug-in $1: none on node-$i"
        sum=$((sum + ${times:-0}))
    done
    [ $sum -eq "$3" ] || fail "plug-in $1: $sum of $3"
}
others=$(seq 2 $n | sed 's/^/node-/' | tr '\n' ' ')

# What stands there, but for what Open MPI leaves behind when it is killed.
files_of() { sh "$cluster" run "$1" sh -c 'ls -d /dev/shm/* /tmp/*' 2> /dev/null; }
for i in $(seq 2 $n); do files_of node-$i > "$scratch/files.$i"; done

# ---- On the first node alone: each module goes to each other node, once.
plug node-1 alone 1 0
run 300 $plugins/alone/plug.so
[ $status -eq 0 ] || fail "a plug-in on one node"
everywhere 0 100 300
[ "$(sent $plugins/alone/plug.so)" = "$others" ] || fail "sent once to each node: $(sent $plugins/alone/plug.so)"
nothing_runs

# ---- Two versions, and libraries beside them: one with a SONAME, one without.
plug node-1 one 1 0
plug node-1 two 2 0
for kind in named:-Wl,-soname,libdep.so nameless:-O1; do
    folder=$plugins/${kind%%:*}
    at node-1 30 sh -c 'mkdir -p "$0" && cd "$0" && echo "int helper(void) { return 42; }" > dep.c && cc -shared -fPIC "$1" dep.c -o libdep.so' \
        "$folder" "${kind#*:}"
    [ $status -eq 0 ] || fail "$folder/libdep.so cannot be built"
    # shellcheck disable=SC2016 # for the loader
    plug node-1 "${kind%%:*}" 3 'helper()' "-L$folder" -ldep '-Wl,-rpath,$ORIGIN'
done
run 150 $plugins/one/plug.so $plugins/two/plug.so
[ $status -eq 0 ] || fail "two versions"
everywhere 0 100 150
everywhere 1 200 150
for kind in named nameless; do
    run 200 $plugins/$kind/plug.so
    [ $status -eq 0 ] || fail "a $kind library"
    everywhere 0 342 200
    [ "$(sent $plugins/$kind/libdep.so)" = "$others" ] || fail "a $kind library, once to each node"
done

# ---- A node that has the very file is not sent it, one that has another build there is.
at node-1 30 cat $plugins/alone/plug.so
sh "$cluster" run node-2 mkdir -p $plugins/alone
sh "$cluster" run node-2 sh -c "cat > $plugins/alone/plug.so" < "$out"
plug node-3 alone 7 0
run 300 $plugins/alone/plug.so
[ $status -eq 0 ] || fail "nodes that have it"
everywhere 0 100 300
[ "$(sent $plugins/alone/plug.so)" = "$(echo "$others" | sed 's/node-2 //')" ] || fail "to those that do not have it"

# ---- What cannot be loaded there: those tasks fail, with the loader's words, and no others.
at node-1 30 sh -c 'mkdir -p "$0" && cd "$0" && echo "int only_in_rank_0(void) { return 0; }" > g.c && cc -shared -fPIC g.c -o global.so' $plugins/bad
plug node-1 bad 4 'only_in_rank_0()'
run 60 $plugins/one/plug.so +$plugins/bad/global.so $plugins/bad/plug.so
[ $status -eq 0 ] || fail "a plug-in that cannot be loaded"
everywhere 0 100 60
[ "$(sed -n 's/^2 failed (-8): .*undefined symbol: only_in_rank_0.* \([0-9]*\)$/\1/p' "$out" | awk '{ s += $1 } END { print s }')" -eq 60 ] ||
    fail "the loader's words"
nothing_runs

# ---- A large one: over the wire once, whatever the number of ranks, workers and tasks.
plug node-1 large 5 0 -DBALLAST=100000000
before=$(received node-2)
run 400 $plugins/large/plug.so
after=$(received node-2)
[ $status -eq 0 ] || fail "100 MB"
everywhere 0 500 400
[ $((after - before)) -gt 100000000 ] && [ $((after - before)) -lt 120000000 ] || fail "100 MB: node-2 received $((after - before)) bytes"
nothing_runs

# ---- A node is lost while it is sent: it hangs, or its cable is pulled. The others do the work. (When the rank is killed, its kernel
# refuses what comes, and Open MPI 4.1 at times never returns from the call that sends.)
for how in stop cut; do
    begin 0 node-1 env PPMPI_LOG_LEVEL=info PPMPI_HEARTBEAT=2 "$pprun" --hosts $hosts "$program" 400 $plugins/large/plug.so
    for _ in $(seq 3000); do grep -q "goes to rank 1" "$err" && break; sleep 0.01; done
    grep -q "goes to rank 1" "$err" || fail "$how of node-2: nothing is sent there"
    if [ $how = cut ]; then
        sh "$cluster" cut node-2
    else
        for pid in $(sh "$cluster" pids node-2); do
            [ "$(readlink "/proc/$pid/exe")" = "$program" ] && kill -STOP "$pid"
        done
    fi
    began=$(now)
    ended
    [ "$(awk '/^0 node-[123] 500 / { s += $4 } END { print s + 0 }' "$out")" -eq 400 ] || fail "$how of node-2: all tasks"
    [ $status -eq 0 ] || fail "$how of node-2 while it is sent"
    sh "$cluster" kill node-2
    revive node-2
    nothing_runs
done

# ---- Nothing of it is left on any node: no files, and no memory.
for i in $(seq 2 $n); do
    files_of node-$i | grep -v -e '^/tmp/plug-ins$' -e vader_segment -e '/ompi\.' | diff "$scratch/files.$i" - > "$out" || fail "left on node-$i"
done
finish
