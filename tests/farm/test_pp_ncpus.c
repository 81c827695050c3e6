/* pp_set_ncpus up and down while tasks run, and statistics that are exact. ranks: 2 4 */
#include "farm/test_futures.h"

#include <inttypes.h>

static int elsewhere; /* workers of the other nodes: they stay */

static int at_open, ranks_here;

static void counts_are_as_set(void)
{
    static const int counts[] = {1, 3, 2, 8, 1, 5, 4, 1, 2};
    pp_future f[400];
    pp_node first;
    int n = 0;
    CHECK(pp_get_active_nodes(server, &first, 1) >= 1);
    at_open = pp_get_ncpus(server);
    ranks_here = first.ranks;
    elsewhere = at_open - first.workers;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        CHECK_INT(pp_set_ncpus(server, counts[i]), PP_OK);
        CHECK_INT(pp_get_ncpus(server), counts[i] + elsewhere);
        for (int k = 0; k < 40; k++, n++) f[n] = submit_job((struct job){.value = n, .seconds = 0.002}, NULL);
    }
    for (int i = 0; i < n; i++) CHECK_INT(fetch_job(f[i], i).attempt, 1);
    CHECK_INT(pp_get_ncpus(server), 2 + elsewhere);
    pp_node nodes[4];
    CHECK(pp_get_active_nodes(server, nodes, 4) >= 1);
    int workers = 0;
    for (int i = 0; i < pp_get_active_nodes(server, nodes, 4) && i < 4; i++) workers += nodes[i].workers;
    CHECK_INT(workers, 2 + elsewhere);
}

/* At no time do two tasks run with the same worker's number, and there are as many at once as there are workers. */
static void numbers_are_unique(void)
{
    static const int counts[] = {3, 1, 6};
    for (int c = 0; c < 3; c++) {
        CHECK_INT(pp_set_ncpus(server, counts[c]), PP_OK);
        int n = counts[c] + elsewhere, used[1200] = {0};
        pp_future f[64];
        long pid[64];
        if (n > 64) return;
        for (int i = 0; i < n; i++) f[i] = submit_job((struct job){.value = i, .seconds = patience(0.4)}, NULL);
        double begun = 0, ended = 1e300;
        for (int i = 0; i < n; i++) {
            struct report r = fetch_job(f[i], i);
            CHECK(r.worker >= 0 && r.worker < 1200 && !used[r.worker]);
            used[r.worker % 1200] = 1;
            pid[i] = r.pid;
            for (int k = 0; k < i; k++) CHECK(pid[k] != r.pid);
            if (r.begun > begun) begun = r.begun;
            if (r.ended < ended) ended = r.ended;
        }
        CHECK(begun < ended); /* all at once */
    }
}

/* All ranks of the node have workers, as many each as any other, give or take one; with fewer workers than ranks some
 * have none, but never rank 0. */
static void the_node_s_ranks_share_them(void)
{
    static const int counts[] = {1, 2, 3, 5, 8, 2, 7, 1, 4};
    if (elsewhere) return;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        int n = counts[c], of_rank[64] = {0}, least = n, most = 0;
        pp_future f[8];
        CHECK_INT(pp_set_ncpus(server, n), PP_OK);
        CHECK_INT(pp_get_ncpus(server), n);
        for (int i = 0; i < n; i++) f[i] = submit_job((struct job){.value = i, .seconds = patience(0.3)}, NULL);
        for (int i = 0; i < n; i++) {
            CHECK_INT(pp_wait(f[i]), PP_OK);
            pp_task_info info = info_of(f[i]);
            CHECK(info.rank >= 0 && info.rank < ranks_here);
            of_rank[info.rank % 64]++;
            fetch_job(f[i], i);
        }
        for (int i = 0; i < ranks_here; i++) {
            if (of_rank[i] < least) least = of_rank[i];
            if (of_rank[i] > most) most = of_rank[i];
        }
        CHECK(most - least <= 1);
        CHECK(of_rank[0] >= 1);
    }
    CHECK_INT(pp_set_ncpus(server, PP_AUTODETECT), PP_OK);
    CHECK_INT(pp_get_ncpus(server), at_open);
}

