/* Ten thousand tasks of which a random one in a hundred ends its process: every future is right, the statistics add up.
 * ranks: 2 4 */
#include "fault/fault.h"

enum { TASKS = 10000 };

enum end { FINE, SEGV, ABORT, EXIT, KILL };

struct order {
    long n;
    enum end end;
    int bytes; /* of the result */
};

static void work(pp_task *task)
{
    const struct order *o = pp_task_args(task, NULL);
    switch (o->end) {
    case SEGV: raise(SIGSEGV); break;
    case ABORT: abort();
    case EXIT: exit((int)(o->n % 200) + 1);
    case KILL: kill(getpid(), SIGKILL); pause(); break;
    case FINE: break;
    }
    unsigned char *r = pp_task_result(task, (size_t)o->bytes);
    for (int i = 0; i < o->bytes; i++) r[i] = (unsigned char)(o->n + i);
    if (o->n % 997 == 0) {
        printf("task %ld\n", o->n);
        fflush(stdout);
    }
}

static uint64_t state;

static unsigned draw(unsigned below)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (unsigned)(state >> 33) % below;
}

int main(int argc, char **argv)
{
    static struct order orders[TASKS];
    static pp_future futures[TASKS];
    const char *text = getenv("TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
    pp_server *server = fault_open(&argc, &argv, NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    state = seed * 2 + 1;
    static const int sizes[] = {0, 8, 24, 25, 100, 4096, 70000};
    uint64_t crashes = 0;
    for (int i = 0; i < TASKS; i++) {
        struct order *o = &orders[i];
        o->n = i;
        o->end = draw(100) == 0 ? (enum end)(SEGV + draw(4)) : FINE;
        /* Few are large: it is the crashes that are tested. */
        o->bytes = sizes[draw(20) ? draw(5) : draw(7)];
        crashes += o->end != FINE;
        futures[i] = pp_submit(server, work, o, sizeof *o);
        CHECK(futures[i].id, "%s", pp_last_error());
    }
    CHECK(pp_wait_all(futures, TASKS, 100) == PP_OK, "seed %llu: %s", (unsigned long long)seed, pp_last_error());
    for (int i = 0; i < TASKS; i++) {
        const struct order *o = &orders[i];
        if (o->end == FINE) {
            const void *data;
            size_t bytes;
            int status = pp_result(futures[i], &data, &bytes), wrong = 0;
            CHECK(status == PP_OK, "task %d: %s", i, pp_last_error());
            if (status != PP_OK) continue;
            CHECK(bytes == (size_t)o->bytes, "task %d: %zu bytes instead of %d", i, bytes, o->bytes);
            for (int k = 0; k < o->bytes; k++) wrong += ((const unsigned char *)data)[k] != (unsigned char)(o->n + k);
            CHECK(wrong == 0, "task %d: %d of %d bytes are wrong", i, wrong, o->bytes);
            pp_release(futures[i]);
        } else {
            int signal_number = o->end == SEGV ? SIGSEGV : o->end == ABORT ? SIGABRT : o->end == KILL ? SIGKILL : 0;
            fault_check_crash(futures[i], "random", signal_number, o->end == EXIT ? (int)(o->n % 200) + 1 : 0);
        }
        if (fault_failures > 20) break;
    }
    pp_stats stats = {.size = sizeof stats};
    CHECK(pp_get_stats(server, &stats) == PP_OK, "%s", pp_last_error());
    CHECK(stats.submitted == TASKS, "%llu submitted", (unsigned long long)stats.submitted);
    CHECK(stats.failed == crashes, "%llu failed, %llu crashed", (unsigned long long)stats.failed,
          (unsigned long long)crashes);
    CHECK(stats.done == TASKS - crashes, "%llu done", (unsigned long long)stats.done);
    CHECK(stats.running + stats.queued + stats.cancelled + stats.retried == 0, "%llu running, %llu queued, %llu retried",
          (unsigned long long)stats.running, (unsigned long long)stats.queued, (unsigned long long)stats.retried);
    if (fault_failures) fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    return fault_end(server);
}
