#!/bin/sh
# Folders are layers, and includes go down only. Usage: layers.sh REPOSITORY
# Prints file:line and the include for every breach; exits 1 when there is one.
set -u
cd "${1:?usage: layers.sh REPOSITORY}" || exit 2

# Folder, then the folders that its files may include, itself excepted. A folder uses only folders above it in this
# list, which is what keeps the graph free of cycles. The public headers are open to all.
law='
base
wire       base
function   base
topology   base
launch     base topology
task       base
scheduler  base task
channel    base
output     base wire
share      base channel
module     base channel function share
worker     base channel function topology launch wire output share module
transport  base wire
agent      base wire transport worker topology function channel output share module
server     base wire task scheduler transport agent function channel share module
api        base wire function topology launch task scheduler channel output share module worker transport agent server
fortran
launcher   launch topology
examples
'

find libppmpi launcher examples -name '*.[ch]' 2>/dev/null | LC_ALL=C sort | LAW="$law" awk '
function breach(text) { print file ":" line ": " text; breaches++ }

# Folder of libppmpi/base/x.c is base, of examples/x.c examples.
function folder(path,  part) { split(path, part, "/"); return part[1] == "libppmpi" ? part[2] : part[1] }

BEGIN {
    rows = split(ENVIRON["LAW"], row, "\n")
    for (i = 1; i <= rows; i++) {
        n = split(row[i], word, " ")
        if (n == 0) continue
        for (j = 2; j <= n; j++) {
            if (!(word[j] in known)) { print "the law itself: " word[1] " uses " word[j] ", which is not above it"; breaches++ }
            allowed[word[1], word[j]] = 1
        }
        known[word[1]] = 1
    }
}
{
    file = $0; line = 0; files++
    from = folder(file)
    if (from != "include" && !(from in known)) breach("folder " from " is in no layer")
    while ((getline text < file) > 0) {
        line++
        if (text !~ /^[ \t]*#[ \t]*include[ \t]*["<]/) continue
        quoted = text ~ /^[^"<]*"/
        target = text
        sub(/^[^"<]*["<]/, "", target)
        sub(/[">].*$/, "", target)
        split(target, part, "/")
        to = part[1]

        if (target == "mpi.h" && file != "libppmpi/transport/mpi_state.h" && file != "libppmpi/include/ppmpi_mpi.h" && from != "examples")
            breach("<mpi.h> belongs to transport/mpi_state.h and include/ppmpi_mpi.h")
        if (target ~ /^hwloc(\.h|\/)/ && from != "topology")
            breach("<" target "> belongs to topology/")
        if (target ~ /(^|\/)\.\.?\//)
            breach("\"" target "\": includes are written from libppmpi/ on")
        else if (quoted && index(target, "/") == 0 && from != "launcher" && from != "examples")
            breach("\"" target "\": includes are written from libppmpi/ on, public headers in <>")
        else if (to in known && index(target, "/") && to != from && !((from, to) in allowed))
            breach(from "/ may not include \"" target "\"")
        else if (quoted && index(target, "/") && !(to in known))
            breach("\"" target "\": " to "/ is no layer")
    }
    close(file)
}
END {
    if (files == 0) { print "no source files found"; exit 1 }
    printf "%d files, %d breaches\n", files, breaches
    exit breaches > 0
}'
