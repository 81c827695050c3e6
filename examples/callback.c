/* ln 2 = 1 - 1/2 + 1/3 - 1/4 + …: parts of the series are tasks, and a callback adds each to the sum as soon as it is
 * there. Callbacks run one at a time, so that the sum needs no lock; while they run the program is free to do other
 * things, here to wait for all of them.
 *
 *     cc callback.c $(pkg-config --cflags --libs ppmpi) -lm -o callback
 */
#include <math.h>
#include <ppmpi.h>
#include <stdio.h>

enum { PARTS = 40, TERMS = 1000000 };

/* Terms first … last - 1 of the series. */
static double part_sum(long first, long last)
{
    double sum = 0.0;

    for (long i = last - 1; i >= first; i--) /* small terms first */
        sum += (i % 2 ? 1.0 : -1.0) / (double)i;
    return sum;
}
PP_TASK(double, part_sum, long, long)

struct total {
    double sum;
    int parts;
};

static void add(pp_future f, void *arg)
{
    struct total *total = arg;
    double part;

    if (PP_TRY_FETCH(part_sum, f, &part) == PP_OK) {
        total->sum += part;
        total->parts++;
    } else {
        fprintf(stderr, "callback: %s\n", pp_last_error());
        pp_release(f);
    }
}

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    struct total total = {0.0, 0};

    if (!server) {
        fprintf(stderr, "callback: %s\n", pp_last_error());
        return 1;
    }

    options.callback = add;
    options.callback_arg = &total;
    for (long i = 0; i < PARTS; i++) {
        /* add has the future: nothing to keep here */
        if (!PP_SUBMIT_WITH(server, &options, part_sum, 1 + i * TERMS, 1 + (i + 1) * TERMS).id)
            fprintf(stderr, "callback: %s\n", pp_last_error());
    }

    if (pp_wait_group(server, NULL, -1) != PP_OK) /* until all tasks and their callbacks have ended */
        fprintf(stderr, "callback: %s\n", pp_last_error());
    printf("%d of %d parts\n", total.parts, PARTS);
    printf("Sum of the series:  %.9f\n", total.sum);
    printf("ln 2:               %.9f\n", log(2.0));

    return pp_server_close(server) == PP_OK && total.parts == PARTS ? 0 : 1;
}
