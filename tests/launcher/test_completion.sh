# Completion: options, their values, hosts, files; nothing of it behind the program's name. And every option stands in --help,
# the man page and the completion.
command -v bash > /dev/null || { echo "skipped: there is no bash"; exit 77; }
build=${1:?usage: sh $0 BUILD_DIR}
source=$(cd "$(dirname "$0")/../.." && pwd)
failures=0

# completes EXPECTED WORD…: the cursor is behind the last word; EXPECTED are the offers, sorted, on one line
completes()
{
    expected=$1
    shift
    # shellcheck disable=SC2016
    offers=$(bash -c '
        source "$0"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _pprun
        printf "%s\n" "${COMPREPLY[@]}"' "$source/launcher/pprun.bash" "$@" 2>&1 | LC_ALL=C sort | tr '\n' ' ' | sed 's/^ *//; s/ *$//')
    [ "$offers" = "$expected" ] && return
    failures=$((failures + 1))
    echo "FAILED: $*: offered '$offers', expected '$expected'"
}

completes '--hostfile --hosts' pprun --ho
completes '--preload --progress' pprun --stats --pr
completes 'mpich openmpi' pprun --mpi ''
completes 'openmpi' pprun --mpi o
completes 'openmpi' pprun --mpi = o
completes 'mpich openmpi' pprun --mpi =
completes '--workers' pprun --mpi = openmpi --w
completes '' pprun --workers ''
completes '--retries' pprun --workers 4 --r
completes '' pprun prog --ho
completes '' pprun -- prog --ho
completes '' pprun --stats prog -n ''
cd "$source" || exit 1
completes 'README.md' pprun --hostfile READ
completes 'launcher' pprun -n 2 launche

for option in $("$build/launcher/pprun" --help | sed -n 's/^  \(-[-a-z]*\).*/\1/p'); do
    grep -qE -- "[ ']$option([ ']|\$)" launcher/pprun.bash || { echo "FAILED: the completion does not know $option"; failures=$((failures + 1)); }
    grep -q -- "^\\.It Fl ${option#-}\\( \\|\$\\)" libppmpi/man/man1/pprun.1 || { echo "FAILED: pprun.1 does not know $option"; failures=$((failures + 1)); }
done
for option in $(sed -n 's/^\.It Fl \([-a-z]*\).*/-\1/p' libppmpi/man/man1/pprun.1); do
    "$build/launcher/pprun" --help | grep -q -- "  *$option\\( \\|,\\|\$\\)" || { echo "FAILED: --help does not know $option"; failures=$((failures + 1)); }
done
[ $failures -eq 0 ]
