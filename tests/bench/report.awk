# The table on stdout and the JSON in the file `json`, from rows.txt and lines "SERIES ROUND VALUE".
# Set by -v: mode rounds json took others cores cpu kernel mpi date loop few many thousandth.
function trim(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }
function sort(v, n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
}
# Sorts v[1 … n].
function median(v, n) { sort(v, n); return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }
function quoted(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); return "\"" s "\"" }
function number(x) { return sprintf("%.6g", x) }
# Of a series' rounds: sets low, high, all (as a JSON list); returns the median. A round that is missing is an error.
function summary(series,    v, r, m) {
    all = ""
    for (r = 1; r <= rounds; r++) {
        if (!((series, r) in value)) {
            print "report.awk: no " series " in round " r > "/dev/stderr"
            failed = 1
            exit 1
        }
        v[r] = value[series, r] + 0
        all = all (r > 1 ? ", " : "") number(v[r])
    }
    m = median(v, rounds)
    low = v[1]; high = v[rounds]
    return m
}
function json_summary(m)
{
    return sprintf("{\"median\": %s, \"min\": %s, \"max\": %s, \"rounds\": [%s]}",
        number(m), number(low), number(high), all)
}

FILENAME ~ /rows\.txt$/ {
    if ($0 ~ /^#/ || $0 !~ /[|]/) next
    split($0, f, "|")
    rows++
    sub(/FEW/, few, f[2]); sub(/MANY/, many, f[2]); sub(/THOUSANDTH/, thousandth, f[9])
    id[rows] = trim(f[1]); title[rows] = trim(f[2]); unit[rows] = trim(f[3]); form[rows] = trim(f[4])
    kind[rows] = trim(f[5]); ours[rows] = trim(f[6]); base[rows] = trim(f[7]); bar[rows] = trim(f[8])
    against[rows] = trim(f[9])
    next
}
$1 == "note" { sub(/^note /, ""); notes[++n_notes] = $0; next }
$1 == "limit" { limit[$2, $3] = $4; next }
$1 ~ /^curve\// {
    if (!($1 in seen)) { seen[$1] = 1; points[++n_points] = $1 }
}
{ value[$1, $2] = $3 }

# ">" or "<" when most rounds of the series have found only that it is beyond what was tried.
function beyond(series,    r, count) {
    for (r = 1; r <= rounds; r++)
        if ((series, r) in limit) count[limit[series, r]]++
    return 2 * count[">"] > rounds ? ">" : 2 * count["<"] > rounds ? "<" : ""
}

# Sets compared, low, high and all to the ratio or difference, round by round.
function compare(i,    r) {
    for (r = 1; r <= rounds; r++)
        if (kind[i] == "ratio")
            value["compared", r] = value[ours[i], r] / value[base[i], r]
        else
            value["compared", r] = value[ours[i], r] - value[base[i], r]
    compared = summary("compared")
}
function verdict(i, mine,    word, x, bound) {
    if (bar[i] == "") return ""
    if (bar[i] !~ /^ours/ && kind[i] == "ratio" && (beyond(ours[i]) != "" || beyond(base[i]) != "")) return "unsure"
    x = bar[i] ~ /^ours/ || kind[i] == "none" ? mine : compared
    sub(/^ours /, "", bar[i])
    split(bar[i], word, " ")
    bound = word[2] + 0
    return (word[1] == ">=" ? x >= bound : x <= bound) ? "met" : "missed"
}
function bar_text(i,    what) {
    what = bar[i]
    if (what == "") return ""
    if (what ~ /^ours/ || kind[i] != "ratio") {
        sub(/^ours /, "", what)
        return what (unit[i] == "" ? "" : " " unit[i])
    }
    return what "x"
}

END {
    if (failed) exit 1
    line = "%-60s %10s %10s  %-24s %-12s %-7s %s\n"
    if (mode == "smoke") print "A smoke run: it shows that everything works, its figures mean nothing."
    printf "%s, %d cores, %s, %s\n", cpu, cores, kernel, mpi
    printf "%s run, %d round(s), %.0f s; other processes took %s cores meanwhile; medians, ratios round by round\n",
        mode, rounds, took, others
    if (others > 0.1)
        print "Too much else was running: what is no ratio is worse than it should be, efficiency above all."
    print ""
    printf line, "", "ours", "baseline", "ratio (least ... most)", "bar", "", "baseline"
    printf("{\n\"machine\": {\"cpu\": %s, \"cores\": %d, \"kernel\": %s, \"mpi\": %s, \"others_cores\": %s},\n",
        quoted(cpu), cores, quoted(kernel), quoted(mpi), others) > json
    printf("\"date\": %s, \"mode\": %s, \"rounds\": %d, \"seconds\": %.0f, \"loop\": %s,\n\"rows\": [\n",
        quoted(date), quoted(mode), rounds, took, quoted(loop)) > json
    for (i = 1; i <= rows; i++) {
        mine = summary(ours[i]); json_ours = json_summary(mine)
        theirs = ""; middle = ""; json_base = json_compared = "null"; text = bar_text(i)
        if (kind[i] != "none") {
            json_base = json_summary(x = summary(base[i]))
            theirs = beyond(base[i]) sprintf(form[i], x)
            compare(i)
            json_compared = json_summary(compared)
            middle = sprintf(kind[i] == "ratio" ? "%.2f (%.2f ... %.2f)" : "%+.1f (%+.1f ... %+.1f)",
                compared, low, high)
        }
        if (kind[i] == "ratio" && (beyond(ours[i]) != "" || beyond(base[i]) != "")) middle = "not known"
        result = verdict(i, mine)
        printf line, title[i] (unit[i] == "" ? "" : ", " unit[i]), beyond(ours[i]) sprintf(form[i], mine), theirs,
            middle, text, result, against[i]
        printf("{\"id\": %s, \"measure\": %s, \"unit\": %s, \"format\": %s,\n \"ours\": %s,\n",
            quoted(id[i]), quoted(title[i]), quoted(unit[i]), quoted(form[i]), json_ours) > json
        printf(" \"against\": %s, \"baseline\": %s,\n \"kind\": %s, \"compared\": %s,\n",
            quoted(against[i]), json_base, quoted(kind[i]), json_compared) > json
        printf(" \"ours_beyond\": %s, \"baseline_beyond\": %s,", quoted(beyond(ours[i])),
            quoted(beyond(base[i]))) > json
        printf(" \"bar\": %s, \"verdict\": %s}%s\n", quoted(text), quoted(result), i < rows ? "," : "") > json
        if (result == "met") met++
        if (result != "") bars++
    }
    printf("],\n\"stations\": {") > json
    n = split("call down up submit through fetch", station, " ")
    for (i = 1; i <= n; i++) {
        m = summary("station_" station[i])
        printf("%s\n\"%s_ns\": %s", i > 1 ? "," : "", station[i], json_summary(m)) > json
    }
    printf("\n},\n\"efficiency\": [\n") > json
    for (i = 1; i <= n_points; i++) {
        split(points[i], part, "/")
        m = summary(points[i])
        printf("{\"system\": %s, \"size_us\": %s, \"efficiency\": %s, \"min\": %s, \"max\": %s}%s\n", quoted(part[2]),
            part[3] + 0, number(m), number(low), number(high), i < n_points ? "," : "") > json
    }
    printf("]}\n") > json
    print ""
    for (i = 1; i <= n_notes; i++) print notes[i]
    printf "%d of %d bars met; the loop is %s manager_worker\n", met, bars, loop
}
