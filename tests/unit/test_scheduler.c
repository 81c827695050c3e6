/* Which task goes to which agent: order, credit, shares. */
#include "base/policy.h"
#include "unit/random.h"
#include "unit/scheduler.h"
#include "unit/suite.h"

#include <check.h>
#include <ppmpi.h>
#include <stdlib.h>
#include <string.h>

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

/* New tasks may pass an empty queue by for ever. */
START_TEST(records_that_were_cancelled_come_back_when_no_other_task_waits)
{
    one_large_agent();
    uint32_t cancelled[3] = {push(0, 0), push(5, 0), push(0, 0)};
    for (int i = 0; i < 3; i++) {
        struct ppi_task *t = ppi_store_at(&store, cancelled[i]);
        ppi_task_apply(t, PPI_EVENT_CANCEL);
        ppi_scheduler_forget(&s);
        ppi_task_apply(t, PPI_EVENT_RECYCLE);
        ppi_store_recycle(&store, cancelled[i]);
    }
    ck_assert_uint_eq(s.ready, 0);
    ck_assert_int_eq(ppi_scheduler_direct(&s), 0);
    for (int i = 0; i < 3; i++) ck_assert_uint_le(ppi_store_new(&store), cancelled[2]);
    ck_assert_uint_eq(next_task(), PPI_TASK_NONE);
    uint32_t last = push(3, 0);
    ck_assert_uint_eq(next_task(), last);
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

/* ---- tasks that have failed on an agent */

static uint32_t push_failed(int agent, int priority)
{
    uint32_t task = push(priority, 1);
    struct ppi_task *t = ppi_store_at(&store, task);
    t->attempts = 1;
    t->agent = (uint16_t)agent;
    ppi_task_extra(&store, t, 0, 0)->worker = 7;
    return task;
}

static int next_is(uint32_t expected, int expected_agent)
{
    uint32_t task = PPI_TASK_NONE;
    int agent = -1;
    return ppi_scheduler_next(&s, &task, &agent) && task == expected && agent == expected_agent;
}

START_TEST(one_task_at_a_time_goes_past_a_busy_agent_that_has_room)
{
    for (int agents = 2; agents <= 5; agents++) {
        begin(agents);
        for (int i = 0; i < agents; i++) ppi_scheduler_set_workers(&s, i, 1);
        uint32_t task;
        int busy, agent;
        push(0, 0);
        ck_assert_int_eq(ppi_scheduler_next(&s, &task, &busy), 1);
        for (int i = 0; i < 50; i++) {
            push(0, 0);
            ck_assert_int_eq(ppi_scheduler_next(&s, &task, &agent), 1);
            ck_assert_int_ne(agent, busy);
            ck_assert_int_eq(ppi_scheduler_next(&s, &task, &agent), 0);
            ppi_scheduler_finished(&s, agent, 20000000);
        }
        end();
    }
}
END_TEST

START_TEST(failed_task_goes_to_another_agent)
{
    begin(3);
    for (int a = 0; a < 3; a++) ppi_scheduler_set_workers(&s, a, 1);
    for (int agent = 0; agent < 3; agent++) {
        uint32_t task = push_failed(agent, 0), got;
        int to = -1;
        ck_assert(ppi_scheduler_next(&s, &got, &to) && got == task && to != agent);
        ppi_scheduler_finished(&s, to, 1000);
    }
    end();
}
END_TEST

START_TEST(failed_task_waits_while_the_others_are_full_and_those_behind_it_do_not)
{
    uint32_t task;
    int agent;
    begin(2);
    ppi_scheduler_set_workers(&s, 1, 1);
    while (push(0, 0), ppi_scheduler_next(&s, &task, &agent)) {}
    ppi_scheduler_set_workers(&s, 0, 1);
    ck_assert(ppi_scheduler_next(&s, &task, &agent) && agent == 0);
    uint32_t failed = push_failed(0, 3), behind = push(0, 0), urgent = push(5, 0);
    ck_assert(next_is(urgent, 0));
    ppi_scheduler_finished(&s, 0, 0);
    ck_assert(next_is(behind, 0));
    ck_assert(!ppi_scheduler_next(&s, &task, &agent));
    ppi_scheduler_finished(&s, 0, 0);
    ck_assert(!ppi_scheduler_next(&s, &task, &agent) && s.waiting_for_others);
    ck_assert(!ppi_scheduler_next(&s, &task, &agent));
    ppi_scheduler_finished(&s, 1, 0);
    ck_assert(next_is(failed, 1) && !s.waiting_for_others);
    ck_assert(!ppi_scheduler_next(&s, &task, &agent) && s.ready == 0);
    end();
}
END_TEST

START_TEST(failed_task_stays_where_there_is_no_other_agent)
{
    begin(2);
    ppi_scheduler_set_workers(&s, 0, 1);
    uint32_t task = push_failed(0, 0);
    ck_assert(next_is(task, 0));
    ppi_scheduler_finished(&s, 0, 0);
    ppi_scheduler_set_workers(&s, 1, 1);
    task = push_failed(0, 0);
    ppi_scheduler_set_workers(&s, 1, 0); /* the other goes meanwhile */
    ck_assert(next_is(task, 0));
    end();
}
END_TEST

START_TEST(failed_task_stays_with_an_agent_of_several_workers_unless_another_is_idle)
{
    uint32_t task;
    int agent;
    begin(2);
    ppi_scheduler_set_workers(&s, 1, 1);
    push(0, 0), push(0, 0);
    while (ppi_scheduler_next(&s, &task, &agent)) {}
    ppi_scheduler_set_workers(&s, 0, 2);
    uint32_t failed = push_failed(0, 0);
    ck_assert(next_is(failed, 0));
    ppi_scheduler_finished(&s, 1, 0);
    ppi_scheduler_finished(&s, 1, 0);
    failed = push_failed(0, 0);
    ck_assert(next_is(failed, 1));
    end();
}
END_TEST

START_TEST(agent_that_has_to_leave_a_failed_task_gets_what_another_gives_back)
{
    uint32_t task;
    int agent;
    begin(2);
    ppi_scheduler_set_workers(&s, 0, 1);
    push(0, 0), push(0, 0);
    while (ppi_scheduler_next(&s, &task, &agent)) {}
    ppi_scheduler_set_workers(&s, 1, 1);
    uint32_t failed = push_failed(1, 0);
    for (int round = 0; round < 3; round++) {
        ck_assert(!ppi_scheduler_next(&s, &task, &agent));
        uint32_t back = push(0, 1);
        ppi_scheduler_finished(&s, 0, 0);
        ck_assert(next_is(back, 1));
        ck_assert(next_is(failed, 0));
        failed = push_failed(1, 0);
        ppi_scheduler_finished(&s, 1, 0);
    }
    end();
}
END_TEST

START_TEST(failed_task_goes_to_the_idle_one_of_the_others)
{
    uint32_t task;
    int agent;
    begin(3);
    ppi_scheduler_set_workers(&s, 1, 1);
    push(0, 0);
    while (ppi_scheduler_next(&s, &task, &agent)) {} /* it has room for another, but is busy */
    ppi_scheduler_set_workers(&s, 0, 1);
    ppi_scheduler_set_workers(&s, 2, 1);
    uint32_t failed = push_failed(0, 0);
    ck_assert(next_is(failed, 2));
    failed = push_failed(0, 0);
    ck_assert(next_is(failed, 1)); /* now they are equals */
    end();
}
END_TEST

START_TEST(agent_without_workers_gets_nothing_and_its_tasks_still_count)
{
    uint32_t task;
    int agent, given = 0;
    begin(1);
    ppi_scheduler_resize(&s, 0, 1);
    for (int i = 0; i < 10; i++) push(0, 0);
    for (; ppi_scheduler_next(&s, &task, &agent); given++) {}
    ppi_scheduler_resize(&s, 0, 0);
    ck_assert_uint_eq(s.agents[0].given, given);
    ck_assert_int_eq(s.workers, 0);
    ppi_scheduler_finished(&s, 0, 0);
    ck_assert(!ppi_scheduler_next(&s, &task, &agent));
    ppi_scheduler_resize(&s, 0, 1); /* they are still there: one more is all that it has room for */
    ck_assert(ppi_scheduler_next(&s, &task, &agent));
    ck_assert(!ppi_scheduler_next(&s, &task, &agent));
    ck_assert_uint_eq(s.given, given);
    end();
}
END_TEST

START_TEST(failed_task_that_is_cancelled_in_the_middle_of_the_queue_is_passed_over)
{
    uint32_t task, failed[6], last;
    int agent;
    begin(2);
    ppi_scheduler_set_workers(&s, 1, 1);
    push(0, 0), push(0, 0);
    while (ppi_scheduler_next(&s, &task, &agent)) {}
    for (int i = 0; i < 6; i++) failed[i] = push_failed(0, 0);
    last = push(0, 0);
    ppi_scheduler_set_workers(&s, 0, 1);
    ck_assert(next_is(last, 0));
    for (int i = 0; i < 6; i += 2) {
        ppi_scheduler_forget(&s);
        ppi_task_apply(ppi_store_at(&store, failed[i]), PPI_EVENT_CANCEL);
    }
    last = push(0, 0); /* behind them all */
    ck_assert(next_is(last, 0));
    for (int i = 5; i > 0; i -= 2) {
        ppi_scheduler_finished(&s, 1, 0);
        ck_assert(next_is(failed[i], 1));
    }
    ck_assert_uint_eq(s.ready, 0);
    last = push(0, 0);
    ppi_scheduler_finished(&s, 0, 0);
    ck_assert(next_is(last, 0));
    end();
}
END_TEST

/* Agent 0 has run one task that took so long, and gets on. */
static void own_runs(uint64_t duration_ns)
{
    int agent;
    uint32_t task;
    begin(2);
    ppi_scheduler_set_workers(&s, 0, 1);
    push(0, 0);
    ck_assert(ppi_scheduler_next(&s, &task, &agent) && agent == 0);
    ppi_scheduler_finished(&s, 0, duration_ns);
    ppi_scheduler_set_workers(&s, 1, 1);
    s.own_gets_on = 1;
}

static int next_agent(void)
{
    int agent;
    uint32_t task;
    return ppi_scheduler_next(&s, &task, &agent) ? agent : -1;
}

START_TEST(tasks_that_are_done_sooner_than_sent_stay_with_the_own_agent)
{
    own_runs((uint64_t)PPI_SEND_NS / 3);
    for (int i = 0; i < 2 * PPI_DEPTH_MOST; i++) push(0, 0);
    for (int i = 0; i < PPI_DEPTH_MOST; i++) ck_assert_int_eq(next_agent(), 0);
    ck_assert_int_eq(next_agent(), -1); /* it has enough; to send the rest would take longer */
    ppi_scheduler_finished(&s, 0, 100);
    ck_assert_int_eq(next_agent(), 0);
    s.own_gets_on = 0; /* a long one holds them up */
    ck_assert_int_eq(next_agent(), 1);
    end();
}
END_TEST

START_TEST(own_agent_has_what_it_does_before_a_message_could_arrive_and_others_the_rest)
{
    const uint64_t duration = (uint64_t)PPI_WAKE_NS / 4;
    own_runs(duration);
    for (int i = 0; i < 100; i++) push(0, 0);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(next_agent(), 0);
    int to[2] = {0, 0};
    for (int i = 0; i < 10; i++) to[next_agent()]++;
    ck_assert_int_gt(to[1], 0);
    end();
}
END_TEST

START_TEST(long_tasks_and_unknown_ones_are_shared_out)
{
    own_runs(1000000);
    for (int i = 0; i < 2; i++) push(0, 0);
    ck_assert_int_eq(next_agent(), 0);
    ck_assert_int_eq(next_agent(), 1);
    end();
    begin(2);
    for (int i = 0; i < 2; i++) ppi_scheduler_set_workers(&s, i, 1), push(0, 0);
    s.own_gets_on = 1;
    ck_assert_int_ne(next_agent(), next_agent());
    end();
}
END_TEST

START_TEST(shortest_tasks_are_for_as_many_own_workers_as_do_them)
{
    begin(1);
    ppi_scheduler_set_workers(&s, 0, 16);
    s.own_gets_on = 1;
    s.own_enough = 3;
    ppi_scheduler_measured(&s, 0, PPI_SEND_NS / 3, 100);
    for (int i = 0; i < 20 * PPI_DEPTH_MOST; i++) push(0, 0);
    for (int i = 0; i < 3 * PPI_DEPTH_MOST; i++) ck_assert_int_eq(next_agent(), 0);
    ck_assert_int_eq(next_agent(), -1);
    s.own_gets_on = 0; /* a long one holds them up: the others are needed */
    for (int i = 0; i < 13 * PPI_DEPTH_MOST; i++) ck_assert_int_eq(next_agent(), 0);
    ck_assert_int_eq(next_agent(), -1);
    end();
}
END_TEST

START_TEST(what_is_measured_elsewhere_counts_as_what_finished)
{
    begin(1);
    ppi_scheduler_set_workers(&s, 0, 1);
    double mean_ns = 0;
    for (int i = 0; i < 200; i++) mean_ns = ppi_mean_update(mean_ns, 50000);
    ppi_scheduler_measured(&s, 0, mean_ns, 50000);
    for (int i = 0; i < 200; i++) push(0, 0);
    int given = 0;
    while (next_agent() == 0) given++;
    end();
    own_runs(50000);
    ppi_scheduler_set_workers(&s, 1, 0);
    for (int i = 0; i < 200; i++) ppi_scheduler_finished(&s, 0, 50000), push(0, 0);
    while (next_agent() == 0) given--;
    ck_assert_int_eq(given, 0);
    end();
}
END_TEST

START_TEST(new_task_goes_directly_when_none_waits_and_an_agent_has_room)
{
    begin(1);
    ck_assert_int_eq(ppi_scheduler_direct(&s), -1); /* nobody is there */
    ppi_scheduler_set_workers(&s, 0, 1);
    for (int i = 0; i < PPI_DEPTH_LEAST; i++) ck_assert_int_eq(ppi_scheduler_direct(&s), 0);
    ck_assert_uint_eq(s.given, PPI_DEPTH_LEAST);
    ck_assert_int_eq(ppi_scheduler_direct(&s), -1);
    uint32_t waits = push(0, 0);
    ppi_scheduler_finished(&s, 0, 0);
    ck_assert_int_eq(ppi_scheduler_direct(&s), -1); /* it may not overtake */
    ck_assert(next_is(waits, 0));
    ppi_scheduler_finished(&s, 0, 0);
    ck_assert_int_eq(ppi_scheduler_direct(&s), 0);
    ck_assert_uint_eq(s.ready, 0);
    end();
}
END_TEST

START_TEST(new_tasks_go_directly_to_all_agents_in_turn)
{
    enum { AGENTS = 5 };
    begin(AGENTS);
    for (int i = 0; i < AGENTS; i++) ppi_scheduler_set_workers(&s, i, 2);
    int got[AGENTS] = {0};
    for (int i = 0; i < 2 * AGENTS; i++) got[ppi_scheduler_direct(&s)]++;
    for (int i = 0; i < AGENTS; i++) ck_assert_int_eq(got[i], 2); /* idle workers first */
    for (int i = 0; i < 2 * AGENTS * (PPI_DEPTH_LEAST - 1); i++) got[ppi_scheduler_direct(&s)]++;
    for (int i = 0; i < AGENTS; i++) ck_assert_int_eq(got[i], 2 * PPI_DEPTH_LEAST);
    ck_assert_int_eq(ppi_scheduler_direct(&s), -1);
    ppi_scheduler_finished(&s, 3, 0);
    ck_assert_int_eq(ppi_scheduler_direct(&s), 3);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler");
    TCase *c = tcase_create("order");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, equal_priorities_leave_in_the_order_of_submission);
    tcase_add_test(c, higher_priorities_leave_first);
    tcase_add_test(c, what_is_pushed_in_front_leaves_before_its_equals_only);
    tcase_add_test(c, a_queue_that_ran_dry_takes_any_priority);
    tcase_add_test(c, priorities_that_nobody_uses_any_more_cost_nothing);
    tcase_add_test(c, record_that_was_cancelled_in_the_queue_is_used_again_only_when_it_has_left_it);
    tcase_add_test(c, records_that_were_cancelled_come_back_when_no_other_task_waits);
    suite_add_tcase(suite, c);
    c = tcase_create("credit");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, no_agent_no_assignment);
    tcase_add_test(c, an_agent_gets_two_per_worker_before_anything_is_measured);
    tcase_add_test(c, long_tasks_are_given_two_deep_and_short_ones_deeper);
    tcase_add_test(c, agent_that_is_lost_gets_nothing_and_comes_back);
    suite_add_tcase(suite, c);
    c = tcase_create("shares");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, near_the_end_nobody_hoards);
    tcase_add_test(c, idle_workers_are_served_before_deeper_queues);
    tcase_add_test(c, one_task_at_a_time_goes_past_a_busy_agent_that_has_room);
    tcase_add_test(c, failed_task_goes_to_another_agent);
    tcase_add_test(c, failed_task_waits_while_the_others_are_full_and_those_behind_it_do_not);
    tcase_add_test(c, failed_task_stays_where_there_is_no_other_agent);
    tcase_add_test(c, failed_task_stays_with_an_agent_of_several_workers_unless_another_is_idle);
    tcase_add_test(c, agent_that_has_to_leave_a_failed_task_gets_what_another_gives_back);
    tcase_add_test(c, failed_task_goes_to_the_idle_one_of_the_others);
    tcase_add_test(c, agent_without_workers_gets_nothing_and_its_tasks_still_count);
    tcase_add_test(c, tasks_that_are_done_sooner_than_sent_stay_with_the_own_agent);
    tcase_add_test(c, own_agent_has_what_it_does_before_a_message_could_arrive_and_others_the_rest);
    tcase_add_test(c, long_tasks_and_unknown_ones_are_shared_out);
    tcase_add_test(c, shortest_tasks_are_for_as_many_own_workers_as_do_them);
    tcase_add_test(c, what_is_measured_elsewhere_counts_as_what_finished);
    suite_add_tcase(suite, c);
    c = tcase_create("direct");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, new_task_goes_directly_when_none_waits_and_an_agent_has_room);
    tcase_add_test(c, new_tasks_go_directly_to_all_agents_in_turn);
    tcase_add_test(c, failed_task_that_is_cancelled_in_the_middle_of_the_queue_is_passed_over);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
