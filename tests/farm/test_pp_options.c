/* Options of the server and of a submission that need a server of their own: priorities, restart, queue_limit,
 * cores_per_worker. Plain, as a server is opened for each. */
#include "farm/test_futures.h"

#include <sched.h>

static pp_options options = PP_OPTIONS_INIT;

static void open_with(int workers)
{
    options.workers = workers;
    open_or_exit(NULL, NULL, &options);
}

static void close_again(void)
{
    CHECK_INT(pp_server_close(server), PP_OK);
    server = NULL;
    options = (pp_options)PP_OPTIONS_INIT;
}

/* ---- priorities: with one worker the order of the starts tells */

static void higher_priorities_start_first(void)
{
    enum { N = 120, AHEAD = 2 };
    pp_future f[N], first[AHEAD];
    int priority[N];
    double begun[N];
    unsigned state = 4711;
    open_with(1);
    /* These are handed out; they are long, so that no more is. */
    for (int i = 0; i < AHEAD; i++) first[i] = submit_pause(0.15);
    for (int i = 0; i < N; i++) {
        pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
        static const int some[] = {-1000000, -3, 0, 1, 2, 2000000000};
        o.priority = priority[i] = some[random_number(&state) % 6];
        f[i] = submit_job((struct job){.value = i}, &o);
    }
    for (int i = 0; i < N; i++) CHECK_INT(info_of(f[i]).state, PP_QUEUED);
    fetch_pauses(first, AHEAD);
    for (int i = 0; i < N; i++) begun[i] = fetch_job(f[i], i).begun;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            int before = priority[i] > priority[k] || (priority[i] == priority[k] && i < k);
            if (before && begun[i] >= begun[k]) {
                fprintf(stderr, "%d (%d) began after %d (%d)\n", i, priority[i], k, priority[k]);
                failures++;
            }
        }
    close_again();
}

/* What has been handed out stays ahead, and what comes later with a higher priority goes before the queue. */
static void what_is_handed_out_stays_ahead(void)
{
    enum { N = 10 };
    pp_future low[N], high;
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    double begun[N], at;
    open_with(1);
    for (int i = 0; i < N; i++) low[i] = submit_job((struct job){.value = i, .seconds = 0.03}, NULL);
    pause_for(0.01);
    o.priority = 5;
    high = submit_job((struct job){.value = 99}, &o);
    at = fetch_job(high, 99).begun;
    int before = 0;
    for (int i = 0; i < N; i++) {
        begun[i] = fetch_job(low[i], i).begun;
        before += begun[i] < at;
    }
    CHECK(before >= 1 && before <= 4); /* the running one, and those that wait in the worker */
    close_again();
}

static void a_cancelled_one_does_not_disturb_the_order(void)
{
    enum { N = 60 };
    pp_future f[N], first[2];
    open_with(1);
    for (int i = 0; i < 2; i++) first[i] = submit_pause(0.1);
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    for (int i = 0; i < N; i++) {
        o.priority = i % 3;
        f[i] = submit_job((struct job){.value = i}, &o);
    }
    for (int i = 0; i < N; i += 2) CHECK_INT(pp_cancel(f[i]), PP_OK);
    fetch_pauses(first, 2);
    double last = 0;
    for (int p = 2; p >= 0; p--)
        for (int i = p; i < N; i += 3) {
            if (i % 2 == 0) {
                CHECK_INT(pp_fetch(f[i], NULL, 0), PP_ERR_CANCELLED);
                continue;
            }
            double begun = fetch_job(f[i], i).begun;
            CHECK(begun > last);
            last = begun;
        }
    close_again();
}

/* ---- restart */

static void restart_gives_a_fresh_process(void)
{
    for (int per_process = 1; per_process <= 3; per_process++)
        for (int workers = 1; workers <= 2; workers++) {
            enum { N = 60 };
            pp_future f[N];
            long pid[N];
            options.restart = per_process;
            open_with(workers);
            for (int i = 0; i < N; i++) f[i] = submit_value(i);
            for (int i = 0; i < N; i++) {
                struct report r = fetch_job(f[i], i);
                pid[i] = r.pid;
                CHECK(r.worker >= 0 && r.worker < workers);
                CHECK_INT(r.attempt, 1);
            }
            for (int i = 0; i < N; i++) {
                int same = 0;
                for (int k = 0; k < N; k++) same += pid[k] == pid[i];
                CHECK(same <= per_process);
            }
            CHECK_INT(pp_get_ncpus(server), workers);
            CHECK_INT(stats_now().retried, 0);
            close_again();
        }
}

/* ---- queue_limit */

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

