#!/bin/sh
# The shared library exports what the public headers declare with PP_API, no more and no less.
# Usage: symbols.sh LIBRARY INCLUDE_DIR
set -u
library=${1:?usage: symbols.sh LIBRARY INCLUDE_DIR} include=${2:?usage: symbols.sh LIBRARY INCLUDE_DIR}
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT

# Without comments and preprocessor lines, the name in a statement with PP_API is what stands before its first
# bracket, or last where there is none.
cat "$include"/*.h | awk '
    /\\$/ { sub(/\\$/, ""); joined = joined $0 " "; next }
    { text = text joined $0 "\n"; joined = "" }
    END {
        while ((start = index(text, "/*")) > 0) {
            plain = plain substr(text, 1, start - 1) " "
            text = substr(text, start + 2)
            text = substr(text, index(text, "*/") + 2)
        }
        lines = split(plain text, line, "\n")
        for (i = 1; i <= lines; i++) {
            sub(/\/\/.*/, "", line[i])
            if (line[i] !~ /^[ \t]*#/) code = code " " line[i]
        }
        statements = split(code, statement, /[;{}]/)
        for (i = 1; i <= statements; i++) {
            if (!match(statement[i], /(^|[^A-Za-z0-9_])PP_API[ \t]/)) continue
            name = substr(statement[i], RSTART + RLENGTH)
            sub(/[(=[].*/, "", name)
            sub(/[ \t]+$/, "", name)
            sub(/.*[ \t*]/, "", name)
            print name
        }
    }' | LC_ALL=C sort -u > "$scratch/declared"
nm -D --defined-only --extern-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }' |
    LC_ALL=C sort -u > "$scratch/exported"

[ -s "$scratch/declared" ] || { echo "no PP_API declaration found in $include"; exit 1; }
LC_ALL=C comm -13 "$scratch/exported" "$scratch/declared" | sed 's/^/declared but not exported: /' > "$scratch/differences"
LC_ALL=C comm -23 "$scratch/exported" "$scratch/declared" | sed 's/^/exported but not declared: /' >> "$scratch/differences"
cat "$scratch/differences"
echo "$(wc -l < "$scratch/declared") declared, $(wc -l < "$scratch/exported") exported"
[ ! -s "$scratch/differences" ]
