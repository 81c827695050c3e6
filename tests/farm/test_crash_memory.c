/* Tasks that write where they must not, and tasks that get no memory: the others' results are what they were.
 * ranks: 2 4 */
#include "fault/fault.h"
#include "farm/memory_group.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { KEPT = 8 };

struct write_past {
    size_t bytes;   /* of the result */
    long first;     /* where the task writes, counted from the result's end; negative: from its start, outwards */
    size_t step;    /* bytes between two writes */
    long count;
};

static void fill(pp_task *task)
{
    const struct write_past *o = pp_task_args(task, NULL);
    unsigned char *r = pp_task_result(task, o->bytes);
    if (r) memset(r, 'a', o->bytes);
}

static void write_past(pp_task *task)
{
    const struct write_past *o = pp_task_args(task, NULL);
    unsigned char *r = pp_task_result(task, o->bytes);
    if (!r) return;
    memset(r, 'a', o->bytes);
    volatile unsigned char *at = o->first < 0 ? r + o->first : r + o->bytes + o->first;
    for (long i = 0; i < o->count; i++, at += o->first < 0 ? -(ptrdiff_t)o->step : (ptrdiff_t)o->step) *at = 'x';
}

static const struct {
    const char *name;
    struct write_past how;
    int must_crash; /* otherwise it may also end well */
} cases[] = {
    {"1 byte past a page", {4096, 0, 1, 1}, 1},
    {"1 byte past 64 bytes", {64, 0, 1, 1}, 1},
    {"1 byte past 10 bytes", {10, 0, 1, 1}, 0},
    {"1 byte past 64 KiB", {65536, 0, 1, 1}, 1},
    {"through 100 KB past a small result", {4000, 0, 1, 100000}, 1},
    {"100 KB past a small result", {4000, 100000, 1, 1}, 1},
    {"1 MB past a small result", {24, 1000000, 1, 1}, 1},
    {"through 1 MB past a small result", {24, 0, 64, 1000000 / 64}, 1},
    {"100 KB before a small result", {4000, -100000, 1, 1}, 1},
    {"1 byte past a large result", {200000, 0, 1, 1}, 0},
    {"1 byte past a large result of whole pages", {131072, 0, 1, 1}, 1},
    {"through 100 KB past a large result", {131072, 0, 1, 100000}, 1},
    {"100 KB past a large result", {131072, 100000, 1, 1}, 0},
    {"through 1 MB past a large result", {1000000, 0, 64, 1000000 / 64}, 1},
    {"1 MB past a large result", {1000000, 1000000, 1, 1}, 0},
    {"through 1 MB before a large result", {1000000, -1, 64, 1000000 / 64}, 1},
    {"1 MB before a large result", {1000000, -1000000, 1, 1}, 0},
};

static void check_filled(pp_future f, size_t bytes, const char *what)
{
    const void *data = NULL;
    size_t got = 0, wrong = 0;
    CHECK(pp_result(f, &data, &got) == PP_OK, "%s: %s", what, pp_last_error());
    CHECK(got == bytes, "%s: %zu bytes instead of %zu", what, got, bytes);
    for (size_t i = 0; i < got; i++) wrong += ((const unsigned char *)data)[i] != 'a';
    CHECK(wrong == 0, "%s: %zu of %zu bytes are wrong", what, wrong, got);
}

