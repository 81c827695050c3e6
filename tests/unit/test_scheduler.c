/* Which task goes to which agent: against a model that does it the slow way, over random histories. */
#include "scheduler/scheduler.h"

#include "base/policy.h"
#include "unit/random.h"

#include <check.h>
#include <ppmpi.h>
#include <stdlib.h>
#include <string.h>

static struct ppi_task_store store;

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))
static struct ppi_scheduler s;

static void begin(int agents)
{
    ppi_store_init(&store);
    ck_assert_int_eq(ppi_scheduler_init(&s, &store, agents), PP_OK);
}

static void end(void)
{
    ppi_scheduler_fini(&s);
    ppi_store_fini(&store);
}

static uint32_t push(int priority, int in_front)
{
    uint32_t task = ppi_store_new(&store);
    INSIST(task != PPI_TASK_NONE);
    INSIST(ppi_scheduler_push(&s, task, priority, in_front) == PP_OK);
    ppi_task_apply(ppi_store_at(&store, task), PPI_EVENT_SUBMIT);
    return task;
}

static uint32_t next_task(void)
{
    uint32_t task = PPI_TASK_NONE;
    int agent = -1;
    return ppi_scheduler_next(&s, &task, &agent) ? task : PPI_TASK_NONE;
}

/* An agent that takes whatever there is. */
static void one_large_agent(void)
{
    begin(1);
    ppi_scheduler_set_workers(&s, 0, 100000);
}

START_TEST(equal_priorities_leave_in_the_order_of_submission)
{
    one_large_agent();
    for (uint32_t i = 0; i < 1000; i++) ck_assert_uint_eq(push(0, 0), i);
    for (uint32_t i = 0; i < 1000; i++) ck_assert_uint_eq(next_task(), i);
    ck_assert_uint_eq(next_task(), PPI_TASK_NONE);
    end();
}
END_TEST

START_TEST(higher_priorities_leave_first)
{
    one_large_agent();
    static const int priorities[] = {0, 5, -3, 5, INT32_MAX, 0, INT32_MIN, 7};
    static const uint32_t order[] = {4, 7, 1, 3, 0, 5, 2, 6};
    for (int i = 0; i < 8; i++) push(priorities[i], 0);
    for (int i = 0; i < 8; i++) ck_assert_uint_eq(next_task(), order[i]);
    end();
}
END_TEST

START_TEST(what_is_pushed_in_front_leaves_before_its_equals_only)
{
    one_large_agent();
    push(0, 0);  /* 0 */
    push(1, 0);  /* 1 */
    push(0, 1);  /* 2 */
    push(0, 1);  /* 3 */
    push(-1, 1); /* 4 */
    static const uint32_t order[] = {1, 3, 2, 0, 4};
    for (int i = 0; i < 5; i++) ck_assert_uint_eq(next_task(), order[i]);
    end();
}
END_TEST

START_TEST(a_queue_that_ran_dry_takes_any_priority)
{
    one_large_agent();
    static const int priorities[] = {0, -5, 3, -5, -9, 9, 0, INT32_MIN, INT32_MAX, 0};
    for (uint32_t i = 0; i < 10; i++) {
        push(priorities[i], 0);
        ck_assert_uint_eq(next_task(), i);
        ck_assert_uint_eq(next_task(), PPI_TASK_NONE);
    }
    end();
}
END_TEST

START_TEST(no_agent_no_assignment)
{
    begin(3);
    push(0, 0);
    ck_assert_uint_eq(next_task(), PPI_TASK_NONE);
    ppi_scheduler_set_workers(&s, 1, 0);
    ck_assert_uint_eq(next_task(), PPI_TASK_NONE);
    ppi_scheduler_set_workers(&s, 2, 1);
    ck_assert_uint_eq(next_task(), 0);
    end();
}
END_TEST