static void a_queue_limit_keeps_a_producer_in_constant_memory(void)
{
    enum { N = 200000, LIMIT = 1000 };
    char args[400] = "";
    options.queue_limit = LIMIT;
    open_with(2);
    long before = 0, most = 0;
    for (int i = 0; i < N; i++) {
        struct job j = {.value = i % 100};
        memcpy(args, &j, sizeof j);
        pp_future f = pp_submit(server, do_job, args, sizeof args);
        CHECK(f.id != 0);
        CHECK_INT(pp_release(f), PP_OK);
        if (i == 20000) before = resident_kib();
        if (i % 5000 == 0) {
            pp_stats s = stats_now();
            CHECK(s.running + s.queued <= LIMIT);
            if (i > 20000 && resident_kib() > most) most = resident_kib();
        }
    }
    const char *sanitizers = getenv("TEST_SANITIZE");
    if (!sanitizers || !*sanitizers) CHECK(most - before < 1024);
    CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK);
    CHECK_INT(stats_now().done, N);
    close_again();
}

static void *produce(void *arg)
{
    for (int i = 0; i < 3000; i++) {
        pp_future f = submit_value(i % 10);
        if (i % 2) fetch_job(f, i % 10);
        else CHECK_INT(pp_release(f), PP_OK);
    }
    return arg;
}

static void submit_more(pp_future f, void *arg)
{
    (void)f;
    for (int i = 0; i < 30; i++) CHECK_INT(pp_release(submit_value(i)), PP_OK); /* more than the limit: it waits, and is not stuck */
    ++*(int *)arg;
}

static void a_queue_limit_of_one(void)
{
    pthread_t thread[4];
    options.queue_limit = 1;
    open_with(2);
    for (int i = 0; i < 4; i++) pthread_create(&thread[i], NULL, produce, NULL);
    for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
    int n = 0;
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.callback = submit_more;
    o.callback_arg = &n;
    for (int i = 0; i < 5; i++) CHECK_INT(pp_release(submit_job((struct job){.value = i}, &o)), PP_OK);
    CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK);
    CHECK_INT(n, 5);
    CHECK_INT(stats_now().done, 4 * 3000 + 5 * 31);
    close_again();
}

/* ---- cores_per_worker */

struct cores {
    char omp[32];
    int allowed;
    cpu_set_t set;
};

static void look_at_cores(pp_task *task)
{
    struct cores *c = pp_task_result(task, sizeof *c);
    const char *omp = getenv("OMP_NUM_THREADS");
    memset(c, 0, sizeof *c);
    snprintf(c->omp, sizeof c->omp, "%s", omp ? omp : "unset");
    sched_getaffinity(0, sizeof c->set, &c->set);
    c->allowed = CPU_COUNT(&c->set);
    pause_for(0.005);
}

static void cores_per_worker_binds_and_sets_openmp(void)
{
    cpu_set_t mine;
    sched_getaffinity(0, sizeof mine, &mine);
    int cores = CPU_COUNT(&mine);
    const char *given = getenv("OMP_NUM_THREADS");
    for (int wanted = 1; wanted <= 2 && wanted <= cores; wanted++) {
        pp_future f[20];
        options.cores_per_worker = wanted;
        open_with(PP_AUTODETECT);
        int workers = pp_get_ncpus(server);
        CHECK(workers >= 1 && workers * wanted <= cores);
        cpu_set_t of_worker[64];
        int seen[64] = {0};
        for (int i = 0; i < 20; i++) f[i] = pp_submit(server, look_at_cores, NULL, 0);
        for (int i = 0; i < 20; i++) {
            struct cores c;
            CHECK_INT(pp_wait(f[i]), PP_OK);
            int worker = info_of(f[i]).worker & 63;
            CHECK_INT(pp_fetch(f[i], &c, sizeof c), PP_OK);
            if (!given) CHECK_INT(atoi(c.omp), wanted);
            CHECK(c.allowed >= wanted); /* the hardware threads of its cores */
            if (seen[worker]) CHECK(CPU_EQUAL(&of_worker[worker], &c.set));
            seen[worker] = 1;
            of_worker[worker] = c.set;
        }
        for (int i = 0; i < 64; i++)
            for (int k = 0; k < i; k++) {
                cpu_set_t both;
                if (!seen[i] || !seen[k]) continue;
                CPU_AND(&both, &of_worker[i], &of_worker[k]);
                CHECK_INT(CPU_COUNT(&both), 0);
            }
        close_again();
    }
}

static void the_users_openmp_setting_stays(void)
{
    const char *given = getenv("OMP_NUM_THREADS");
    if (given) return;
    setenv("OMP_NUM_THREADS", "7", 1);
    open_with(1);
    struct cores c;
    CHECK_INT(pp_fetch(pp_submit(server, look_at_cores, NULL, 0), &c, sizeof c), PP_OK);
    CHECK_INT(atoi(c.omp), 7);
    unsetenv("OMP_NUM_THREADS");
    close_again();
}

int main(void)
{
    static const struct test tests[] = {
        TEST(higher_priorities_start_first),
        TEST(what_is_handed_out_stays_ahead),
        TEST(a_cancelled_one_does_not_disturb_the_order),
        TEST(restart_gives_a_fresh_process),
        TEST(a_queue_limit_keeps_a_producer_in_constant_memory),
        TEST(a_queue_limit_of_one),
        TEST(cores_per_worker_binds_and_sets_openmp),
        TEST(the_users_openmp_setting_stays),
    };
    return RUN_TESTS(tests);
}
