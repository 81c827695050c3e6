/* Whom a worker wakes when a job has ended: a listener who has just looked hears no more of each, unless it is needed. */
#include "worker/worker.h"

#include "base/clock.h"
#include "base/policy.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ARENA ((uint64_t)256 << 20)

static struct ppi_workspace workspace;
static struct ppi_segment segment;
static struct ppi_channel channel;
static struct ppi_job copies[PPI_CHANNEL_DEPTH];
static struct ppi_worker worker;

static void long_task(pp_task *task)
{
    uint64_t until = ppi_now_ns() + 4 * PPI_SOON_DRY_NS;
    (void)task;
    while (ppi_now_ns() < until)
        ;
}

static void no_task(pp_task *task)
{
    (void)task;
}

static void setup(void)
{
    ck_assert_int_eq(ppi_workspace_create(&workspace, ARENA), PP_OK);
    ck_assert_int_eq(ppi_segment_create(&segment, "test-answers", (size_t)1 << 20, (size_t)1 << 20), PP_OK);
    ppi_channel_init(&channel, &workspace.requests[0], (struct ppi_answers *)(void *)segment.base, copies);
    ck_assert_int_eq(ppi_worker_init(&worker, &workspace, 0, 0, segment.base, segment.bytes, NULL), PP_OK);
}

static void teardown(void)
{
    ppi_worker_fini(&worker);
    ppi_segment_destroy(&segment);
    ppi_workspace_destroy(&workspace);
}

static void give(pp_function task, int jobs)
{
    worker.functions[0] = task;
    for (int i = 0; i < jobs; i++) {
        struct ppi_job *job = ppi_channel_reserve(&channel);
        memset(job, 0, sizeof *job);
        job->attempt = 1;
    }
    ppi_channel_publish(&channel);
}

/* Runs the next job; whether the listener, who need not hear of what can wait until then, is woken by that. */
static int wakes(uint64_t quiet_until_ns)
{
    struct ppi_doorbell *bell = workspace.bell;
    atomic_store(&bell->quiet_until_ns, quiet_until_ns);
    uint32_t ticket = ppi_doorbell_listen(bell, PPI_LISTENER_WAITER);
    ck_assert_int_eq(ppi_worker_step(&worker, NULL), 1);
    ppi_doorbell_silence(bell);
    return atomic_load(&bell->rings[PPI_LISTENER_WAITER]) != ticket;
}

#define LONG_AGO 0 /* when it looked last */
#define JUST_NOW UINT64_MAX

START_TEST(with_work_left_only_who_has_not_looked_for_a_while_is_woken)
{
    give(long_task, 6);
    ck_assert_int_eq(wakes(LONG_AGO), 1);
    ck_assert_int_eq(wakes(JUST_NOW), 0);
    ck_assert_int_eq(wakes(LONG_AGO), 1);
}
END_TEST

START_TEST(a_worker_that_will_soon_have_nothing_to_do_wakes_in_any_case)
{
    give(long_task, 3);
    ck_assert_int_eq(wakes(JUST_NOW), 0);
    ck_assert_int_eq(wakes(JUST_NOW), 1); /* while the last one runs, the next can come */
    ck_assert_int_eq(wakes(JUST_NOW), 1);
    give(no_task, 20); /* all of them take less time than to wake up */
    ck_assert_int_eq(wakes(JUST_NOW), 1);
}
END_TEST

START_TEST(on_the_only_core_nobody_is_woken_while_there_is_work)
{
    atomic_store(&workspace.board->one_core, 1);
    give(no_task, 20);
    for (int left = 20; left-- > 0;) ck_assert_int_eq(wakes(JUST_NOW), left == 0);
    give(no_task, 2);
    ck_assert_int_eq(wakes(LONG_AGO), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker");
    TCase *rings = tcase_create("rings");
    tcase_add_checked_fixture(rings, setup, teardown);
    tcase_add_test(rings, with_work_left_only_who_has_not_looked_for_a_while_is_woken);
    tcase_add_test(rings, a_worker_that_will_soon_have_nothing_to_do_wakes_in_any_case);
    tcase_add_test(rings, on_the_only_core_nobody_is_woken_while_there_is_work);
    suite_add_tcase(suite, rings);
    return run_suite(suite);
}