START_TEST(an_agent_gets_two_per_worker_before_anything_is_measured)
{
    begin(1);
    ppi_scheduler_set_workers(&s, 0, 3);
    for (int i = 0; i < 100; i++) push(0, 0);
    int given = 0;
    while (next_task() != PPI_TASK_NONE) given++;
    ck_assert_int_eq(given, 3 * PPI_DEPTH_LEAST);
    ppi_scheduler_finished(&s, 0, 0);
    ck_assert_uint_eq(next_task(), (uint32_t)given);
    ck_assert_uint_eq(next_task(), PPI_TASK_NONE);
    end();
}
END_TEST

START_TEST(long_tasks_are_given_two_deep_and_short_ones_deeper)
{
    begin(2);
    for (int a = 0; a < 2; a++) {
        ppi_scheduler_set_workers(&s, a, 1);
        for (int i = 0; i < 200; i++) ppi_scheduler_finished(&s, a, a ? 1000000000 : 100);
    }
    for (int i = 0; i < 10000; i++) push(0, 0);
    int given[2] = {0}, agent;
    uint32_t task;
    while (ppi_scheduler_next(&s, &task, &agent)) given[agent]++;
    ck_assert_int_eq(given[0], PPI_DEPTH_MOST);
    ck_assert_int_eq(given[1], PPI_DEPTH_LEAST);
    end();
}
END_TEST

START_TEST(agent_that_is_lost_gets_nothing_and_comes_back)
{
    begin(2);
    ppi_scheduler_set_workers(&s, 0, 1);
    ppi_scheduler_set_workers(&s, 1, 1);
    for (int i = 0; i < 100; i++) push(0, 0);
    uint32_t task;
    int agent;
    ck_assert(ppi_scheduler_next(&s, &task, &agent));
    int lost = agent; /* while it is the one that is served */
    ppi_scheduler_set_workers(&s, lost, 0);
    while (ppi_scheduler_next(&s, &task, &agent)) ck_assert_int_ne(agent, lost);
    ppi_scheduler_set_workers(&s, 1 - lost, 0);
    ck_assert(!ppi_scheduler_next(&s, &task, &agent));
    ppi_scheduler_set_workers(&s, lost, 2);
    int given = 0;
    for (; ppi_scheduler_next(&s, &task, &agent); given++) ck_assert_int_eq(agent, lost);
    ck_assert_int_eq(given, 2 * PPI_DEPTH_LEAST);
    end();
}
END_TEST

START_TEST(priorities_that_nobody_uses_any_more_cost_nothing)
{
    one_large_agent();
    for (int i = 0; i < 1000; i++) {
        push(i % 2 ? i : -i, 0);
        push(3 * i, 0);
        while (next_task() != PPI_TASK_NONE) {}
        ck_assert_int_le(s.level_count, 1);
    }
    end();
}
END_TEST

START_TEST(record_that_was_cancelled_in_the_queue_is_used_again_only_when_it_has_left_it)
{
    one_large_agent();
    uint32_t a = push(0, 0), b = push(0, 0), c = push(0, 0);
    struct ppi_task *t = ppi_store_at(&store, b);
    ck_assert_int_eq(ppi_task_apply(t, PPI_EVENT_CANCEL), 1);
    ppi_scheduler_forget(&s);
    uint64_t id = ppi_task_id_of(t, b);
    ck_assert_int_eq(ppi_task_apply(t, PPI_EVENT_RECYCLE), 1);
    ppi_store_recycle(&store, b);
    uint32_t index, d = push(0, 0);
    ck_assert_uint_ne(d, b);
    ck_assert_ptr_null(ppi_store_find(&store, id, &index));
    ck_assert_uint_eq(next_task(), a);
    ck_assert_uint_eq(next_task(), c);
    ck_assert_uint_eq(push(0, 0), b);
    ck_assert_uint_eq(next_task(), d);
    ck_assert_uint_eq(next_task(), b);
    ck_assert_uint_eq(next_task(), PPI_TASK_NONE);
    end();
}
END_TEST

/* ---- Shares --------------------------------------------------------------------------------------------- */

