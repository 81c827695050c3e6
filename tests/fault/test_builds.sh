# Two ranks that run different builds of one source: what cannot run is refused with both build ids. Copies, stripped or
# not, are the same build. And C++.
. "$(dirname "$0")/program.sh"
run=${TEST_MPIEXEC:-mpirun}
a=$scratch/a b=$scratch/b copy=$scratch/copy
build_program "$a" -DBUILD=1 -Wl,--build-id
build_program "$b" -DBUILD=2 -Wl,--build-id

build_id()
{
    readelf -n "$1" | sed -n 's/.*Build ID: //p'
}
id_a=$(build_id "$a") id_b=$(build_id "$b")
[ -n "$id_a" ] && [ -n "$id_b" ] && [ "$id_a" != "$id_b" ] || {
    echo "the two builds have the same build id"
    exit 1
}

# ---- Different builds.
bounded 60 "$run" -n 1 "$a" builds 60 : -n 1 "$b" builds 60
[ $status -eq 0 ] || fail "different builds: status"
counts=$(sed -n 's/^ran \([0-9]*\), refused \([0-9]*\), other 0$/\1 \2/p' "$out")
ran=${counts% *} refused=${counts#* }
[ -n "$counts" ] && [ $((ran + refused)) -eq 60 ] && [ "$ran" -gt 0 ] && [ "$refused" -gt 0 ] || fail "different builds: counts"
[ "$(lines "$out" "^first: .*$id_a.*$id_b")" -eq 1 ] || fail "different builds: both build ids"

# Nothing but refusals: the farm still closes.
for n in 1 2 3; do
    bounded 60 "$run" -n 1 "$b" builds $n : -n 1 "$a" builds $n
    [ $status -eq 0 ] && [ "$(lines "$out" '^ran .* other 0$')" -eq 1 ] || fail "different builds, $n tasks"
done

# ---- The same build under another name, and stripped.
cp "$a" "$copy"
bounded 60 "$run" -n 1 "$a" builds 40 : -n 1 "$copy" builds 40
[ $status -eq 0 ] && [ "$(cat "$out")" = "ran 40, refused 0, other 0" ] || fail "a copy"
if [ -z "${TEST_SANITIZE:-}" ] && strip "$copy"; then
    bounded 60 "$run" -n 1 "$a" builds 40 : -n 1 "$copy" builds 40
    [ $status -eq 0 ] && [ "$(cat "$out")" = "ran 40, refused 0, other 0" ] || fail "a stripped copy"
    bounded 60 "$run" -n 1 "$copy" builds 40 : -n 1 "$a" builds 40
    [ $status -eq 0 ] && [ "$(cat "$out")" = "ran 40, refused 0, other 0" ] || fail "a stripped copy on rank 0"
fi

# ---- Without a build id the code itself tells builds apart.
build_program "$a" -DBUILD=1 -Wl,--build-id=none
build_program "$b" -DBUILD=2 -Wl,--build-id=none
bounded 60 "$run" -n 2 "$a" builds 40
[ $status -eq 0 ] && [ "$(cat "$out")" = "ran 40, refused 0, other 0" ] || fail "no build id"
bounded 60 "$run" -n 1 "$a" builds 40 : -n 1 "$b" builds 40
[ $status -eq 0 ] && [ "$(lines "$out" '^ran .* other 0$')" -eq 1 ] && [ "$(lines "$out" 'refused 0')" -eq 0 ] ||
    fail "different builds without build ids"

# ---- Not position-independent, and linked to the static library.
if [ -z "${TEST_SANITIZE:-}" ]; then
    build_program "$a" -no-pie -fno-pie
    bounded 60 "$run" -n 2 "$a" builds 40
    [ $status -eq 0 ] && [ "$(cat "$out")" = "ran 40, refused 0, other 0" ] || fail "not position-independent"
fi

# ---- C++: compiles as strictly as can be, and runs.
if command -v "${CXX:-c++}" >/dev/null; then
    cat >"$scratch/program.cpp" <<'END'
#include <ppmpi.h>
#include <cstring>
#include <iostream>
#include <vector>

namespace {
struct args { int a; double b; };

void multiply(pp_task *task)
{
    std::size_t bytes;
    const args *in = static_cast<const args *>(pp_task_args(task, &bytes));
    if (bytes != sizeof *in) {
        pp_task_fail(task, 1, "%zu bytes", bytes);
        return;
    }
    *static_cast<double *>(pp_task_result(task, sizeof(double))) = in->a * in->b;
    std::cout << "task " << in->a << std::endl;
}

void throws(pp_task *)
{
    throw 5;
}
}

int main(int argc, char **argv)
{
    pp_options options = PP_OPTIONS_INIT;
    pp_server *server = pp_server_open(&argc, &argv, &options);
    if (!server) {
        std::cerr << pp_last_error() << std::endl;
        return 1;
    }
    std::vector<pp_future> futures;
    for (int i = 0; i < 20; i++) {
        args in = {i, 0.5};
        pp_submit_options with = PP_SUBMIT_OPTIONS_INIT;
        futures.push_back(i % 2 ? pp_submit(server, multiply, &in, sizeof in)
                                : pp_submit_with(server, multiply, &in, sizeof in, &with));
    }
    double sum = 0;
    for (pp_future f : futures) {
        double r;
        if (pp_fetch(f, &r, sizeof r) != PP_OK) return 2;
        sum += r;
    }
    pp_future f = pp_submit(server, throws, nullptr, 0);
    if (pp_fetch(f, nullptr, 0) != PP_ERR_CRASHED) return 3;
    pp_release(f);
    std::cout << "sum " << sum << std::endl;
    return pp_server_close(server);
}
END
    cxx_flags="-std=c++11 -pedantic-errors -Wall -Wextra -Werror"
    # shellcheck disable=SC2086
    if "${CXX:-c++}" $cxx_flags "$scratch/program.cpp" -o "$scratch/cxx" $flags -lppmpi; then
        bounded 30 "$scratch/cxx"
        [ $status -eq 0 ] && [ "$(tail -n 1 "$out")" = "sum 95" ] && [ "$(lines "$out" '^task ')" -eq 20 ] || fail "C++"
        bounded 60 "$run" -n 2 "$scratch/cxx"
        [ $status -eq 0 ] && [ "$(tail -n 1 "$out")" = "sum 95" ] && [ "$(lines "$out" '^task ')" -eq 20 ] || fail "C++, 2 ranks"
    else
        status=-
        fail "C++: does not compile"
    fi
fi
finish
