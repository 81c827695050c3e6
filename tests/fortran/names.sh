#!/bin/sh
# A program that uses the module can have any ordinary name, and so can its modules and procedures: every name that
# the module's source has, but those that begin with pp_, is tried. Usage: names.sh FORTRAN_SOURCE_DIR MODULE_DIR COMPILER
set -u
source=$1 module=$2 fortran=$3
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT

sed 's/!.*//' "$source/ppmpi.f90" "$source/interfaces.inc" | tr 'A-Z' 'a-z' | grep -oE '[a-z][a-z0-9_]*' | LC_ALL=C sort -u |
    grep -vE '^(pp_.*|ppmpi|procedure|function|subroutine|iso_c_binding)$' > "$scratch/names"
count=$(wc -l < "$scratch/names")
[ "$count" -gt 100 ] || { echo "names: only $count names found"; exit 1; }

while read -r name; do printf 'module %s\n  use ppmpi\nend module\n' "$name"; done < "$scratch/names" > "$scratch/modules.f90"
while read -r name; do printf 'subroutine %s()\n  use ppmpi\nend subroutine\n' "$name"; done < "$scratch/names" > "$scratch/subroutines.f90"
for name in task callback; do printf 'program %s\n  use ppmpi\nend program\n' $name > "$scratch/$name.f90"; done
bad=0
cd "$scratch" || exit 2 # modules are written, whatever the options
for file in modules subroutines task callback; do
    "$fortran" -std=f2018 -fsyntax-only -I"$module" "$scratch/$file.f90" > "$scratch/log" 2>&1 || {
        echo "names: $file:"
        grep -m 5 Error "$scratch/log"
        bad=1
    }
done
echo "$count names"
exit $bad
