/* What the library does while the program does something else, or nothing.
 *
 *     waiting --cpu [--seconds S]
 *         CPU time of all processes of the farm while main waits for a task that sleeps
 *     waiting --dispatch --turns-per-us R [--tasks N] [--work-us X]
 *         the program computes between submit and fetch and makes no call: how long until its tasks start, and how
 *         busy the workers are meanwhile
 *
 * For --dispatch there should be a worker less than there are cores (PPMPI_WORKERS), so that the program has its own.
 * Prints one line of key=value.
 */
#include "farm.h"
#include <dirent.h>
#include <sys/stat.h>

/* ---- CPU time ---- */

/* CPU seconds of all processes that run this executable in this session: this one, the fork servers and workers, and
 * under a launcher the other ranks of this node with theirs. By executable, as some are no children of ours. */
static double farm_cpu_s(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    struct stat mine, its;
    double seconds = 0;

    if (!proc || stat("/proc/self/exe", &mine) != 0) wrong("/proc cannot be read");
    while ((entry = readdir(proc))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct timespec t;
        clockid_t clock;
        char path[64];

        snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
        if (pid > 0 && getsid(pid) == getsid(0) && stat(path, &its) == 0 && its.st_ino == mine.st_ino &&
            its.st_dev == mine.st_dev && clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &t) == 0)
            seconds += (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    }
    closedir(proc);
    return seconds;
}

static void sleep_task(pp_task *task)
{
    sleep_s(*(const double *)pp_task_args(task, NULL));
}

static void cpu(pp_server *server, double seconds)
{
    double before, self, used;
    pp_future f;

    warm_up(server);
    sleep_s(0.2);
    self = farm_cpu_s(); /* what looking costs */
    before = farm_cpu_s();
    self = before - self;
    f = pp_submit(server, sleep_task, &seconds, sizeof seconds);
    if (pp_fetch(f, NULL, 0) != PP_OK) die("pp_fetch");
    used = farm_cpu_s() - before - self;
    if (used < 0) used = 0;
    printf("program=waiting measure=cpu workers=%d seconds=%g cpu_ms=%.3f percent=%.4f\n", pp_get_ncpus(server),
           seconds, 1e3 * used, 100 * used / seconds);
}

/* ---- Dispatch ---- */

struct span {
    double start, end;
    uint64_t result;
    int worker;
};

/* The clock is the same in all processes of a node. */
static void span_task(pp_task *task)
{
    struct span span = {.start = now_s(), .worker = pp_task_worker(task)}, *result;

    span.result = carry_out(*(const uint64_t *)pp_task_args(task, NULL));
    result = pp_task_result(task, sizeof *result);
    span.end = now_s();
    if (result) *result = span;
}

static pp_future submit_span(pp_server *server, uint64_t number, uint64_t turns)
{
    uint64_t args = order(number, turns);
    pp_future f = pp_submit(server, span_task, &args, sizeof args);

    if (f.id == 0) die("pp_submit");
    return f;
}

static struct span fetch_span(pp_future f, uint64_t number, uint64_t turns)
{
    struct span span;

    if (pp_fetch(f, &span, sizeof span) != PP_OK) die("pp_fetch");
    if (span.result != carry_out(order(number, turns))) wrong("wrong results");
    return span;
}

/* One task for an idle farm at a time; the program computes for two milliseconds. */
static void first_starts(pp_server *server, size_t n, double turns_per_us, double *us)
{
    uint64_t pause = (uint64_t)(2000 * turns_per_us);

    for (size_t i = 0; i < n; i++) {
        double submitted = now_s();
        pp_future f = submit_span(server, i, 0);

        work(pause);
        us[i] = 1e6 * (fetch_span(f, i, 0).start - submitted);
    }
}

static int by_worker_and_start(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    return x->worker != y->worker ? (x->worker > y->worker) - (x->worker < y->worker)
                                  : (x->start > y->start) - (x->start < y->start);
}

/* The gaps between one task and the next of the same worker; returns how many. *busy_s is the sum of the tasks. */
static size_t gaps(struct span *spans, size_t n, double *us, double *busy_s)
{
    size_t found = 0;

    qsort(spans, n, sizeof *spans, by_worker_and_start);
    *busy_s = 0;
    for (size_t i = 0; i < n; i++) {
        *busy_s += spans[i].end - spans[i].start;
        if (i > 0 && spans[i].worker == spans[i - 1].worker) us[found++] = 1e6 * (spans[i].start - spans[i - 1].end);
    }
    return found;
}

static void dispatch(pp_server *server, size_t n, double work_us, double turns_per_us)
{
    uint64_t turns = (uint64_t)(work_us * turns_per_us);
    int workers = pp_get_ncpus(server);
    pp_future *futures = new_array(n, sizeof *futures);
    struct span *spans = new_array(n, sizeof *spans);
    size_t firsts = n < 200 ? n : 200, found;
    double *us = new_array(n, sizeof *us), first_median, first_p99, start, end = 0, busy_s;

    warm_up(server);
    first_starts(server, firsts, turns_per_us, us);
    first_median = median(us, firsts);
    first_p99 = quantile(us, firsts, 0.99);

    start = now_s();
    for (size_t i = 0; i < n; i++)
        futures[i] = submit_span(server, i, turns);
    work((uint64_t)((double)n * (double)turns / workers)); /* as long as the workers should take */
    for (size_t i = 0; i < n; i++) {
        spans[i] = fetch_span(futures[i], i, turns);
        end = spans[i].end > end ? spans[i].end : end;
    }
    found = gaps(spans, n, us, &busy_s);
    if (found == 0) wrong("no worker ran two tasks");
    printf("program=waiting measure=dispatch workers=%d tasks=%zu work_us=%g first_median_us=%.3f first_p99_us=%.3f "
           "gap_median_us=%.3f gap_p99_us=%.3f busy=%.5f\n",
           workers, n, work_us, first_median, first_p99, median(us, found), quantile(us, found, 0.99),
           busy_s / (workers * (end - start)));
    free(futures);
    free(spans);
    free(us);
}

int main(int argc, char **argv)
{
    bool want_cpu = false, want_dispatch = false;
    double seconds = 2.0, work_us = 100.0, turns_per_us = 0;
    long tasks = 3000;
    const struct bench_option options[] = {{"--cpu", BENCH_FLAG, &want_cpu},
                                           {"--dispatch", BENCH_FLAG, &want_dispatch},
                                           {"--seconds", BENCH_NUMBER, &seconds},
                                           {"--work-us", BENCH_NUMBER, &work_us},
                                           {"--turns-per-us", BENCH_NUMBER, &turns_per_us},
                                           {"--tasks", BENCH_COUNT, &tasks}};
    pp_server *server;

    if (!BENCH_PARSE(argc, argv, options) || want_cpu == want_dispatch || !(seconds > 0) || tasks < 2 ||
        tasks > UINT32_MAX || want_dispatch != (turns_per_us > 0) || work_us * turns_per_us > 4e9) {
        fprintf(stderr,
                "usage: waiting --cpu [--seconds S] | --dispatch --turns-per-us R [--tasks N] [--work-us X]\n");
        return 2;
    }
    server = open_farm(&argc, &argv);
    if (want_cpu)
        cpu(server, seconds);
    else
        dispatch(server, (size_t)tasks, work_us, turns_per_us);
    return close_farm(server);
}
