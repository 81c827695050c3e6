#!/bin/sh
# What README.md and ARCHITECTURE.md quote of the tree is what the tree says. Usage: readme.sh REPOSITORY
#
# A comment before a code block names its source: <!-- file PATH -->, <!-- part of PATH --> for lines that follow each
# other there, <!-- diff OLD NEW -->. Checked too: links to files, the two commands, and limits.
set -u
LC_ALL=C
export LC_ALL
cd "${1:?usage: readme.sh REPOSITORY}" || exit 2
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
failed=0 checks=0

fail()
{
    echo "readme: $*"
    failed=1
}

# block N: the code block behind the N-th of those comments.
block()
{
    awk -v wanted="$1" '
        inside && /^```/ { exit }
        inside { print; next }
        due && /^```/ { inside = 1; next }
        /^<!-- (file|part of|diff) / && ++n == wanted { due = 1 }' README.md
}

sed -n 's/^<!-- \(\(file\|part of\|diff\) .*\) -->$/\1/p' README.md > "$scratch/sources"
while read -r kind first second; do
    checks=$((checks + 1))
    block "$checks" > "$scratch/block"
    [ "$kind" = part ] && first=$second
    if [ ! -f "$first" ]; then
        fail "there is no $first to quote"
        continue
    fi
    case $kind in
    file) diff -u "$first" "$scratch/block" > "$scratch/diff" || { fail "$first is quoted wrongly"; cat "$scratch/diff"; } ;;
    part)
        awk 'NR == FNR { want[++n] = $0; next }
            { have[++m] = $0 }
            END {
                for (i = 0; i <= m - n && n > 0; i++) {
                    for (j = 1; j <= n && have[i + j] == want[j]; j++) { }
                    if (j > n) exit 0
                }
                exit 1
            }' "$scratch/block" "$first" || fail "these lines do not stand in $first:
$(cat "$scratch/block")" ;;
    diff)
        diff -U 1 "$first" "$second" | tail -n +3 > "$scratch/true"
        diff -u "$scratch/true" "$scratch/block" > "$scratch/diff" || { fail "the diff of $first is another"; cat "$scratch/diff"; } ;;
    esac
done < "$scratch/sources"
for kind in file part diff; do
    grep -q "^$kind " "$scratch/sources" || fail "README.md quotes no $kind"
done
grep -qx 'file examples/hello.c' "$scratch/sources" || fail "README.md does not show examples/hello.c"

for command in 'examples/run' 'tests/run'; do
    checks=$((checks + 1))
    grep -qx "    sh $command" README.md || fail "README.md does not name the command sh $command"
    [ -f "$command" ] || fail "there is no $command"
done

for page in README.md libppmpi/ARCHITECTURE.md libppmpi/SPEED.md libppmpi/SCALE.md; do
    for link in $(grep -o '](\([^)]*\))' "$page" | sed 's/^](//; s/)$//' | grep -v '^https\?:'); do
        checks=$((checks + 1))
        file=${link%%#*} anchor=''
        case $link in *'#'*) anchor=${link#*#} ;; esac
        [ -z "$file" ] || [ -e "$(dirname "$page")/$file" ] || fail "$page links to $file, which is not there"
        [ -n "$file" ] || sed -n 's/^##* //p' "$page" | tr 'A-Z ' 'a-z-' | tr -d '.,' | grep -qx "$anchor" ||
            fail "$page links to #$anchor, which is no heading"
    done
done

# limit NUMBER-IN-THE-SOURCE WHAT-THE-TEXTS-CALL-IT
limit()
{
    checks=$((checks + 1))
    number=$(sed -n "s/^#define $1 \([0-9]*\).*/\1/p" libppmpi/*/*.h)
    for page in README.md libppmpi/man/man7/ppmpi.7; do
        tr '\n' ' ' < "$page" | grep -q "[^0-9]$number $2" || fail "$page does not say '$number $2', as $1 does"
    done
}
limit PPI_WORKERS_MAX 'workers in each rank'
limit PPI_FUNCTIONS_MAX 'different functions'

echo "$checks checks"
exit $failed
