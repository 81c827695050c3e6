#!/bin/sh
# check_align.sh ALIGN [LAUNCHER ...]
#
# Compares scores of examples/align with those of `water` of EMBOSS: every fifth globin against all of them, and the
# same for made-up sequences that use every letter of the matrix and are unlike each other, so that gaps and ties are
# decided everywhere. Exit 77: water is not here, nothing was checked.
set -u
LC_ALL=C
export LC_ALL
here=$(cd "$(dirname "$0")" && pwd)
align=${1:?usage: check_align.sh ALIGN [LAUNCHER ...]}
shift

command -v water >/dev/null || { echo "skipped: water is missing (Debian: apt-get install emboss)"; exit 77; }

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

cp "$here/../../examples/data/globins.fa" "$dir/globins.fa" || exit 1
awk 'BEGIN {
    letters = "ARNDCQEGHILKMFPSTWYVBZX"
    seed = 20240229
    for (n = 0; n < 20; n++) {
        printf ">random_%d\n", n
        for (i = 0; i < 40 + 23 * n; i++) {
            seed = (seed * 1103515 + 12345) % 2147483647
            printf "%s%s", substr(letters, int(seed / 2147483647 * 23) + 1, 1), i % 60 == 59 ? "\n" : ""
        }
        print ""
    }
}' >"$dir/random.fa"

for set in globins random; do
    "$@" "$align" --matrix "$dir/$set.fa" </dev/null >"$dir/matrix" || { echo "FAIL: align on $set.fa"; exit 1; }
    : >"$dir/expected"
    for query in $(sed -n 's/^>//p' "$dir/$set.fa" | awk 'NR % 5 == 1'); do
        awk -v query="$query" '/^>/ { show = $1 == ">" query } show' "$dir/$set.fa" >"$dir/query.fa"
        water -asequence "$dir/query.fa" -bsequence "$dir/$set.fa" -datafile EBLOSUM62 -gapopen 10 -gapextend 0.5 \
            -aformat score -outfile stdout 2>"$dir/errors" |
            awk 'NF == 4 && /\(.*\)/ { gsub(/[()]/, "", $4); print $1, $2, $4 }' >>"$dir/expected"
    done
    awk 'NR == FNR && FNR == 1 { columns = split($0, name, "\t"); next }
        NR == FNR {
            split($0, field, "\t")
            for (j = 2; j <= columns; j++)
                score[field[1] " " name[j]] = field[j]
            next
        }
        {
            pairs++
            if (!(($1 " " $2) in score) || score[$1 " " $2] + 0 != $3 + 0) {
                printf "%s %s: water %s, align %s\n", $1, $2, $3, score[$1 " " $2]
                wrong++
            }
        }
        END { printf "%d pairs compared, %d differ\n", pairs, wrong; exit !(pairs >= 60 && wrong == 0) }' \
        "$dir/matrix" "$dir/expected" || { echo "FAIL: $set"; cat "$dir/errors"; exit 1; }
done