/* All agents can take much more than there is: each gets its share by workers, and nobody another's. */
START_TEST(near_the_end_nobody_hoards)
{
    struct random r = random_begin("near_the_end");
    for (int round = 0; round < 300; round++) {
        int agents = 1 + (int)random_below(&r, 12), total = 0, given[12] = {0}, workers[12];
        begin(agents);
        for (int a = 0; a < agents; a++) {
            workers[a] = 1 + (int)random_below(&r, 8);
            total += workers[a];
            ppi_scheduler_set_workers(&s, a, workers[a]);
            for (int i = 0; i < 200; i++) ppi_scheduler_finished(&s, a, 10);
        }
        int ready = 1 + (int)random_below(&r, (uint64_t)total * PPI_DEPTH_MOST / 2);
        for (int i = 0; i < ready; i++) push(0, 0);
        uint32_t task;
        int agent, assigned = 0;
        for (; ppi_scheduler_next(&s, &task, &agent); assigned++) given[agent]++;
        ck_assert_int_eq(assigned, ready);
        for (int a = 0; a < agents; a++) {
            int share = (ready * workers[a] + total - 1) / total;
            if (share < workers[a]) share = workers[a];
            ck_assert_msg(given[a] <= share, "agent %d with %d of %d workers has %d of %d tasks; its share is %d", a,
                          workers[a], total, given[a], ready, share);
        }
        end();
    }
}
END_TEST

START_TEST(idle_workers_are_served_before_deeper_queues)
{
    struct random r = random_begin("idle_workers");
    for (int round = 0; round < 300; round++) {
        int agents = 2 + (int)random_below(&r, 6), total = 0, given[8] = {0}, workers[8];
        begin(agents);
        for (int a = 0; a < agents; a++) {
            workers[a] = 1 + (int)random_below(&r, 4);
            total += workers[a];
            ppi_scheduler_set_workers(&s, a, workers[a]);
            if (random_below(&r, 2))
                for (int i = 0; i < 100; i++) ppi_scheduler_finished(&s, a, random_magnitude(&r, 24));
        }
        /* As many tasks as workers: none must be left without. */
        for (int i = 0; i < total; i++) push(0, 0);
        uint32_t task;
        int agent;
        while (ppi_scheduler_next(&s, &task, &agent)) given[agent]++;
        for (int a = 0; a < agents; a++) ck_assert_int_eq(given[a], workers[a]);
        end();
    }
}
END_TEST

/* ---- The model ------------------------------------------------------------------------------------------ */

#define PRIORITIES 5
#define TASKS_MOST 60000
#define AGENTS_MOST 4096

static struct {
    uint32_t queue[PRIORITIES][2 * TASKS_MOST]; /* from `first` on; the middle is where it begins */
    int first[PRIORITIES], last[PRIORITIES];
    int ready;
    int workers[AGENTS_MOST];
    uint64_t given[AGENTS_MOST];
    double mean[AGENTS_MOST];
    int holder[TASKS_MOST], priority[TASKS_MOST]; /* holder: agent, -1 = ready, -2 = finished */
    uint32_t out[TASKS_MOST], ids[TASKS_MOST];    /* out: tasks that agents have; ids: all */
    int outs;
} model;

static const int priorities[PRIORITIES] = {7, 1, 0, -1, -100}; /* highest first */

static void model_push(uint32_t task, int level, int in_front)
{
    int again = ppi_store_at(&store, task)->state != PPI_TASK_FREE;
    INSIST(ppi_task_apply(ppi_store_at(&store, task), again ? PPI_EVENT_REQUEUE : PPI_EVENT_SUBMIT) == 1);
    model.queue[level][in_front ? --model.first[level] : model.last[level]++] = task;
    model.holder[task] = -1;
    model.priority[task] = level;
    model.ready++;
    INSIST(ppi_scheduler_push(&s, task, priorities[level], in_front) == PP_OK);
}

