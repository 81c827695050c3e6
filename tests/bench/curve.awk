# From the curves of efficiency against task size, per system and round: METG(50 %), and the size from which tasks
# are 90 % efficient. Reads lines "curve/SYSTEM/SIZE ROUND EFFICIENCY", sizes in microseconds in ascending order.
#
# METG as in Slaughter et al., "Task Bench: A Parameterized Benchmark for Evaluating Parallel Runtime Performance",
# SC 2020: the smallest task granularity, wall clock x cores / tasks, at which at least half of the peak performance
# is reached; that is the size of the task / 50 %. The peak is what bare processes reach (calibrate.c). Between
# two sizes efficiency is interpolated over the logarithm of the size. Disturbance lowers efficiency and never raises
# it, so that what counts is the first size, from below, that is good enough. Where all are, or none is, the end of
# the range stands for it, and a note says so.
#
# Prints lines "SERIES ROUND VALUE", "limit SERIES ROUND > or <" for those that stand for what was not reached, and
# "note TEXT".
BEGIN { wanted["metg"] = 0.5; wanted["size90"] = 0.9; divide["metg"] = 0.5; divide["size90"] = 1 }
$1 ~ /^curve\// {
    split($1, part, "/")
    key = part[2] " " $2
    n[key]++
    size[key, n[key]] = part[3]
    efficiency[key, n[key]] = $3
}
END {
    for (what in wanted)
        for (key in n) {
            split(key, word, " ")
            t = wanted[what]
            for (i = 1; i <= n[key] && efficiency[key, i] < t; i++) { }
            if (i == 1)
                note(what, word, "from the smallest", "<")
            if (i > n[key]) {
                note(what, word, "not even with the largest", ">")
                i--
                at = size[key, i]
            } else if (i == 1) {
                at = size[key, 1]
            } else {
                low = efficiency[key, i - 1]
                part_way = (t - low) / (efficiency[key, i] - low)
                at = exp(log(size[key, i - 1]) + part_way * (log(size[key, i]) - log(size[key, i - 1])))
            }
            printf "%s_%s %s %.5f\n", what, word[1], word[2], at / divide[what]
        }
    for (text in times)
        print "note " text ", in " times[text] " round(s)"
}
function note(what, word, text, sign)
{
    print "limit " what "_" word[1] " " word[2] " " sign
    times[word[1] ": " 100 * wanted[what] " % efficient " text " task that was tried"]++
}
