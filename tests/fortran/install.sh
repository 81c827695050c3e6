#!/bin/sh
# Installs into a folder, moves that folder, and builds a user's Fortran program against it with CMake, with pkg-config, and
# with the module compiled anew from its installed source. Usage: install.sh BUILD_DIR SCRATCH_DIR CMAKE FORTRAN_COMPILER
set -eu
build=$1 scratch=$2 cmake=$3 fortran=$4
consumer=$(cd "$(dirname "$0")/consumer" && pwd)
. "$(dirname "$0")/../install/stage.sh"

if grep -rlF "$scratch/before" "$prefix" > "$scratch/places"; then fail "the prefix is written into $(cat "$scratch/places")"; fi
[ -z "$(find "$prefix/include" -name '*.mod')" ] || fail "a module file lies where other compilers look"

if ! {
    "$cmake" -S "$consumer" -B "$scratch/cmake" -DCMAKE_Fortran_COMPILER="$fortran" -DCMAKE_PREFIX_PATH="$prefix" &&
        "$cmake" --build "$scratch/cmake"
} > "$scratch/cmake.log" 2>&1; then
    cat "$scratch/cmake.log"
    fail "cmake: does not build"
fi
check cmake "$scratch/cmake/consumer"

pc=$(find "$prefix" -name ppmpi-fortran.pc)
[ -n "$pc" ] || fail "ppmpi-fortran.pc is not installed"
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir ppmpi)
case $(pkg-config --cflags ppmpi-fortran) in
*"-I$libdir/ppmpi/fortran/gfortran-"*) ;;
*) fail "pkg-config: the flags do not name the module folder: $(pkg-config --cflags ppmpi-fortran)" ;;
esac
cd "$scratch"
# shellcheck disable=SC2046 # flags are words
$fortran -std=f2018 "$consumer/main.f90" $(pkg-config --cflags --libs ppmpi-fortran) -Wl,-rpath,"$libdir" -o by-pkg-config ||
    fail "pkg-config: does not build"
check pkg-config "$scratch/by-pkg-config"

source=$(pkg-config --variable=sourcedir ppmpi-fortran)
[ "$source" -ef "$(dirname "$(pkg-config --variable=moduledir ppmpi-fortran)")" ] || fail "the source is not beside the module folder: $source"
mkdir "$scratch/anew" && cd "$scratch/anew"
header=$("$fortran" -print-file-name=include/ISO_Fortran_binding.h)
cp "$header" .
for file in data files shim; do
    # shellcheck disable=SC2046
    $CC -std=c11 -D_GNU_SOURCE -I. -I"$(dirname "$source")" $(pkg-config --cflags ppmpi) -c "$source/$file.c" || fail "source: $file.c"
done
# shellcheck disable=SC2046
$fortran "$source/ppmpi.f90" "$source/support.f90" "$source/server.f90" "$source/futures.f90" "$consumer/main.f90" \
    data.o files.o shim.o $(pkg-config --libs ppmpi) -Wl,-rpath,"$libdir" -o program || fail "source: does not build"
check source "$scratch/anew/program"
