# Libraries that the program is linked to and of which ranks have different builds: each task runs the code of rank 0's. A plug-in in
# Fortran. And what is not to be had says so.
. "$(dirname "$0")/program.sh"
run=${TEST_MPIEXEC:-mpirun}

# ---- Linked. Both builds are called the same, and have a function of theirs that the other has too.
cat > "$scratch/lib.c" << 'END'
#include <ppmpi.h>
#include <unistd.h>
int helper(void);
void body(pp_task *task);
int helper(void) { return BUILD; }
void body(pp_task *task)
{
    int *r = pp_task_result(task, 3 * sizeof *r);
    usleep(2000);
    r[0] = BUILD, r[1] = helper(), r[2] = pp_task_worker(task);
}
END
cat > "$scratch/linked.c" << 'END'
#include <ppmpi.h>
#include <stdio.h>
void body(pp_task *task);
int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    pp_future f[100];
    int right = 0, mixed = 0, wrong = 0, there = 0;
    if (!server) return 1;
    for (int i = 0; i < 100; i++) f[i] = pp_submit(server, body, NULL, 0);
    for (int i = 0; i < 100; i++) {
        int r[3] = {0};
        if (pp_fetch(f[i], r, sizeof r) != PP_OK) printf("failed: %s\n", pp_last_error());
        if (r[0] == 1 && r[1] == 1) right++;
        else if (r[0] == 1) mixed++;
        else wrong++;
        there += r[2] > 0;
    }
    printf("right %d, mixed %d, wrong %d, on rank 1: %s\n", right, mixed, wrong, there ? "some" : "none");
    return pp_server_close(server);
}
END
mkdir "$scratch/a" "$scratch/b"
for build_number in 1 2; do
    if [ $build_number = 1 ]; then to=$scratch/a; else to=$scratch/b; fi
    # shellcheck disable=SC2086
    ${CC:-cc} -O1 -shared -fPIC -DBUILD=$build_number "$scratch/lib.c" -o "$to/libtasks.so" -Wl,-soname,libtasks.so $flags -lppmpi || exit 1
done
for kind in "-fPIE -pie" "-fno-pie -no-pie"; do
    [ -z "${TEST_SANITIZE:-}" ] || [ "$kind" = "-fPIE -pie" ] || continue
    # shellcheck disable=SC2086
    ${CC:-cc} -O1 $kind "$scratch/linked.c" -o "$scratch/linked" $flags "-L$scratch/a" -ltasks -lppmpi || exit 1
    bounded 60 "$run" -n 1 env "LD_LIBRARY_PATH=$scratch/a" PPMPI_WORKERS=1 "$scratch/linked" : -n 1 env "LD_LIBRARY_PATH=$scratch/b" "$scratch/linked"
    expected="right 100, mixed 0, wrong 0, on rank 1: some"
    # AddressSanitizer does not let a library have its own symbols first.
    [ -z "${TEST_SANITIZE:-}" ] || { expected="wrong 0, on rank 1: some"; sed -i 's/.*\(wrong\)/\1/' "$out"; }
    [ $status -eq 0 ] && [ "$(cat "$out")" = "$expected" ] || fail "two builds of a library, $kind"
done

# ---- In Fortran, with the library of its module.
fortran=$build/libppmpi/fortran
if command -v "${FC:-gfortran}" > /dev/null && [ -d "$fortran/module" ]; then
    mkdir "$scratch/plug"
    cat > "$scratch/plug/plug.f90" << 'END'
subroutine body(task) bind(C, name='body')
  use ppmpi
  use, intrinsic :: iso_c_binding, only: c_int
  type(pp_task), intent(inout) :: task
  integer(c_int) :: n, worker
  call pp_task_args(task, n)
  call pp_task_worker(task, worker)
  call pp_task_return(task, [10_c_int * n, worker])
end subroutine
END
    # shellcheck disable=SC2086
    "${FC:-gfortran}" -std=f2018 -shared -fPIC ${TEST_SANITIZE:+-fsanitize=$TEST_SANITIZE} -I"$fortran/module" -o "$scratch/plug/plug.so" \
        "$scratch/plug/plug.f90" -J"$scratch" "-L$fortran" "-Wl,-rpath,$fortran" -lppmpi_fortran "-L$build/libppmpi" "-Wl,-rpath,$build/libppmpi" -lppmpi ||
        exit 1
    bounded 60 "$run" -n 2 sh "$here/../farm/node.sh" 1 "$build/tests/fault_modules" 2000 "$scratch/plug/plug.so"
    if [ $status -eq 77 ]; then
        echo "not tested: a plug-in in Fortran: host names cannot be given"
    else
        [ $status -eq 0 ] && [ "$(cat "$out")" = "2000 of 2000 right, on all workers" ] || fail "a plug-in in Fortran"
    fi
fi

# ---- Without root's privileges, which can read a mapped file that has no name any more; others are tested so anyway.
if [ "$(id -u)" -ne 0 ]; then
    :
elif ! command -v setpriv > /dev/null; then
    echo "not tested: plug-ins without privileges: there is no setpriv"
else
    bounded 120 setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$build/tests/farm_modules"
    [ $status -eq 0 ] || [ $status -eq 77 ] || fail "plug-ins without privileges"
fi

# ---- The variable says what the option says.
bounded 60 env PPMPI_MODULES=/no/where.so "$build/tests/fault_modules" 1 /no/where.so
[ $status -eq 1 ] && [ "$(lines "$out" "^refused: option modules: '/no/where.so' cannot be opened: .*No such file")" -eq 1 ] || fail "PPMPI_MODULES"
bounded 60 "$run" -n 2 env PPMPI_MODULES=/no/where.so "$build/tests/fault_modules" 1 /no/where.so
[ $status -ne 0 ] && [ $status -ne 124 ] && [ "$(lines "$out" "^refused: option modules: ")" -eq 1 ] || fail "PPMPI_MODULES, 2 ranks"
finish
