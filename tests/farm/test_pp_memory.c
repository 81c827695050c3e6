/* A million tasks in rounds: memory stays as it is after the first rounds. ranks: 2 */
#include "farm/test_futures.h"

static void echo(pp_task *task)
{
    size_t bytes;
    const void *in = pp_task_args(task, &bytes);
    memcpy(pp_task_result(task, bytes), in, bytes);
}

static _Atomic int calls;

static void count(pp_future f, void *arg)
{
    (void)f;
    (void)arg;
    atomic_fetch_add(&calls, 1);
}

/* Of this process and of all workers that live below it: as /proc tells. */
static long resident_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    if (file) fclose(file);
    return kib;
}

enum { ROUND = 20000 };
static pp_future f[ROUND];

static void one_round(int round)
{
    unsigned char args[100], result[100];
    char group[32];
    memset(args, round, sizeof args);
    snprintf(group, sizeof group, "round %d", round % 7);
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.group = group;
    o.name = group;
    for (int i = 0; i < ROUND; i++) {
        o.priority = i % 5;
        o.callback = i % 100 ? NULL : count;
        f[i] = i % 10 ? pp_submit(server, echo, args, (size_t)(i % 2 ? 8 : 100)) : pp_submit_with(server, echo, args, sizeof args, &o);
        CHECK(f[i].id != 0);
    }
    for (int i = 0; i < ROUND; i++) {
        size_t bytes = i % 10 && i % 2 ? 8 : 100;
        switch (i % 7) {
        case 0: CHECK_INT(pp_release(f[i]), PP_OK); break;
        case 1: {
            int status = pp_cancel(f[i]);
            CHECK(status == PP_OK || status == PP_END);
            CHECK_INT(pp_wait(f[i]), PP_OK);
            CHECK_INT(pp_release(f[i]), PP_OK);
            break;
        }
        default:
            CHECK_INT(pp_fetch(f[i], result, bytes), PP_OK);
            CHECK_INT(memcmp(args, result, bytes), 0);
        }
    }
    CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK);
}

int main(int argc, char **argv)
{
    const char *sanitizers = getenv("TEST_SANITIZE");
    int checked = !sanitizers || !*sanitizers, rounds = checked ? 50 : 10;
    long early = 0;
    open_or_exit(&argc, &argv, NULL);
    for (int i = 0; i < rounds && !failures; i++) {
        one_round(i);
        if (i == rounds / 5) early = resident_kib();
    }
    long late = resident_kib();
    if (checked && late - early > 2048) {
        failures++;
        fprintf(stderr, "VmRSS grew from %ld to %ld KiB\n", early, late);
    }
    CHECK_INT(atomic_load(&calls), rounds * ROUND / 100);
    pp_stats s = stats_now();
    CHECK_INT(s.submitted, (long)rounds * ROUND);
    CHECK_INT(s.done + s.cancelled, (long)rounds * ROUND);
    CHECK_INT(pp_server_close(server), PP_OK);
    return failures ? 1 : 0;
}