static uint64_t model_room(int agent)
{
    uint64_t wanted = (uint64_t)model.workers[agent] * ppi_depth_for(model.mean[agent]);
    return wanted > model.given[agent] ? wanted - model.given[agent] : 0;
}

/* Makes assignments, at most `most`, and checks each. */
static void model_next(int agents, int most)
{
    for (int n = 0; n < most; n++) {
        uint32_t task;
        int agent;
        if (!ppi_scheduler_next(&s, &task, &agent)) {
            for (int a = 0; a < agents && model.ready; a++)
                if (model_room(a))
                    ck_abort_msg("%d tasks are ready and agent %d has room, but nothing is assigned", model.ready, a);
            return;
        }
        int level = 0;
        for (; level < PRIORITIES; level++) {
            while (model.first[level] != model.last[level] && model.holder[model.queue[level][model.first[level]]] != -1)
                model.first[level]++; /* cancelled */
            if (model.first[level] != model.last[level]) break;
        }
        INSIST(level < PRIORITIES);
        INSIST(task == model.queue[level][model.first[level]]);
        INSIST(model.holder[task] == -1);
        INSIST(agent >= 0 && agent < agents);
        INSIST(model_room(agent) > 0);
        INSIST(ppi_task_apply(ppi_store_at(&store, task), PPI_EVENT_ASSIGN) == 1);
        model.first[level]++;
        model.ready--;
        model.given[agent]++;
        model.holder[task] = agent;
        model.out[model.outs++] = task;
    }
}

static void model_take_out(int k)
{
    model.out[k] = model.out[--model.outs];
}

static void model_finish(struct random *r, int k)
{
    uint32_t task = model.out[k];
    int agent = model.holder[task];
    uint64_t took = random_below(r, 5) ? random_magnitude(r, 34) : 0;
    model_take_out(k);
    model.given[agent]--;
    if (took) model.mean[agent] = ppi_mean_update(model.mean[agent], took);
    ppi_scheduler_finished(&s, agent, took);
    if (random_below(r, 20) == 0)
        model_push(task, model.priority[task], 1); /* another try */
    else
        model.holder[task] = -2, ppi_task_apply(ppi_store_at(&store, task), PPI_EVENT_FINISH);
}

/* A task that waits never starts. */
static void model_cancel(struct random *r, int submitted)
{
    for (int tries = 0; tries < 20; tries++) {
        uint32_t task = model.ids[random_below(r, (uint64_t)submitted)];
        if (model.holder[task] != -1) continue;
        INSIST(ppi_task_apply(ppi_store_at(&store, task), PPI_EVENT_CANCEL) == 1);
        ppi_scheduler_forget(&s);
        model.holder[task] = -2;
        model.ready--;
    }
}

static void model_lose(int agent)
{
    ppi_scheduler_set_workers(&s, agent, 0);
    model.workers[agent] = 0;
    model.given[agent] = 0;
    for (int k = model.outs; k-- > 0;) {
        uint32_t task = model.out[k];
        if (model.holder[task] != agent) continue;
        model_take_out(k);
        model_push(task, model.priority[task], 1);
    }
}

