#!/bin/sh
# check_mandelbrot.sh C_BINARY FORTRAN_BINARY|none [LAUNCHER ...]
#
# The picture is a PNG file, and the same, byte for byte, whoever writes it and however many ranks compute it; a file that
# cannot be written is reported.
set -u
c=${1:?usage: check_mandelbrot.sh C_BINARY FORTRAN_BINARY|none [LAUNCHER ...]} fortran=$2
shift 2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
failed=0

fail()
{
    echo "FAIL: $*"
    failed=1
}

same()
{
    cmp "$dir/c.png" "$1" || fail "the picture of $2 differs"
}

"$c" "$dir/c.png" > /dev/null || fail "$c ended with status $?"
head=$(od -An -tx1 -N24 "$dir/c.png" | tr -d ' \n')
# Signature, and in the first chunk width 600 and height 400.
[ "$head" = 89504e470d0a1a0a0000000d494844520000025800000190 ] || fail "no PNG file of 600 x 400 pixels: $head"

programs=$c
[ "$fortran" = none ] || programs="$c $fortran"
for program in $programs; do
    "$program" "$dir/again.png" > /dev/null || fail "$program ended with status $?"
    same "$dir/again.png" "$program"
    if [ $# -gt 0 ]; then
        "$@" "$program" "$dir/ranks.png" > /dev/null || fail "$* $program ended with status $?"
        same "$dir/ranks.png" "$* $program"
    fi
    if "$program" "$dir/no/such/folder.png" > "$dir/out" 2>&1; then fail "$program did not notice that it wrote nothing"; fi
    grep -q 'folder.png' "$dir/out" || fail "$program does not name the file that it cannot write: $(cat "$dir/out")"
done
exit "$failed"