/* Results that the program keeps lie in the memory of the workers that made them. */
static void writing_past_a_result_harms_no_other(pp_server *server)
{
    static const size_t sizes[KEPT] = {8, 40, 4096, 60000, 70000, 131072, 500000, 1000000};
    pp_future kept[2][KEPT];
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < KEPT; i++) {
            struct write_past o = {.bytes = sizes[i]};
            kept[k][i] = pp_submit(server, fill, &o, sizeof o);
        }
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        pp_future f[4], g[4];
        for (int i = 0; i < 4; i++) {
            struct write_past o = {.bytes = sizes[(c + (size_t)i) % KEPT]};
            f[i] = pp_submit(server, write_past, &cases[c].how, sizeof cases[c].how);
            g[i] = pp_submit(server, fill, &o, sizeof o);
        }
        for (int i = 0; i < 4; i++) {
            int status = pp_wait(f[i]);
            CHECK(status == PP_OK, "%s: %s", cases[c].name, pp_last_error());
            pp_task_info info = fault_info(f[i]);
            if (info.status == PP_OK && !cases[c].must_crash) {
                check_filled(f[i], cases[c].how.bytes, cases[c].name);
                pp_release(f[i]);
            } else {
                fault_check_crash(f[i], cases[c].name, SIGSEGV, 0);
            }
            check_filled(g[i], sizes[(c + (size_t)i) % KEPT], cases[c].name);
            pp_release(g[i]);
        }
    }
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < KEPT; i++) {
            check_filled(kept[k][i], sizes[i], "a result that was kept");
            pp_release(kept[k][i]);
        }
}

/* Arguments are read-only, and so is what other tasks are given. */
static void write_into_arguments(pp_task *task)
{
    char *args = (char *)(uintptr_t)pp_task_args(task, NULL);
    args[0] = 'x';
}

static void arguments_cannot_be_written(pp_server *server)
{
    static char large[100000];
    for (size_t bytes = 1; bytes <= sizeof large; bytes = bytes * 10)
        fault_check_crash(pp_submit(server, write_into_arguments, large, bytes), "write into arguments", SIGSEGV, 0);
}

/* ---- no memory */

static size_t address_space(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%zu", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void eat(size_t bytes)
{
    for (size_t got = 0; got < bytes; got += 1 << 20) {
        char *p = malloc(1 << 20);
        memset(p, 1, 1 << 20); /* NULL when the limit is reached: SIGSEGV */
    }
}

static void limited_address_space(pp_task *task)
{
    size_t now = address_space() + ((size_t)64 << 20);
    struct rlimit limit = {now, now};
    (void)task;
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(100);
    eat((size_t)1 << 30);
}

static void result_too_large(pp_task *task)
{
    size_t bytes = (size_t)1 << 60;
    char *r = pp_task_result(task, bytes);
    if (r) r[0] = 1;
}

static void limited_group(pp_task *task)
{
    if (!enter_group(pp_task_args(task, NULL))) _exit(100);
    eat((size_t)256 << 20);
}

static void want_of_memory_is_the_tasks_own(pp_server *server, int sanitized)
{
    pp_future g[8];
    char group[200];
    for (int i = 0; i < 8; i++) g[i] = fault_submit_square(server, i);
    pp_future huge = pp_submit(server, result_too_large, NULL, 0);
    CHECK(pp_fetch(huge, NULL, 0) == PP_ERR_NOMEM, "%s", pp_last_error());
    pp_release(huge);
    if (!sanitized) {
        for (int i = 0; i < 2; i++)
            fault_check_crash(pp_submit(server, limited_address_space, NULL, 0), "RLIMIT_AS", SIGSEGV, 0);
        if (make_group(group, sizeof group, (size_t)64 << 20)) {
            fault_check_crash(pp_submit(server, limited_group, group, strlen(group) + 1), "memory of a control group",
                              SIGKILL, 0);
            for (int i = 0; i < 200 && rmdir(group) != 0; i++) fault_sleep(0.01);
        } else {
            printf("not tested: the system's want of memory, as no control group can be made (%s)\n", strerror(errno));
        }
    }
    for (int i = 0; i < 8; i++) fault_check_square(g[i], i, "tasks without memory");
}

int main(int argc, char **argv)
{
    const char *sanitizers = getenv("TEST_SANITIZE");
    pp_server *server = fault_open(&argc, &argv, NULL);
    writing_past_a_result_harms_no_other(server);
    arguments_cannot_be_written(server);
    want_of_memory_is_the_tasks_own(server, sanitizers && *sanitizers);
    return fault_end(server);
}
