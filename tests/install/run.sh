#!/bin/sh
# Installs the library into a folder, moves that folder, and builds a user's program against it with CMake and with
# pkg-config. Usage: run.sh BUILD_DIR SCRATCH_DIR CMAKE; CC names the compiler.
set -eu
build=$1 scratch=$2 cmake=$3
consumer=$(cd "$(dirname "$0")/consumer" && pwd)
. "$(dirname "$0")/stage.sh"

for file in include/ppmpi.h share/doc/ppmpi/LICENSE bin/pprun share/man/man1/pprun.1 share/bash-completion/completions/pprun; do
    [ -e "$prefix/$file" ] || fail "$file is not installed"
done
if grep -rlF "$scratch/before" "$prefix" > "$scratch/places"; then fail "the prefix is written into $(cat "$scratch/places")"; fi

[ "$("$prefix/bin/pprun" --version | sed 's/,.*//')" = "pprun $version" ] || fail "pprun --version"
case $("$prefix/bin/pprun" --info) in *workers*) ;; *) fail "pprun --info" ;; esac
ldd "$prefix/bin/pprun" | grep 'libmpi\|libppmpi' && fail "pprun is linked to what it starts"

with_cmake()
{
    name=$1
    shift
    if ! {
        "$cmake" -S "$consumer" -B "$scratch/$name" -DCMAKE_C_COMPILER="$CC" -DCMAKE_PREFIX_PATH="$prefix" "$@" &&
            "$cmake" --build "$scratch/$name"
    } > "$scratch/$name.log" 2>&1; then
        cat "$scratch/$name.log"
        fail "$name does not build"
    fi
    check "$name" "$scratch/$name/consumer"
}
with_cmake cmake -DWANTED_VERSION="$version" -DWANTED_TARGET=ppmpi::ppmpi
# Shared consumers need no MPI and no hwloc of their own.
if grep -qi 'mpi_c\|hwloc' "$scratch/cmake/CMakeCache.txt"; then fail "find_package(ppmpi) looked for MPI or hwloc"; fi

pc=$(find "$prefix" -name ppmpi.pc)
[ -n "$pc" ] || fail "ppmpi.pc is not installed"
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion ppmpi)" = "$version" ] || fail "ppmpi.pc has version $(pkg-config --modversion ppmpi), not $version"
# shellcheck disable=SC2046 # flags are words
$CC "$consumer/main.c" $(pkg-config --cflags --libs ppmpi) -Wl,-rpath,"$(pkg-config --variable=libdir ppmpi)" -o "$scratch/by-pkg-config" ||
    fail "pkg-config: does not build"
check pkg-config "$scratch/by-pkg-config"

if [ -n "$(find "$prefix" -name libppmpi.a)" ]; then
    mpi=$(sed -n 's/^MPI_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
    with_cmake cmake-static -DWANTED_VERSION="$version" -DWANTED_COMPONENTS=static -DWANTED_TARGET=ppmpi::ppmpi_static -DMPI_C_COMPILER="$mpi"
fi
