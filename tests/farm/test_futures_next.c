/* pp_next, as as_completed of Python's futures, and groups, as Parallel Python's wait. ranks: 2 4 */
#include "farm/test_futures.h"

static const pp_submit_options defaults = PP_SUBMIT_OPTIONS_INIT;

static pp_future submit_in(const char *group, struct job j)
{
    pp_submit_options o = defaults;
    o.group = group;
    return submit_job(j, &o);
}

static void nothing_is_outstanding(void)
{
    pp_future f = {42};
    static const double times[] = {-1, 0, 1};
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pp_next(server, NULL, times[i], &f), PP_END);
        CHECK_INT(pp_next(server, "default", times[i], &f), PP_END);
        CHECK_INT(pp_next(server, "unknown", times[i], &f), PP_END);
        CHECK_INT(pp_wait_group(server, NULL, times[i]), PP_OK);
        CHECK_INT(pp_wait_group(server, "default", times[i]), PP_OK);
        CHECK_INT(pp_wait_group(server, "unknown", times[i]), PP_OK);
    }
    CHECK_INT(f.id, 42);
}

static void each_is_delivered_once(void)
{
    enum { N = 300 };
    pp_future f[N], g;
    int seen[N] = {0}, count = 0, status;
    for (int i = 0; i < N; i++)
        f[i] = submit_job((struct job){.value = i, .how = i % 50 == 7 ? ABORTS : i % 50 == 8 ? FAILS : FINE}, NULL);
    while ((status = pp_next(server, NULL, -1, &g)) == PP_OK) {
        count++;
        for (int i = 0; i < N; i++) seen[i] += f[i].id == g.id;
        CHECK_INT(pp_done(g), 1);
        if (count > N) break;
    }
    CHECK_INT(status, PP_END);
    CHECK_INT(count, N);
    for (int i = 0; i < N; i++) CHECK_INT(seen[i], 1);
    CHECK_INT(pp_next(server, NULL, 0, &g), PP_END); /* although they have not been fetched */
    for (int i = 0; i < N; i++) {
        if (i % 50 == 7 || i % 50 == 8)
            CHECK_INT(pp_release(f[i]), PP_OK);
        else
            fetch_job(f[i], i);
    }
}

static void they_come_in_order_of_completion(void)
{
    if (pp_get_ncpus(server) < 2) return;
    pp_future slow = submit_job((struct job){.value = 1, .seconds = 0.4}, NULL), f[10], g;
    pause_for(0.05);
    for (int i = 0; i < 10; i++) f[i] = submit_job((struct job){.value = i, .seconds = 0.001}, NULL);
    double last = 0;
    for (int i = 0; i < 11; i++) {
        CHECK_INT(pp_next(server, NULL, -1, &g), PP_OK);
        double finished = info_of(g).finished;
        /* Of two workers, or ranks, that end at once, either word may come first. */
        CHECK(finished > last - patience(0.05));
        last = finished;
        if (!launched()) CHECK((g.id == slow.id) == (i == 10)); /* on other ranks a task may wait behind it */
    }
    fetch_job(slow, 1);
    for (int i = 0; i < 10; i++) fetch_job(f[i], i);
}

static void time_outs(void)
{
    pp_future f = submit_value(5), g = {9};
    CHECK_INT(pp_wait(f), PP_OK);
    pp_future slow = submit_pause(0.3);
    CHECK_INT(pp_next(server, NULL, 0, &g), PP_OK);
    CHECK_INT(g.id == f.id, 1);
    g.id = 9;
    CHECK_INT(pp_next(server, NULL, 0, &g), PP_TIMEOUT);
    CHECK_INT(pp_next(server, NULL, 0.02, &g), PP_TIMEOUT);
    CHECK_INT(g.id, 9);
    CHECK_INT(pp_next(server, NULL, 30, &g), PP_OK);
    CHECK_INT(g.id == slow.id, 1);
    fetch_job(f, 5);
    fetch_job(slow, 1);
}

static void what_was_fetched_or_released_is_passed_over(void)
{
    enum { N = 40 };
    pp_future f[N], g;
    for (int i = 0; i < N; i++) f[i] = submit_value(i);
    CHECK_INT(pp_wait_all(f, N, -1), PP_OK);
    for (int i = 0; i < N; i += 4) fetch_job(f[i], i);
    for (int i = 1; i < N; i += 4) CHECK_INT(pp_release(f[i]), PP_OK);
    int count = 0;
    for (; pp_next(server, NULL, -1, &g) == PP_OK; count++) CHECK_INT(pp_release(g), PP_OK);
    CHECK_INT(count, N / 2);

    /* Released before they finish; the last one outstanding is such a one. */
    f[0] = submit_pause(0.2);
    f[1] = submit_value(1);
    CHECK_INT(pp_release(f[0]), PP_OK);
    CHECK_INT(pp_next(server, NULL, -1, &g), PP_OK);
    CHECK(g.id == f[1].id);
    CHECK_INT(pp_next(server, NULL, -1, &g), PP_END);
    CHECK_INT(pp_next(server, NULL, 0, &g), PP_END);
    fetch_job(f[1], 1);
    CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK); /* waits for the released one as well */
    CHECK_INT(stats_now().running + stats_now().queued, 0);
}

