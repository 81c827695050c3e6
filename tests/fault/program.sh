# For the scripts of this folder and of launcher/ and cluster/: sh test_….sh BUILD_DIR. Sets up a scratch folder, builds program.c
# against the library of the build, and counts what is not as it should be.
build=${1:?usage: sh $0 BUILD_DIR}
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo UCX_NET_DEVICES=lo
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
failures=0
out=$scratch/out err=$scratch/err

flags="-I$source/libppmpi/include -L$build/libppmpi -Wl,-rpath,$build/libppmpi"
[ -z "${TEST_SANITIZE:-}" ] || flags="$flags -fsanitize=$TEST_SANITIZE"

# build_program OUTPUT [FLAGS…]
build_program()
{
    output=$1
    shift
    # shellcheck disable=SC2086
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 "$@" "$source/tests/fault/program.c" -o "$output" $flags -lppmpi || exit 1
}

# bounded SECONDS COMMAND…: sets $status; what hangs is ended and has status 124 or 137
bounded()
{
    limit=$1
    shift
    timeout -k 5 "$limit" "$@" >"$out" 2>"$err" </dev/null
    status=$?
}

fail()
{
    failures=$((failures + 1))
    echo "FAILED: $*"
    echo "  status $status; stdout: $(head -c 600 "$out"); stderr: $(head -c 1500 "$err")"
}

# lines FILE PATTERN: how many lines match
lines()
{
    grep -c -- "$2" "$1"
}

# nothing_left NAME: no process of that executable is there (after a moment for the launcher's own end)
nothing_left()
{
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        left=''
        for exe in /proc/[0-9]*/exe; do
            case $(readlink "$exe" 2>/dev/null) in "$1" | "$1 (deleted)") left="$left ${exe%/exe}" ;; esac
        done
        [ -z "$left" ] && return 0
        sleep 0.2
    done
    return 1
}

finish()
{
    [ "$failures" -eq 0 ] || echo "$failures failed"
    [ "$failures" -eq 0 ]
    exit
}
