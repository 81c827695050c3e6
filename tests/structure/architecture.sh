#!/bin/sh
# ARCHITECTURE.md says of the code what the code says. Usage: architecture.sh REPOSITORY STATE_TABLE
# STATE_TABLE is the program that prints the table of states. Checked: that table; the table of layers against the law
# in layers.sh; that every file and every function of ours that is named exists.
set -u
LC_ALL=C
export LC_ALL
usage='usage: architecture.sh REPOSITORY STATE_TABLE'
repository=${1:?$usage} program=${2:?$usage}
cd "$repository" || exit 2
page=libppmpi/ARCHITECTURE.md
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
failed=0

fail()
{
    echo "architecture: $*"
    failed=1
}

# The lines between <!-- NAME --> and <!-- end of NAME --> that are not empty.
between()
{
    sed -n "/^<!-- $1 -->\$/,/^<!-- end of $1 -->\$/p" "$page" | sed '1d;$d;/^$/d'
}

"$program" > "$scratch/states" || fail "$program failed"
between 'state table' > "$scratch/page"
diff -u "$scratch/page" "$scratch/states" > "$scratch/diff" || { fail "the table of states is another (+)"; cat "$scratch/diff"; }

sed -n "/^law='/,/^'/p" tests/structure/layers.sh | awk '
    NF && $1 !~ /^law=|^'\''/ && $1 !~ /^(fortran|launcher|examples)$/ { printf "%s:", $1; for (i = 2; i <= NF; i++) printf " %s", $i; print "" }' |
    sort > "$scratch/law"
between layers | sed -n 's/^| `\([a-z]*\)\/` |.*|\([^|]*\)|$/\1:\2/p' | sed 's/ *$//' | sort > "$scratch/layers"
[ -s "$scratch/law" ] || fail "no law found in layers.sh"
diff -u "$scratch/layers" "$scratch/law" > "$scratch/diff" || { fail "the law of the layers is another (+)"; cat "$scratch/diff"; }

grep -o '`[a-z_/]*/[A-Za-z_0-9]*\.[a-z0-9]*`' "$page" | tr -d '`' | sort -u > "$scratch/files"
while read -r file; do
    [ -e "libppmpi/$file" ] || [ -e "$file" ] || fail "there is no $file"
done < "$scratch/files"

grep -o '\(ppi\|PPI\|pp\|PP\)_[A-Za-z_0-9]*' "$page" | sort -u > "$scratch/names"
cat libppmpi/*/*.[ch] > "$scratch/source"
while read -r name; do
    grep -qw "$name" "$scratch/source" || fail "there is no $name"
done < "$scratch/names"

echo "$(wc -l < "$scratch/states") rows of states, $(wc -l < "$scratch/law") layers, $(wc -l < "$scratch/files") files, $(wc -l < "$scratch/names") names"
[ -s "$scratch/files" ] && [ -s "$scratch/names" ] || failed=1
exit $failed