struct large {
    long value;
    char more[300000];
};

static void sum_large(pp_task *task)
{
    const struct large *l = pp_task_args(task, NULL);
    long *sum = pp_task_result(task, sizeof *sum);
    *sum = l->value;
    for (size_t i = 0; i < sizeof l->more; i++) *sum += l->more[i];
}

/* Arguments that are on their way to a rank when it loses its workers. */
static void large_arguments_for_one_that_goes_are_used_elsewhere(void)
{
    static struct large l;
    memset(l.more, 1, sizeof l.more);
    for (int round = 0; round < 10; round++) {
        enum { N = 24 };
        pp_future f[N];
        CHECK_INT(pp_set_ncpus(server, 8), PP_OK);
        for (int i = 0; i < N; i++) {
            l.value = i;
            f[i] = pp_submit(server, sum_large, &l, sizeof l);
            if (i == N / 2) CHECK_INT(pp_set_ncpus(server, 1 + round % 2), PP_OK);
        }
        for (int i = 0; i < N; i++) {
            long sum = 0;
            CHECK_INT(pp_fetch(f[i], &sum, sizeof sum), PP_OK);
            CHECK_INT(sum, (long)sizeof l.more + i);
        }
    }
}

/* Taken away and wanted again before the running task has ended: in the end they are all there, and all work. */
static void down_and_up_while_all_are_busy(void)
{
    pp_future f[64];
    CHECK_INT(pp_set_ncpus(server, 4), PP_OK);
    int n = 4 + elsewhere;
    if (n > 60) return;
    for (int i = 0; i < n; i++) f[i] = submit_job((struct job){.value = i, .seconds = 0.1}, NULL);
    pause_for(0.05);
    CHECK_INT(pp_set_ncpus(server, 1), PP_OK);
    CHECK_INT(pp_get_ncpus(server), 1 + elsewhere);
    CHECK_INT(pp_set_ncpus(server, 4), PP_OK);
    for (int i = 0; i < n; i++) CHECK_INT(fetch_job(f[i], i).attempt, 1);
    pause_for(0.1);
    CHECK_INT(pp_get_ncpus(server), n);
    double begun = 0, ended = 1e300;
    for (int i = 0; i < n; i++) f[i] = submit_job((struct job){.value = i, .seconds = patience(0.4)}, NULL);
    for (int i = 0; i < n; i++) {
        struct report r = fetch_job(f[i], i);
        if (r.begun > begun) begun = r.begun;
        if (r.ended < ended) ended = r.ended;
    }
    CHECK(begun < ended);
}

static void what_waits_for_one_that_goes_runs_elsewhere(void)
{
    for (int round = 0; round < 20; round++) {
        enum { N = 40 };
        pp_future f[N];
        CHECK_INT(pp_set_ncpus(server, 4), PP_OK);
        for (int i = 0; i < N; i++) f[i] = submit_job((struct job){.value = i, .seconds = i % 10 == 0 ? 0.02 : 0}, NULL);
        if (round % 2) pause_for(0.003);
        CHECK_INT(pp_set_ncpus(server, 1), PP_OK);
        if (round % 3 == 0) CHECK_INT(pp_cancel(f[30]) >= 0, 1);
        for (int i = 0; i < N; i++) {
            if (i == 30 && round % 3 == 0)
                CHECK(pp_wait(f[i]) == PP_OK && pp_release(f[i]) == PP_OK);
            else
                CHECK_INT(fetch_job(f[i], i).attempt, 1);
        }
    }
}

