/* Statistics add up. ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

struct what {
    int fails, crashes;
    double seconds;
    size_t bytes;
};

static void work(pp_task *task)
{
    const struct what *what = pp_task_args(task, NULL);
    pause_for(what->seconds);
    pp_task_result(task, what->bytes);
    if (what->fails) pp_task_fail(task, 1, "as told");
    if (what->crashes >= pp_task_attempt(task)) abort();
}

static pp_future submit(struct what what, int retries)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    options.retries = retries;
    return pp_submit_with(server, work, &what, sizeof what, &options);
}

static void every_count_is_what_happened(void)
{
    pp_stats before = {.size = sizeof before}, s = {.size = sizeof s};
    CHECK_INT(pp_get_stats(server, &before), PP_OK);
    CHECK_INT(before.submitted, 0);
    pp_future f[40];
    int n = 0;
    for (int i = 0; i < 20; i++) f[n++] = submit((struct what){.bytes = 1000, .seconds = 0.005}, 0);
    for (int i = 0; i < 10; i++) f[n++] = submit((struct what){.fails = 1, .bytes = 500}, 0);
    for (int i = 0; i < 5; i++) f[n++] = submit((struct what){.crashes = 10}, 0);
    for (int i = 0; i < 5; i++) f[n++] = submit((struct what){.crashes = 2, .bytes = 10}, 3);
    CHECK_INT(pp_wait_all(f, (size_t)n, -1), PP_OK);
    CHECK_INT(pp_get_stats(server, &s), PP_OK);
    CHECK_INT(s.submitted, 40);
    CHECK_INT(s.done, 25);
    CHECK_INT(s.failed, 15);
    CHECK_INT(s.cancelled, 0);
    CHECK_INT(s.retried, 10);
    CHECK_INT(s.running, 0);
    CHECK_INT(s.queued, 0);
    CHECK_INT(s.bytes_in, 40 * sizeof(struct what));
    CHECK_INT(s.bytes_out, 20 * 1000 + 5 * 10);
    CHECK(s.task_time >= 0.1 && s.task_time < s.wall_time * pp_get_ncpus(server) + 0.001);
    CHECK(s.wall_time > 0 && s.busy > 0 && s.busy <= 1);
    for (int i = 0; i < n; i++) CHECK_INT(pp_release(f[i]), PP_OK);
}

static void what_is_under_way_is_counted(void)
{
    pp_stats s = {.size = sizeof s};
    int ncpus = pp_get_ncpus(server), n = 2 * ncpus + 1;
    pp_future f[256];
    if (n > 256) return;
    for (int i = 0; i < n; i++) f[i] = submit((struct what){.seconds = 0.8}, 0);
    pause_for(0.2);
    CHECK_INT(pp_get_stats(server, &s), PP_OK);
    CHECK_INT(s.running, ncpus);
    CHECK_INT(s.queued, n - ncpus);
    CHECK_INT(pp_wait_all(f, (size_t)n, -1), PP_OK);
    CHECK_INT(pp_get_stats(server, &s), PP_OK);
    CHECK_INT(s.running + s.queued, 0);
    for (int i = 0; i < n; i++) CHECK_INT(pp_release(f[i]), PP_OK);
}

static _Atomic int stop;

static void *look(void *arg)
{
    uint64_t *looks = arg;
    while (!atomic_load(&stop)) {
        pp_stats s = {.size = sizeof s};
        CHECK_INT(pp_get_stats(server, &s), PP_OK);
        CHECK_INT(s.done + s.failed + s.cancelled + s.running + s.queued, s.submitted);
        CHECK(s.busy >= 0 && s.busy <= 1);
        (*looks)++;
        sched_yield();
    }
    return NULL;
}

static void each_snapshot_is_consistent(void)
{
    pthread_t thread;
    uint64_t looks = 0;
    atomic_store(&stop, 0);
    pthread_create(&thread, NULL, look, &looks);
    for (int round = 0; round < 200; round++) {
        pp_future f[50];
        for (int i = 0; i < 50; i++) f[i] = submit((struct what){.fails = i % 7 == 0, .bytes = 100}, 0);
        CHECK_INT(pp_wait_all(f, 50, -1), PP_OK);
        for (int i = 0; i < 50; i++) CHECK_INT(pp_release(f[i]), PP_OK);
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    CHECK(looks > 0);
}

/* pp's columns; the rows add up to the totals. */
static void the_table_says_the_same(void)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    pp_stats s = {.size = sizeof s};
    CHECK_INT(pp_get_stats(server, &s), PP_OK);
    CHECK_INT(pp_print_stats(server, stream), PP_OK);
    fclose(stream);
    CHECK_TEXT(text, "job count | % of all jobs | job time sum | time per job | job server\n");
    char host[256] = "", line[64];
    gethostname(host, sizeof host - 1);
    CHECK_TEXT(text, host);
    snprintf(line, sizeof line, "%" PRIu64 " submitted, %" PRIu64 " done, ", s.submitted, s.done);
    CHECK_TEXT(text, line);
    uint64_t jobs = 0;
    double share = 0, sum = 0;
    const char *row = strstr(text, "job server\n");
    for (row = row ? row + strlen("job server\n") : NULL; row; row = strchr(row, '\n') + 1) {
        uint64_t n;
        double a, b, c;
        char name[256];
        if (sscanf(row, "%" SCNu64 " | %lf | %lf | %lf | %255s", &n, &a, &b, &c, name) != 5) break;
        jobs += n;
        share += a;
        sum += b;
    }
    CHECK_INT(jobs, s.done + s.failed + s.retried); /* every try is a job of the server that ran it */
    CHECK(share > 99.9 && share < 100.1);
    CHECK(sum > s.task_time - 0.01 && sum < s.task_time + 0.01);
    free(text);
}

static void nodes_are_told(void)
{
    pp_node nodes[4];
    memset(nodes, 0x55, sizeof nodes);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    CHECK_INT(pp_get_active_nodes(server, NULL, 0), 1);
    CHECK_INT(pp_get_active_nodes(server, nodes, 4), 1);
    CHECK_INT(strcmp(nodes[0].host, host), 0);
    CHECK_INT(nodes[0].first_rank, 0);
    CHECK(nodes[0].ranks >= 1 && nodes[0].cores >= 1);
    CHECK_INT(nodes[0].workers, pp_get_ncpus(server));
    CHECK_INT(nodes[1].ranks, 0x55555555);
}

static void a_stream_that_cannot_be_written_is_an_error(void)
{
    FILE *full = fopen("/dev/full", "w");
    if (!full) return;
    CHECK_INT(pp_print_stats(server, full), PP_ERR_SYSTEM);
    fclose(full);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(every_count_is_what_happened),
        TEST(what_is_under_way_is_counted),
        TEST(each_snapshot_is_consistent),
        TEST(the_table_says_the_same),
        TEST(nodes_are_told),
        TEST(a_stream_that_cannot_be_written_is_an_error),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