struct releaser {
    pp_future f;
    double after;
};

static void *release_later(void *arg)
{
    struct releaser *r = arg;
    pause_for(r->after);
    CHECK_INT(pp_release(r->f), PP_OK);
    return NULL;
}

static void a_release_meanwhile_ends_the_wait(void)
{
    pthread_t thread;
    pp_future g;
    struct releaser r = {submit_pause(1.5), 0.1};
    pthread_create(&thread, NULL, release_later, &r);
    double began = seconds_now();
    CHECK_INT(pp_next(server, NULL, -1, &g), PP_END);
    CHECK(seconds_now() - began < patience(0.9));
    pthread_join(thread, NULL);
    CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK);
}

static void the_same_finished_future_may_be_waited_for_in_every_way(void)
{
    pp_future f = submit_value(4), twice[2] = {f, f}, g;
    size_t index = 9;
    CHECK_INT(pp_wait_all(twice, 2, -1), PP_OK);
    CHECK_INT(pp_wait_any(twice, 2, -1, &index), PP_OK);
    CHECK_INT(index, 0);
    CHECK_INT(pp_next(server, NULL, -1, &g), PP_OK);
    CHECK(g.id == f.id);
    CHECK_INT(pp_next(server, NULL, -1, &g), PP_END);
    fetch_job(f, 4);
}

/* ---- groups */

static void groups_are_apart(void)
{
    enum { N = 20 };
    pp_future a[N], b, g;
    b = submit_in("slow", (struct job){.value = 1, .seconds = 0.5});
    for (int i = 0; i < N; i++) a[i] = submit_in("fast", (struct job){.value = i});
    if (pp_get_ncpus(server) > 1) {
        CHECK_INT(pp_wait_group(server, "fast", -1), PP_OK);
        CHECK_INT(pp_done(b), 0);
        CHECK_INT(pp_wait_group(server, "slow", 0), PP_TIMEOUT);
        CHECK_INT(pp_wait_group(server, NULL, 0), PP_TIMEOUT);
        CHECK_INT(pp_next(server, "slow", 0.01, &g), PP_TIMEOUT);
    }
    int count = 0;
    for (; pp_next(server, "fast", -1, &g) == PP_OK; count++) CHECK(g.id != b.id);
    CHECK_INT(count, N);
    CHECK_INT(pp_next(server, "default", -1, &g), PP_END);
    CHECK_INT(pp_next(server, "slow", -1, &g), PP_OK);
    CHECK(g.id == b.id);
    CHECK_INT(pp_next(server, NULL, -1, &g), PP_END);
    CHECK_INT(pp_wait_group(server, "slow", 0), PP_OK);
    CHECK_INT(pp_wait_group(server, NULL, 0), PP_OK);
    fetch_job(b, 1);
    for (int i = 0; i < N; i++) fetch_job(a[i], i);
}

static void of_all_groups_the_one_that_finished_first(void)
{
    enum { N = 12 };
    pp_future f[N], g;
    char name[16];
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "group %d", i);
        f[i] = submit_in(name, (struct job){.value = i});
        CHECK_INT(pp_wait(f[i]), PP_OK);
    }
    for (int i = 0; i < N; i++) {
        CHECK_INT(pp_next(server, NULL, 0, &g), PP_OK);
        CHECK(g.id == f[i].id);
        fetch_job(g, i);
    }
    CHECK_INT(pp_next(server, NULL, 0, &g), PP_END);
}

static void a_group_waits_for_failed_cancelled_and_released_ones(void)
{
    pp_future f = submit_in("mixed", (struct job){.value = 3, .how = FAILS});
    pp_future c = submit_in("mixed", (struct job){.seconds = 30});
    pp_future r = submit_in("mixed", (struct job){.value = 4, .seconds = 0.1, .mark = (long)getpid()});
    char path[64];
    mark_path((long)getpid(), path);
    CHECK_INT(pp_release(r), PP_OK);
    CHECK_INT(pp_cancel(c), PP_OK);
    CHECK_INT(pp_wait_group(server, "mixed", -1), PP_OK);
    CHECK_INT(pp_done(f), 1);
    CHECK_INT(pp_done(c), 1);
    CHECK_INT(unlink(path), 0); /* the released one ran */
    CHECK_INT(pp_release(f), PP_OK);
    CHECK_INT(pp_release(c), PP_OK);
    pp_future g;
    CHECK_INT(pp_next(server, "mixed", 0, &g), PP_END);
}

