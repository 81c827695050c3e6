#!/bin/sh
# Every public function and macro has a man page, and the pages say what the headers say. Usage: man.sh REPOSITORY
# CC is the compiler. The functions behind the typed macros (pp_typed_…) are not for direct use and have none.
set -u
LC_ALL=C
export LC_ALL
cd "${1:?usage: man.sh REPOSITORY}/libppmpi" || exit 2
: "${CC:=cc}"
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
failed=0

fail()
{
    echo "man: $*"
    failed=1
}

# ---- names: declared and documented

# The types of <mpi.h> that <ppmpi_mpi.h> names are all that it needs of it here.
printf 'typedef struct comm *MPI_Comm;\ntypedef int MPI_Fint;\n' > "$scratch/mpi.h"
$CC -E -P -Iinclude -I"$scratch" include/ppmpi_mpi.h | tr '\n' ' ' | tr ';{}' '\n\n\n' |
    sed -n 's/.*visibility("default"))) *\([^(]*\)(.*/\1/p' | sed 's/ *$//; s/.*[ *]//' |
    grep -v '^pp_typed_' | sort -u > "$scratch/functions"
sed -n 's/^#define \(PP_[A-Z_]*\)(.*/\1/p' include/ppmpi_typed.h | grep -v '^PP_TYPED_' | sort -u > "$scratch/macros"
[ -s "$scratch/functions" ] && [ -s "$scratch/macros" ] || fail "no functions or no macros found in the headers"
sort "$scratch/functions" "$scratch/macros" > "$scratch/public"
(cd man/man3 && ls) | sed 's/\.3$//' | sort > "$scratch/pages"
comm -23 "$scratch/public" "$scratch/pages" | sed 's/^/man: no page: man3\//; s/$/.3/' > "$scratch/missing"
comm -13 "$scratch/public" "$scratch/pages" | sed 's/^/man: a page for what is not public: man3\//; s/$/.3/' >> "$scratch/missing"
[ ! -s "$scratch/missing" ] || { cat "$scratch/missing"; failed=1; }

while read -r name; do
    page=man/man3/$name.3
    [ -f "$page" ] || continue
    target=$(sed -n '1s/^\.so //p' "$page")
    [ -z "$target" ] || page=man/$target
    [ -f "$page" ] || { fail "man3/$name.3 points to $target, which is not there"; continue; }
    grep -qE "^\.Nm $name( ,)?\$" "$page" || fail "$page does not name $name"
done < "$scratch/public"

# ---- prototypes: the pages' are compiled behind the header's, and must agree

grep -L '^\.so' man/man1/*.1 man/man3/*.3 man/man7/*.7 > "$scratch/files"
# shellcheck disable=SC2046 # names without blanks
awk '
    /^\.Ft / { type = substr($0, 5) }
    /^\.Fo / { name = $2; arguments = ""; inside = 1 }
    inside && /^\.Fa / { a = substr($0, 5); gsub(/"/, "", a); arguments = arguments (arguments == "" ? "" : ", ") a }
    /^\.Fc/ && inside { print type " " name "(" arguments ");"; print name > names; inside = 0 }' names="$scratch/prototypes" \
    $(cat "$scratch/files") > "$scratch/declarations"
{ echo '#include <ppmpi_mpi.h>'; cat "$scratch/declarations"; } > "$scratch/all.c"
$CC -std=c11 -fsyntax-only -Iinclude -I"$scratch" "$scratch/all.c" || fail "a prototype differs from the header's"
sort -u "$scratch/prototypes" | comm -3 - "$scratch/functions" > "$scratch/differences"
[ ! -s "$scratch/differences" ] || { fail "functions without a prototype in the pages, or the other way round:"; cat "$scratch/differences"; }

# ---- lists: options and their variables, states

sed -n '/^#define PPI_OPTIONS_LIST/,/^$/s/^ *[A-Z]*(\([a-z_]*\), "\([A-Z_]*\)".*/\1 \2/p' base/options.h > "$scratch/options"
[ -s "$scratch/options" ] || fail "no options found in base/options.h"
while read -r field variable; do
    grep -qw "PPMPI_$variable" man/man7/ppmpi.7 || fail "ppmpi.7 does not know PPMPI_$variable"
    grep -qw "$field" man/man3/pp_server_open.3 || fail "pp_server_open.3 does not know the option $field"
done < "$scratch/options"
for variable in $(grep -ho 'PPMPI_[A-Z_]*[A-Z]' man/man7/ppmpi.7 | sort -u); do
    grep -q " ${variable#PPMPI_}\$" "$scratch/options" || fail "ppmpi.7 names $variable, which is no option"
done
for status in $(sed -n '/^#define PP_STATUS_LIST/,/^$/s/^ *X(\([A-Z_]*\),.*/PP_\1/p' include/ppmpi.h); do
    grep -q "^\.It Dv $status\$" man/man3/pp_last_error.3 || fail "pp_last_error.3 does not know $status"
done

# ---- what is not in this version: options that check_supported refuses, and those that no code asks for

sed -n "/^static int check_supported/,/^}/p" api/open.c > "$scratch/check"
while read -r field variable; do
    if grep -qw "o->$field" "$scratch/check" || ! grep -qwrE --include='*.c' "(options\.|options->|o->)$field" server agent api
    then echo "$field"; fi
done < "$scratch/options" | sort > "$scratch/absent"
grep -qw 'o->initializer' "$scratch/check" && echo initializer >> "$scratch/absent" && sort -o "$scratch/absent" "$scratch/absent"
sed -n '/^ \* Not in this version:/,/\*\//p' include/ppmpi.h > "$scratch/in_header"
sed -n '/^Not in this version/,/^\.S[hs]/p' man/man3/pp_server_open.3 > "$scratch/in_page"
sed -n '/^## Not in this version/,/^## Limits/p' ../README.md > "$scratch/in_readme"
{ cut -d ' ' -f 1 "$scratch/options"; echo initializer; } > "$scratch/fields"
for text in header page readme; do
    while read -r field; do
        [ "$field" = isolation ] && grep -qw 'PP_ISOLATE_NONE' "$scratch/in_$text" && echo isolation && continue
        grep -qw "$field" "$scratch/in_$text" && echo "$field"
    done < "$scratch/fields" | sort > "$scratch/told"
    diff "$scratch/absent" "$scratch/told" > "$scratch/differences" || {
        fail "options that are not in this version: < by the code, > by the $text ('Not in this version')"
        cat "$scratch/differences"
    }
done

# ---- form

if command -v mandoc > /dev/null; then
    while read -r file; do
        mandoc -Tlint -W warning "$file" > "$scratch/lint" 2>&1 || { fail "mandoc has warnings:"; cat "$scratch/lint"; }
    done < "$scratch/files"
else
    echo "man: mandoc is not here; the form of the pages is not checked"
fi

echo "$(wc -l < "$scratch/public") names, $(wc -l < "$scratch/files") pages, $(wc -l < "$scratch/options") options"
exit $failed
