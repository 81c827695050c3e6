/* Short random histories of the whole farm over threads: farms of all sizes, several threads that submit, wait, cancel and
 * give up. Every result is checked. TEST_SEED repeats a run, TEST_ROUNDS sets how many histories. */
#include "thread/tasks.h"

static void one_round(struct random *r)
{
    struct farm farm;
    pp_options o = PP_OPTIONS_INIT;
    int ranks = 1 + (int)random_below(r, 4), threads = 1 + (int)random_below(r, 4);
    if (random_below(r, 6) == 0) o.restart = 1 + (int)random_below(r, 5);
    pp_server *s = farm_open(&farm, ranks, 1 + (int)random_below(r, 3), &o);
    if (random_below(r, 4) == 0) usleep((useconds_t)random_below(r, 2000));
    many_threads(s, random_next(r), threads, (int)random_below(r, 80));
    struct {
        pp_future f;
        struct wish w;
    } made[6];
    int n = (int)random_below(r, 7);
    for (int i = 0; i < n; i++) {
        made[i].w = (struct wish){random_magnitude(r, 19), random_next(r)};
        REQUIRE((made[i].f = pp_submit(s, make, &made[i].w, sizeof made[i].w)).id);
    }
    for (int i = 0; i < n; i++) {
        const void *data;
        size_t bytes;
        if (random_below(r, 4) == 0) continue; /* left to the close */
        REQUIRE(pp_result(made[i].f, &data, &bytes) == PP_OK);
        REQUIRE(bytes == made[i].w.bytes && is_made(data, &made[i].w));
        if (random_below(r, 2)) REQUIRE(pp_release(made[i].f) == PP_OK);
    }
    farm_close(&farm);
}

int main(void)
{
    struct random r = random_begin("random");
    const char *given = getenv("TEST_ROUNDS");
    int rounds = given ? atoi(given) : 200;
    alarm(170); /* a farm that hangs: better a signal here than a time-out of ctest */
    for (int i = 0; i < rounds; i++) one_round(&r);
    printf("%d rounds passed\n", rounds);
    return 0;
}