/* A name is used again and again, and thousands of them are forgotten. */
static void groups_come_and_go(void)
{
    char name[32];
    pp_future g;
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "g%d", i % 2 ? i : 0);
        pp_future f = submit_in(name, (struct job){.value = i % 100});
        if (i % 5 == 0) {
            CHECK_INT(pp_next(server, name, -1, &g), PP_OK);
            CHECK(g.id == f.id);
        }
        fetch_job(f, i % 100);
        CHECK_INT(pp_wait_group(server, name, 0), PP_OK);
        CHECK_INT(pp_next(server, name, 0, &g), PP_END);
    }
}

struct taker {
    pthread_t thread;
    int count;
};

static void *take(void *arg)
{
    struct taker *t = arg;
    pp_future g;
    while (pp_next(server, "shared", -1, &g) == PP_OK) {
        struct report r;
        CHECK_INT(pp_fetch(g, &r, sizeof r), PP_OK);
        t->count++;
    }
    return NULL;
}

static void two_threads_share_what_comes(void)
{
    struct taker t[2] = {{0}, {0}};
    for (int i = 0; i < 500; i++) submit_in("shared", (struct job){.value = i % 50});
    for (int i = 0; i < 2; i++) pthread_create(&t[i].thread, NULL, take, &t[i]);
    for (int i = 0; i < 2; i++) pthread_join(t[i].thread, NULL);
    CHECK_INT(t[0].count + t[1].count, 500);
}

/* ---- pp_map's are not among them */

static void square(pp_task *task)
{
    const long *x = pp_task_args(task, NULL);
    long *y = pp_task_result(task, sizeof *y);
    *y = *x * *x;
}

static _Atomic int mapping;

static void *map_again_and_again(void *arg)
{
    long items[200], results[200];
    (void)arg;
    for (long i = 0; i < 200; i++) items[i] = i;
    while (atomic_load(&mapping)) CHECK_INT(pp_map(server, square, items, sizeof *items, 200, results, sizeof *results), PP_OK);
    return NULL;
}

static void those_of_a_map_are_passed_over(void)
{
    pthread_t thread;
    atomic_store(&mapping, 1);
    pthread_create(&thread, NULL, map_again_and_again, NULL);
    for (int round = 0; round < 100; round++) {
        pp_future f = submit_value(round), g;
        CHECK_INT(pp_next(server, NULL, -1, &g), PP_OK);
        CHECK(g.id == f.id);
        CHECK_INT(pp_next(server, NULL, -1, &g), PP_END); /* although the map goes on */
        fetch_job(f, round);
    }
    atomic_store(&mapping, 0);
    pthread_join(thread, NULL);
}

#define LARGE ((size_t)200 << 20) /* copied while others may call the library */

static void fill_large(pp_task *task)
{
    unsigned char *result = pp_task_result(task, LARGE);
    if (result) memset(result, 1, LARGE);
}

static void *fetch_large(void *arg)
{
    unsigned char *to = malloc(LARGE);
    CHECK(to != NULL);
    CHECK_INT(pp_fetch(*(pp_future *)arg, to, LARGE), PP_OK);
    free(to);
    return NULL;
}

static void what_is_being_fetched_is_passed_over(void)
{
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        pp_future f = pp_submit(server, fill_large, NULL, 0), g = {42};
        CHECK_INT(pp_wait(f), PP_OK);
        CHECK_INT(pthread_create(&thread, NULL, fetch_large, &f), 0);
        while (pp_done(f) > 0) {} /* until the other thread has it */
        CHECK_INT(pp_next(server, NULL, 0, &g), PP_END);
        CHECK_INT(g.id, 42);
        pthread_join(thread, NULL);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(nothing_is_outstanding),
        TEST(each_is_delivered_once),
        TEST(they_come_in_order_of_completion),
        TEST(time_outs),
        TEST(what_was_fetched_or_released_is_passed_over),
        TEST(a_release_meanwhile_ends_the_wait),
        TEST(the_same_finished_future_may_be_waited_for_in_every_way),
        TEST(groups_are_apart),
        TEST(of_all_groups_the_one_that_finished_first),
        TEST(a_group_waits_for_failed_cancelled_and_released_ones),
        TEST(groups_come_and_go),
        TEST(two_threads_share_what_comes),
        TEST(those_of_a_map_are_passed_over),
        TEST(what_is_being_fetched_is_passed_over),
        TEST(nothing_is_outstanding),
    };
    open_or_exit(&argc, &argv, NULL);
    return RUN_TESTS(tests);
}