static void history(struct random *r, int agents, int tasks, int losses)
{
    begin(agents);
    memset(&model, 0, sizeof model);
    for (int i = 0; i < PRIORITIES; i++) model.first[i] = model.last[i] = TASKS_MOST;
    int submitted = 0, kinds = 1 + (int)random_below(r, PRIORITIES), calm = 0;
    while (submitted < tasks || model.ready || model.outs) {
        switch (random_below(r, 8)) {
        case 0:
        case 1:
            for (uint64_t n = random_magnitude(r, 9); n > 0 && submitted < tasks; n--, submitted++)
                model_push(model.ids[submitted] = ppi_store_new(&store), (int)random_below(r, (uint64_t)kinds), random_below(r, 30) == 0);
            break;
        case 2:
        case 3: model_next(agents, (int)random_magnitude(r, 8)); break;
        case 4: model_next(agents, 1 << 30); break;
        case 5:
        case 6:
            for (uint64_t n = random_magnitude(r, 9); n > 0 && model.outs; n--)
                model_finish(r, (int)random_below(r, (uint64_t)model.outs));
            break;
        case 7: {
            int agent = (int)random_below(r, (uint64_t)agents);
            if (submitted && random_below(r, 4) == 0) {
                model_cancel(r, submitted);
            } else if (losses && random_below(r, 10) == 0) {
                model_lose(agent);
                losses--;
            } else if (calm < 4 * agents || model.workers[agent] == 0) {
                int workers = 1 + (int)random_below(r, 6);
                ppi_scheduler_set_workers(&s, agent, workers); /* more or fewer, or the first ones */
                model.workers[agent] = workers;
                calm++;
            }
        }
        }
        INSIST(s.ready == (uint64_t)model.ready);
    }
    for (int i = 0; i < tasks; i++) INSIST(model.holder[i] == -2);
    end();
}

START_TEST(every_task_is_assigned_once_in_order_and_within_credit)
{
    struct random r = random_begin("every_task");
    for (int round = 0; round < 60; round++)
        history(&r, 1 + (int)random_magnitude(&r, 6), 2000, (int)random_below(&r, 10));
}
END_TEST

START_TEST(thousands_of_agents_are_all_used)
{
    struct random r = random_begin("thousands_of_agents");
    begin(AGENTS_MOST);
    for (int a = 0; a < AGENTS_MOST; a++) ppi_scheduler_set_workers(&s, a, 2);
    for (int i = 0; i < 50000; i++) push(0, 0);
    static int given[AGENTS_MOST];
    uint32_t task;
    int agent, assigned = 0;
    for (; ppi_scheduler_next(&s, &task, &agent); assigned++) given[agent]++;
    ck_assert_int_eq(assigned, AGENTS_MOST * 2 * PPI_DEPTH_LEAST);
    for (int a = 0; a < AGENTS_MOST; a++) ck_assert_int_eq(given[a], 2 * PPI_DEPTH_LEAST);
    /* Each that finishes one gets one. */
    for (int i = 0; i < 30000; i++) {
        int a = (int)random_below(&r, AGENTS_MOST);
        ppi_scheduler_finished(&s, a, 0);
        INSIST(ppi_scheduler_next(&s, &task, &agent) == 1);
        INSIST(agent == a);
        INSIST(ppi_scheduler_next(&s, &task, &agent) == 0);
    }
    end();
    history(&r, AGENTS_MOST, 50000, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler");
    TCase *c = tcase_create("order");
    tcase_add_test(c, equal_priorities_leave_in_the_order_of_submission);
    tcase_add_test(c, higher_priorities_leave_first);
    tcase_add_test(c, what_is_pushed_in_front_leaves_before_its_equals_only);
    tcase_add_test(c, a_queue_that_ran_dry_takes_any_priority);
    tcase_add_test(c, priorities_that_nobody_uses_any_more_cost_nothing);
    tcase_add_test(c, record_that_was_cancelled_in_the_queue_is_used_again_only_when_it_has_left_it);
    suite_add_tcase(suite, c);
    c = tcase_create("credit");
    tcase_add_test(c, no_agent_no_assignment);
    tcase_add_test(c, an_agent_gets_two_per_worker_before_anything_is_measured);
    tcase_add_test(c, long_tasks_are_given_two_deep_and_short_ones_deeper);
    tcase_add_test(c, agent_that_is_lost_gets_nothing_and_comes_back);
    suite_add_tcase(suite, c);
    c = tcase_create("shares");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, near_the_end_nobody_hoards);
    tcase_add_test(c, idle_workers_are_served_before_deeper_queues);
    suite_add_tcase(suite, c);
    c = tcase_create("model");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, every_task_is_assigned_once_in_order_and_within_credit);
    tcase_add_test(c, thousands_of_agents_are_all_used);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
