/* Tasks that write over the memory in which their worker and its agent talk. What the agent reads there it does not
 * believe: every future ends, tasks on other workers are as they should be, results that were delivered stay.
 * ranks: 2 4 */
#include "fault/fault.h"

enum { FOLLOWERS = 30, OUTPUT_LOCK = 132 };

struct scribble {
    size_t first, count; /* bytes of the shared memory that the worker writes to */
    int pattern;         /* −1: random */
    unsigned seed;
    int die;             /* afterwards, instead of returning */
};

static int unknown_memory;

static unsigned char *find_memory(void)
{
    char line[512];
    unsigned long start = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    while (file && !start && fgets(line, sizeof line, file))
        if (strstr(line, "memfd:ppmpi-answers") && strstr(line, " rw-s 00000000 ")) start = strtoul(line, NULL, 16);
    if (file) fclose(file);
    return (unsigned char *)start;
}

static void write_over(pp_task *task)
{
    const struct scribble *s = pp_task_args(task, NULL);
    unsigned char *memory = find_memory();
    unsigned state = s->seed * 2654435761u + 1;
    if (!memory) {
        pp_task_fail(task, 77, "the memory is not to be found");
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        state = state * 1664525u + 1013904223u;
        memory[s->first + i] = (unsigned char)(s->pattern < 0 ? (int)(state >> 24) : s->pattern);
    }
    if (s->die) raise(SIGSEGV);
}

/* Takes the lock of the worker's output, and prints more than a pipe holds. */
static void lock_and_print(pp_task *task)
{
    const uint32_t *value = pp_task_args(task, NULL);
    unsigned char *memory = find_memory();
    static const char line[] = "a line of some length, of which there are many, so that no pipe holds all of them\n";
    if (memory) memcpy(memory + OUTPUT_LOCK, value, sizeof *value);
    for (int i = 0; i < 8000; i++)
        if (write(STDOUT_FILENO, line, sizeof line - 1) != (ssize_t)sizeof line - 1) abort();
}

static void a_taken_lock_hangs_nobody(pp_server *server)
{
    static const uint32_t values[] = {1, 2, 0xffffffff};
    for (int i = 0; i < 3; i++) {
        pp_future f = pp_submit(server, lock_and_print, &values[i], sizeof values[i]);
        CHECK(pp_wait_for(f, 15) == PP_OK, "lock %u: the task hangs", values[i]);
        if (fault_failures) exit(1);
        CHECK(unknown_memory || fault_info(f).status == PP_ERR_CRASHED, "lock %u: status %d", values[i], fault_info(f).status);
        pp_release(f);
    }
}

static void everybody_ends(pp_server *server, const struct scribble *s)
{
    char what[100];
    pp_future f[2], g[FOLLOWERS];
    snprintf(what, sizeof what, "%zu bytes from %zu, pattern %d, seed %u, die %d", s->count, s->first, s->pattern, s->seed,
             s->die);
    for (int i = 0; i < 2; i++) f[i] = pp_submit(server, write_over, s, sizeof *s);
    for (int i = 0; i < FOLLOWERS; i++) g[i] = fault_submit_square(server, i);
    for (int i = 0; i < 2; i++) {
        CHECK(pp_wait_for(f[i], 15) == PP_OK, "%s: the task hangs", what);
        if (fault_failures) exit(1);
        pp_task_info info = fault_info(f[i]);
        unknown_memory += info.status == PP_ERR_TASK && info.code == 77;
        pp_release(f[i]);
    }
    for (int i = 0; i < FOLLOWERS; i++) {
        CHECK(pp_wait_for(g[i], 15) == PP_OK, "%s: task %d after it hangs", what, i);
        if (fault_failures) exit(1);
        long r = -1;
        int status = pp_fetch(g[i], &r, sizeof r);
        CHECK(status == PP_OK || status == PP_ERR_CRASHED, "%s: task %d after it: %s", what, i, pp_last_error());
        CHECK(status != PP_OK || r == (long)i * i, "%s: task %d after it: %ld", what, i, r);
    }
}

int main(int argc, char **argv)
{
    static const int patterns[] = {0, 0xff, 1, -1};
    static const struct {
        size_t first, count;
    } places[] = {{0, 64}, {0, 4}, {4, 4}, {64, 64}, {128, 64}, {128, 4}, {132, 4}, {192, 64}, {0, 256}, {0, 4096}, {256, 65536}};
    if (!freopen("/dev/null", "w", stdout)) return 1; /* tasks print much */
    pp_server *server = fault_open(&argc, &argv, NULL);
    int workers;
    fault_ranks(server, &workers);
    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++)
        for (size_t k = 0; k < sizeof patterns / sizeof patterns[0]; k++)
            for (int die = 0; die < 2; die++) {
                struct scribble s = {places[p].first, places[p].count, patterns[k], (unsigned)(p * 16 + k), die};
                everybody_ends(server, &s);
            }
    a_taken_lock_hangs_nobody(server);
    for (int i = 0; i < 20; i++) fault_check_square(fault_submit_square(server, i), i, "after all of it");
    CHECK(pp_get_ncpus(server) == workers, "%d workers instead of %d", pp_get_ncpus(server), workers);
    if (unknown_memory) {
        fprintf(stderr, "skipped: the memory between worker and agent is not where this test looks for it\n");
        return fault_end(server) ? 1 : 77;
    }
    return fault_end(server);
}
