#!/bin/sh
# Usage: run.sh INCLUDE_DIR
# What the typed-task macros promise about compiling: good_*.c must compile without any warning with every compiler
# that is there, bad_*.c must not compile, and the compiler must say what the file's first line expects:
#     /* expect: text */    or, where gcc and clang word it differently,    /* expect: text || other text */
# good_*.cpp are for C++.

if [ $# -ne 1 ] || [ ! -f "$1/ppmpi.h" ]; then
    echo "usage: $0 INCLUDE_DIR (the folder that holds ppmpi.h)" >&2
    exit 2
fi
include=$(cd "$1" && pwd)
cd "$(dirname "$0")" || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

common="-Wall -Wextra -pedantic-errors -Wconversion -Wshadow -Wunused -Wdouble-promotion -Wcast-qual"
checked=0
failed=0

fail()
{
    failed=$((failed + 1))
    echo "FAILED: $1"
    sed 's/^/    /' "$work/log"
}

good() # compiler flags… file
{
    checked=$((checked + 1))
    if ! "$@" -I"$include" -c -o "$work/object" >"$work/log" 2>&1 || [ -s "$work/log" ]; then fail "$*"; fi
}

bad() # text compiler flags… file
{
    text=$1
    shift
    checked=$((checked + 1))
    if "$@" -I"$include" -c -o "$work/object" >"$work/log" 2>&1; then
        echo "(it compiled)" >>"$work/log"
        fail "$*"
        return
    fi
    while [ -n "$text" ]; do
        one=${text%% || *}
        if grep -qF -- "$one" "$work/log"; then return; fi
        [ "$one" = "$text" ] && break
        text=${text#* || }
    done
    echo "(the expected text is missing)" >>"$work/log"
    fail "$*"
}

compilers=""
for compiler in gcc clang; do
    command -v "$compiler" >/dev/null 2>&1 || continue
    compilers="$compilers $compiler"
    extra=""
    # An error in clang from 15 on; before, a warning that even -pedantic-errors leaves one.
    strict="-Werror=int-conversion"
    [ "$compiler" = gcc ] && extra="-Wmissing-prototypes -Wstrict-prototypes"
    for file in good_*.c; do
        for level in -O0 -O2; do
            # shellcheck disable=SC2086
            good "$compiler" -std=c11 $common $extra $level "$file"
        done
    done
    # The plain C11 branch of the header, without any extension.
    # shellcheck disable=SC2086
    good "$compiler" -std=c11 $common -Wno-unused-function -DPP_TYPED_PLAIN_C11 good_all.c
    for file in bad_*.c; do
        expect=$(sed -n '1s|^/\* expect: \(.*\) \*/$|\1|p' "$file")
        if [ -z "$expect" ]; then
            echo "no /* expect: … */ in the first line" >"$work/log"
            fail "$file"
            continue
        fi
        # shellcheck disable=SC2086
        bad "$expect" "$compiler" -std=c11 $common $strict "$file"
    done
done
for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null 2>&1 || continue
    compilers="$compilers $compiler"
    for file in good_*.cpp; do
        for standard in c++11 c++17; do
            good "$compiler" -std=$standard -Wall -Wextra -pedantic-errors -Wconversion -Wshadow "$file"
        done
    done
done

if [ -z "$compilers" ]; then
    echo "no compiler found" >&2
    exit 1
fi
echo "typed tasks: $checked compilations checked with$compilers, $failed failed"
[ "$failed" -eq 0 ]
