/* The law of memory: a task sees what there was at the opening, and what it changes stays with its worker.
 * ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

static int plain = 1;
static char *on_the_heap;
static int never_changed = 5;
static int touched; /* by tasks, in their workers */

struct seen {
    int plain, touched, never_changed, worker;
    char heap[32];
};

static void look(pp_task *task)
{
    struct seen *s = pp_task_result(task, sizeof *s);
    memset(s, 0, sizeof *s);
    s->plain = plain;
    s->touched = touched++;
    s->never_changed = never_changed;
    s->worker = pp_task_worker(task);
    snprintf(s->heap, sizeof s->heap, "%s", on_the_heap);
    plain += 1000; /* its own copy */
}

static void changes_after_the_opening_do_not_travel(void)
{
    enum { N = 200 };
    pp_future f[N];
    int per_worker[1024] = {0}, plain_of[1024] = {0};
    plain = 99;
    strcpy(on_the_heap, "changed later");
    for (int i = 0; i < N; i++) f[i] = pp_submit(server, look, NULL, 0);
    for (int i = 0; i < N; i++) {
        struct seen s;
        CHECK_INT(pp_fetch(f[i], &s, sizeof s), PP_OK);
        CHECK_INT(s.plain % 1000, 2);
        CHECK_INT(s.never_changed, 5);
        CHECK_INT(strcmp(s.heap, "as it was opened"), 0);
        if (s.worker < 0 || s.worker >= 1024) continue;
        per_worker[s.worker]++;
        if (s.plain > plain_of[s.worker]) plain_of[s.worker] = s.plain;
    }
    /* Each worker counted its own tasks and nobody else's. */
    for (int i = 0; i < 1024; i++)
        if (per_worker[i]) CHECK_INT(plain_of[i], 2 + 1000 * (per_worker[i] - 1));
    CHECK_INT(touched, 0);
    CHECK_INT(plain, 99);
    CHECK_INT(strcmp(on_the_heap, "changed later"), 0);
}

static void crash(pp_task *task)
{
    (void)task;
    abort();
}

/* A fresh worker starts from the opening too. */
static void replaced_workers_start_from_the_opening(void)
{
    int n = 3 * pp_get_ncpus(server);
    for (int i = 0; i < n; i++) {
        pp_future f = pp_submit(server, crash, NULL, 0);
        CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_CRASHED);
        pp_release(f);
        struct seen s;
        f = pp_submit(server, look, NULL, 0);
        CHECK_INT(pp_fetch(f, &s, sizeof s), PP_OK);
        CHECK_INT(s.plain % 1000, 2);
        CHECK_INT(strcmp(s.heap, "as it was opened"), 0);
    }
}

static void free_what_is_there(pp_task *task)
{
    (void)task;
    on_the_heap = realloc(on_the_heap, 100000);
    memset(on_the_heap, 'x', 31);
    on_the_heap[31] = '\0';
}

static void a_task_may_free_what_the_program_allocated(void)
{
    for (int i = 0; i < 20; i++) {
        pp_future f = pp_submit(server, free_what_is_there, NULL, 0);
        CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
    }
    CHECK_INT(strcmp(on_the_heap, "changed later"), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(changes_after_the_opening_do_not_travel),
        TEST(replaced_workers_start_from_the_opening),
        TEST(a_task_may_free_what_the_program_allocated),
    };
    plain = 2;
    on_the_heap = malloc(32);
    strcpy(on_the_heap, "as it was opened");
    open_or_exit(&argc, &argv, NULL);
    int status = run_tests(tests, sizeof tests / sizeof tests[0]);
    free(on_the_heap);
    return status;
}
