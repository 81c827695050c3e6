/* What the library costs, measured through its public functions: tasks of 8 bytes each way, as in manager_worker.c.
 *
 *     farm --tasks N [--work-us X]   submit N, then fetch all: tasks per second; with work, also the efficiency
 *     farm --latency [--tasks N]     one at a time, submit to result: median and 99th percentile
 *     farm --memory [--tasks N]      resident memory of this process per queued task
 *     farm --scaling                 nanoseconds per task for 1,000 to 1,000,000 of them
 *     farm --idle                    CPU time of all processes of the farm while the program waits 2 s for one task
 *     farm --echo --bytes N [--tasks N]
 *                                    so many bytes there and back, one at a time; under a launcher to another rank
 *     farm --open-close              nothing; the whole process is timed from outside
 *
 * Prints one line of key=value per measurement.
 */
#include <dirent.h>
#include <ppmpi.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define IDLE_SECONDS 2.0

static void die(const char *what)
{
    fprintf(stderr, "farm: %s: %s\n", what, pp_last_error());
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void sleep_s(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};

    nanosleep(&t, NULL);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ---- Tasks ---- */

struct work {
    uint64_t value;
    double us;
};

static void reply(pp_task *task, uint64_t value)
{
    uint64_t *result = pp_task_result(task, sizeof *result);

    if (result)
        *result = value + 1;
}

static void null_task(pp_task *task)
{
    reply(task, *(const uint64_t *)pp_task_args(task, NULL));
}

/* Busy for some time, by the same clock as the baseline. */
static void busy_task(pp_task *task)
{
    const struct work *work = pp_task_args(task, NULL);
    double end = now_s() + 1e-6 * work->us;

    while (now_s() < end)
        ;
    reply(task, work->value);
}

static void sleep_task(pp_task *task)
{
    sleep_s(*(const double *)pp_task_args(task, NULL));
}

/* Holds its worker until the file whose name it gets is gone, for a minute at most. */
static void blocker(pp_task *task)
{
    const char *path = pp_task_args(task, NULL);

    for (int i = 0; i < 12000 && access(path, F_OK) == 0; i++)
        sleep_s(0.005);
}

static void echo_task(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    void *result = pp_task_result(task, bytes);

    if (result)
        memcpy(result, args, bytes);
}

/* ---- Measures ---- */

/* Submits all, then fetches all, and checks the results; work_us = 0: null tasks. Returns the seconds it took. */
static double run_all(pp_server *server, size_t tasks, double work_us, pp_future *futures)
{
    double start = now_s();
    uint64_t sum = 0;

    for (size_t i = 0; i < tasks; i++) {
        struct work work = {i, work_us};

        futures[i] = work_us > 0 ? pp_submit(server, busy_task, &work, sizeof work)
                                 : pp_submit(server, null_task, &work.value, sizeof work.value);
        if (futures[i].id == 0)
            die("pp_submit");
    }
    for (size_t i = 0; i < tasks; i++) {
        uint64_t value;

        if (pp_fetch(futures[i], &value, sizeof value) != PP_OK)
            die("pp_fetch");
        sum += value;
    }
    if (sum != (uint64_t)tasks * (tasks + 1) / 2) {
        fprintf(stderr, "farm: wrong results\n");
        exit(1);
    }
    return now_s() - start;
}

static pp_future *new_futures(size_t n)
{
    pp_future *futures = calloc(n, sizeof *futures);

    if (!futures) {
        fprintf(stderr, "farm: out of memory\n");
        exit(1);
    }
    memset(futures, 1, n * sizeof *futures); /* touched, so that its pages count neither as time nor as growth */
    return futures;
}

static void warm_up(pp_server *server)
{
    pp_future *futures = new_futures(2000);

    run_all(server, 2000, 0.0, futures);
    free(futures);
}

static void throughput(pp_server *server, size_t tasks, double work_us)
{
    pp_future *futures = new_futures(tasks);
    int workers = pp_get_ncpus(server);
    double seconds;

    warm_up(server);
    seconds = run_all(server, tasks, work_us, futures);
    printf("program=farm measure=throughput workers=%d tasks=%zu work_us=%g seconds=%.6f tasks_per_s=%.0f "
           "efficiency=%.4f\n",
           workers, tasks, work_us, seconds, (double)tasks / seconds,
           1e-6 * work_us * (double)tasks / (seconds * workers));
    free(futures);
}

static void latency(pp_server *server, size_t tasks)
{
    double *us = calloc(tasks, sizeof *us);
    pp_future f;

    if (!us)
        die("latency");
    warm_up(server);
    for (size_t i = 0; i < tasks; i++) {
        double start = now_s();

        run_all(server, 1, 0.0, &f);
        us[i] = 1e6 * (now_s() - start);
    }
    qsort(us, tasks, sizeof *us, by_size);
    printf("program=farm measure=latency workers=%d tasks=%zu median_us=%.3f p99_us=%.3f\n", pp_get_ncpus(server),
           tasks, us[tasks / 2], us[tasks * 99 / 100]);
    free(us);
}

static double resident_bytes(void)
{
    FILE *in = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;

    while (in && fgets(line, sizeof line, in))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (in)
        fclose(in);
    return 1024 * kib;
}

/* A file that blockers look for. */
static void make_hold(char *path)
{
    int file = mkstemp(path);

    if (file < 0) {
        perror("farm: mkstemp");
        exit(1);
    }
    close(file);
}

/* submit copies, the task copies, pp_result lends: two copies, and between ranks two transfers. */
static void echo(pp_server *server, size_t bytes, size_t tasks)
{
    enum { WARM_UP = 3 };
    char path[] = "/tmp/ppmpi-bench-XXXXXX", *data = malloc(bytes);
    double *us = calloc(tasks, sizeof *us);
    int workers = pp_get_ncpus(server), rank = 0;
    pp_future *held = new_futures((size_t)workers);
    pp_task_info info = {.size = sizeof info};
    pp_node node;

    if (!data || !us)
        die("echo");
    memset(data, 1, bytes);
    warm_up(server);
    pp_get_active_nodes(server, &node, 1);
    if (node.ranks == 1)
        workers = 0; /* none is held */
    make_hold(path);
    for (int w = 0; w < workers; w++)
        held[w] = pp_submit(server, blocker, path, sizeof path);
    sleep_s(0.2); /* they run now; those of rank 0 stay, so that the echo comes from another */
    for (int w = 0; w < workers; w++)
        if (pp_info(held[w], &info) == PP_OK && info.rank != 0)
            pp_cancel(held[w]);
    for (size_t i = 0; i < WARM_UP + tasks; i++) {
        double start = now_s();
        pp_future f = pp_submit(server, echo_task, data, bytes);
        const void *result;
        size_t got;

        if (pp_result(f, &result, &got) != PP_OK)
            die("pp_result");
        if (i >= WARM_UP)
            us[i - WARM_UP] = 1e6 * (now_s() - start);
        if (got != bytes || ((const char *)result)[bytes - 1] != 1)
            die("wrong data");
        pp_info(f, &info);
        rank = info.rank;
        pp_release(f);
    }
    unlink(path);
    for (int w = 0; w < workers; w++)
        pp_wait(held[w]);
    free(held);
    qsort(us, tasks, sizeof *us, by_size);
    printf("program=farm measure=echo bytes=%zu tasks=%zu rank=%d median_us=%.3f p90_us=%.3f gb_per_s=%.3f\n", bytes, tasks,
           rank, us[tasks / 2], us[tasks * 9 / 10], 1e-3 * (double)bytes / us[tasks / 2]);
    free(data);
    free(us);
}

/* Blockers hold every worker, so that all that is submitted behind them stays queued. */
static void memory(pp_server *server, size_t tasks)
{
    pp_future *futures = new_futures(tasks), *held = new_futures((size_t)pp_get_ncpus(server));
    char path[] = "/tmp/ppmpi-bench-XXXXXX";
    pp_stats stats = {.size = sizeof stats};
    int workers = pp_get_ncpus(server);
    double before, after;

    make_hold(path);
    warm_up(server);
    for (int w = 0; w < workers; w++)
        held[w] = pp_submit(server, blocker, path, sizeof path);
    sleep_s(0.2); /* they run now */
    before = resident_bytes();
    for (uint64_t i = 0; i < tasks; i++)
        futures[i] = pp_submit(server, null_task, &i, sizeof i);
    after = resident_bytes();
    pp_get_stats(server, &stats); /* running = workers, or the figure means nothing */
    unlink(path);
    for (int w = 0; w < workers; w++)
        if (pp_fetch(held[w], NULL, 0) != PP_OK)
            die("blocker");
    for (size_t i = 0; i < tasks; i++) {
        uint64_t value;

        if (pp_fetch(futures[i], &value, sizeof value) != PP_OK || value != i + 1)
            die("pp_fetch");
    }
    printf("program=farm measure=memory workers=%d held=%d tasks=%zu before_bytes=%.0f after_bytes=%.0f "
           "bytes_per_task=%.1f\n",
           workers, (int)stats.running, tasks, before, after, (after - before) / (double)tasks);
    free(futures);
    free(held);
}

static void scaling(pp_server *server)
{
    enum { MOST = 1000000, REPEATS = 9 };
    pp_future *futures = new_futures(MOST);

    warm_up(server);
    for (size_t tasks = 1000; tasks <= MOST; tasks *= 10) {
        int repeats = tasks < MOST ? REPEATS : 3;
        double ns[REPEATS];

        for (int i = 0; i < repeats; i++)
            ns[i] = 1e9 * run_all(server, tasks, 0.0, futures) / (double)tasks;
        qsort(ns, (size_t)repeats, sizeof *ns, by_size);
        printf("program=farm measure=scaling workers=%d tasks=%zu ns_per_task=%.1f\n", pp_get_ncpus(server), tasks,
               ns[repeats / 2]);
        fflush(stdout);
    }
    free(futures);
}

/* CPU seconds of the other processes that run this executable in this session: the fork servers and workers, and under
 * a launcher the other ranks of this node with theirs. By executable, as some are no children of ours. */
static double others_cpu_s(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    struct stat mine, its;
    unsigned long long ticks = 0;

    if (!proc || stat("/proc/self/exe", &mine) != 0)
        die("/proc");
    while ((entry = readdir(proc))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        unsigned long long user, system;
        char path[64], line[1024];
        FILE *in;

        snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
        if (pid <= 0 || pid == getpid() || getsid(pid) != getsid(0) || stat(path, &its) != 0 ||
            its.st_ino != mine.st_ino || its.st_dev != mine.st_dev)
            continue;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        in = fopen(path, "r");
        if (in && fgets(line, sizeof line, in) && strrchr(line, ')') &&
            sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
                   &system) == 2)
            ticks += user + system;
        if (in)
            fclose(in);
    }
    closedir(proc);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static double own_cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void idle(pp_server *server)
{
    double seconds = IDLE_SECONDS, own, others;
    pp_future f;

    warm_up(server);
    sleep_s(0.2);
    others = others_cpu_s();
    own = own_cpu_s();
    f = pp_submit(server, sleep_task, &seconds, sizeof seconds);
    if (pp_fetch(f, NULL, 0) != PP_OK)
        die("pp_fetch");
    own = own_cpu_s() - own;
    others = others_cpu_s() - others;
    printf("program=farm measure=idle workers=%d wait_s=%g own_cpu_s=%.4f others_cpu_s=%.2f cpu_s=%.4f\n",
           pp_get_ncpus(server), seconds, own, others, own + others);
}

static int wrong_use(void)
{
    fprintf(stderr,
            "usage: farm [--tasks N] [--work-us X] [--bytes N] "
            "[--latency | --memory | --scaling | --idle | --echo | --open-close]\n");
    return 2;
}

static int run(pp_server *server, int argc, char **argv)
{
    const char *measure = "--throughput";
    double work_us = 0.0;
    long tasks = 100000, bytes = 1 << 20;

    for (int i = 1; i < argc; i++) {
        char none[] = "", *end = none;

        if (strcmp(argv[i], "--tasks") == 0 && i + 1 < argc)
            tasks = strtol(argv[++i], &end, 10);
        else if (strcmp(argv[i], "--work-us") == 0 && i + 1 < argc)
            work_us = strtod(argv[++i], &end);
        else if (strcmp(argv[i], "--bytes") == 0 && i + 1 < argc)
            bytes = strtol(argv[++i], &end, 10);
        else
            measure = argv[i];
        if (*end != '\0' || tasks < 1 || bytes < 1 || !(work_us >= 0))
            return wrong_use();
    }
    if (strcmp(measure, "--throughput") == 0)
        throughput(server, (size_t)tasks, work_us);
    else if (strcmp(measure, "--latency") == 0)
        latency(server, (size_t)tasks);
    else if (strcmp(measure, "--memory") == 0)
        memory(server, (size_t)tasks);
    else if (strcmp(measure, "--scaling") == 0)
        scaling(server);
    else if (strcmp(measure, "--idle") == 0)
        idle(server);
    else if (strcmp(measure, "--echo") == 0)
        echo(server, (size_t)bytes, (size_t)tasks);
    else if (strcmp(measure, "--open-close") == 0)
        printf("program=farm measure=open-close workers=%d\n", pp_get_ncpus(server));
    else
        return wrong_use();
    return 0;
}

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    int status;

    if (!server)
        die("pp_server_open");
    status = run(server, argc, argv);
    return pp_server_close(server) == PP_OK ? status : 1;
}
