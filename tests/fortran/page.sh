#!/bin/sh
# ppmpi-fortran.7 says what the module has: every public procedure with its arguments, and every component of the types; and
# its program runs. Usage: page.sh LIBPPMPI_DIR MODULE_DIR COMPILER LIBRARY…
set -u
LC_ALL=C
export LC_ALL
page=$1/man/man7/ppmpi-fortran.7 source=$1/fortran module=$2 fortran=$3
shift 3
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
bad=0

# ---- name(arguments) of each procedure, as the page and as the source have them

sed -n 's/^\.It Li "\(.*\)"$/\1/p' "$page" | grep -o 'pp_[a-z_]*(.*)' | tr -d '[] ' | sort > "$scratch/page"
sed 's/ *!.*//' "$source/ppmpi.f90" "$source/interfaces.inc" "$source/share.inc" | awk '
    /&$/ { sub(/ *&$/, ""); joined = joined $0; next }
    { print joined $0; joined = "" }' | grep -vE '^ *end (function|subroutine|interface|module)' > "$scratch/source"
sed -nE '/^ *abstract interface/,/^  public/d; s/^ *(pure )?(module )?(function|subroutine) ([a-z_]*\([^)]*\)).*/\4/p' "$scratch/source" | tr -d ' ' |
    sed 's/^task_\(args_size\)(/pp_task_\1(/; s/^task_\(args_size\)_long(/pp_task_\1(/; s/^task_id_int[0-9]*(/pp_task_id(/
         s/pp_body/task/; s/pp_call/callback/' | grep '^pp_' | sort -u > "$scratch/procedures"
diff "$scratch/page" "$scratch/procedures" > "$scratch/differences" || {
    echo "page: procedures: < in the page, > in the module"
    cat "$scratch/differences"
    bad=1
}
grep '^  public ::' "$scratch/source" | grep -oE '\bpp_[a-z_]+' | sort -u > "$scratch/public"
sed 's/(.*//' "$scratch/procedures" | sort -u | cat - "$scratch/public" | sort | uniq -u | grep -vE '^pp_(function|callback)$' > "$scratch/private"
[ ! -s "$scratch/private" ] || { echo "page: not both public and a procedure: $(cat "$scratch/private")"; bad=1; }

# ---- components

awk '/^  type, public :: / { inside = 1; next } /^  end type/ { inside = 0 }
     inside && /::/ && !/private/ { sub(/.*::/, ""); gsub(/=>? *[^,]*/, ""); gsub(/\(:\)/, ""); print }' "$scratch/source" |
    grep -oE '[a-z_]+' | sort -u > "$scratch/components"
while read -r component; do
    sed -n '/^\.Sh TYPES/,/^\.Sh LINKING/p' "$page" | grep -qw "$component" || { echo "page: component $component is missing"; bad=1; }
done < "$scratch/components"
echo "$(wc -l < "$scratch/procedures") procedures, $(wc -l < "$scratch/components") components"
[ -s "$scratch/procedures" ] && [ -s "$scratch/components" ] || bad=1

# ---- the program

sed -n '/begin of program/,/end of program/p' "$page" | grep -v '^\.' > "$scratch/program.f90"
cd "$scratch" || exit 2
# shellcheck disable=SC2046
if "$fortran" -std=f2018 -Wall -Wextra -Werror -fcheck=all -I"$module" program.f90 "$@" \
    $(for library; do printf '%s ' "-Wl,-rpath,$(dirname "$library")"; done) -o program; then
    ./program > output || bad=1
    printf '%s\n' 333833500 2668667000 9004500500 21341334000 | diff output - || { echo "page: the program prints something else"; bad=1; }
else
    bad=1
fi
exit $bad