static void wrong_numbers_change_nothing(void)
{
    int before = pp_get_ncpus(server);
    CHECK_INT(pp_set_ncpus(server, -1), PP_ERR_ARG);
    CHECK_INT(pp_set_ncpus(server, 1025), PP_ERR_ARG);
    CHECK_INT(pp_set_ncpus(NULL, 1), PP_ERR_ARG);
    CHECK_INT(pp_get_ncpus(server), before);
    CHECK_INT(pp_set_ncpus(server, PP_AUTODETECT), PP_OK);
    CHECK(pp_get_ncpus(server) >= 1 + elsewhere);
    check_farm_works();
}

/* Rows of the table: jobs and their time. */
static uint64_t jobs_in_table(double *seconds)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    CHECK_INT(pp_print_stats(server, stream), PP_OK);
    fclose(stream);
    uint64_t jobs = 0;
    *seconds = 0;
    const char *row = strchr(text, '\n');
    for (row = row ? strchr(row + 1, '\n') : NULL; row; row = strchr(row + 1, '\n')) {
        uint64_t n;
        double share, sum, each;
        if (sscanf(row, " %" SCNu64 " | %lf | %lf | %lf |", &n, &share, &sum, &each) != 4) break;
        jobs += n;
        *seconds += sum;
    }
    free(text);
    return jobs;
}

/* Every try that ran is a job, what was cancelled in the queue is none; times are at least what the tasks slept. */
static void statistics_are_exact(void)
{
    enum { N = 90 };
    pp_future f[N], busy[64];
    double before_s, after_s;
    pp_stats a = stats_now();
    uint64_t before = jobs_in_table(&before_s);
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.retries = 2;
    int n = occupy(busy, 64, 0.05);
    for (int i = 0; i < N; i++)
        f[i] = submit_job((struct job){.value = i, .seconds = 0.004, .how = i % 9 == 1 ? FAILS : i % 9 == 2 ? ABORTS : FINE,
                                       .until = i % 18 == 2 ? 2 : 0}, &o);
    int cancelled = 0;
    for (int i = N - 1; i > N / 2; i -= 9) cancelled += pp_cancel(f[i]) == PP_OK; /* these are fine ones */
    CHECK_INT(cancelled, 5);
    CHECK_INT(pp_wait_all(f, N, -1), PP_OK);
    CHECK_INT(pp_wait_all(busy, (size_t)n, -1), PP_OK);
    pp_stats b = stats_now();
    int failed = 10 + 5, retried = 5 + 5 * 2, done = N - failed - cancelled;
    CHECK_INT(b.submitted - a.submitted, N + n);
    CHECK_INT(b.done - a.done, done + n);
    CHECK_INT(b.failed - a.failed, failed);
    CHECK_INT(b.cancelled - a.cancelled, cancelled);
    CHECK_INT(b.retried - a.retried, retried);
    CHECK_INT(b.running + b.queued, 0);
    CHECK_INT(b.bytes_in - a.bytes_in, (N + n) * (long)sizeof(struct job));
    CHECK_INT(b.bytes_out - a.bytes_out, (done + n) * (long)sizeof(struct report));
    double slept = 0.05 * n + 0.004 * (done + failed + retried);
    CHECK(b.task_time - a.task_time >= slept);
    CHECK_INT(jobs_in_table(&after_s) - before, done + failed + retried + n);
    CHECK(after_s - before_s >= slept - 0.001 && after_s - b.task_time < 0.001);
    for (int i = 0; i < N; i++) CHECK_INT(pp_release(f[i]), PP_OK);
    fetch_pauses(busy, n);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(statistics_are_exact),
        TEST(counts_are_as_set),
        TEST(numbers_are_unique),
        TEST(the_node_s_ranks_share_them),
        TEST(large_arguments_for_one_that_goes_are_used_elsewhere),
        TEST(down_and_up_while_all_are_busy),
        TEST(what_waits_for_one_that_goes_runs_elsewhere),
        TEST(wrong_numbers_change_nothing),
        TEST(statistics_are_exact),
    };
    open_or_exit(&argc, &argv, NULL);
    return RUN_TESTS(tests);
}
