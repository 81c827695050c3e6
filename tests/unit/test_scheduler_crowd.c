/* Many ranks that are their own workers: each gets several tasks at once, and towards the end of the queue one at a time. */
#include "base/policy.h"
#include "unit/random.h"
#include "unit/scheduler.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>

#define RANKS 1001
#define WORKERS (RANKS - 1)

static uint64_t has[RANKS];

/* Rank 0 runs nothing; the others have finished one task each of that duration. */
static void crowd(int ranks, double duration_ns)
{
    begin(ranks);
    for (int i = 1; i < ranks; i++) {
        has[i] = 0;
        ppi_scheduler_set_alone(&s, i);
        ppi_scheduler_set_workers(&s, i, 1);
        ppi_scheduler_given(&s, i);
        ppi_scheduler_finished(&s, i, (uint64_t)duration_ns);
    }
}

/* Hands out what may be handed out; how many tasks. */
static uint64_t hand_out(void)
{
    uint32_t task;
    int agent;
    uint64_t given = 0;
    while (ppi_scheduler_next(&s, &task, &agent)) {
        INSIST(agent > 0);
        has[agent]++;
        given++;
    }
    return given;
}

static void end_one(int agent, double duration_ns)
{
    INSIST(has[agent] > 0);
    has[agent]--;
    ppi_scheduler_finished(&s, agent, (uint64_t)duration_ns);
}

START_TEST(with_many_tasks_everybody_gets_several)
{
    double duration_ns = ppi_crowd_ns(RANKS) / 4.5;
    crowd(RANKS, duration_ns);
    for (int i = 0; i < 100 * WORKERS; i++) push(0, 0);
    ck_assert_uint_eq(hand_out(), 4 * WORKERS);
    for (int i = 1; i < RANKS; i++) ck_assert_uint_eq(has[i], 4);
    end();
}
END_TEST

START_TEST(without_a_crowd_long_tasks_are_given_one_at_a_time)
{
    crowd(9, ppi_crowd_ns(RANKS) / 4);
    for (int i = 0; i < 1000; i++) push(0, 0);
    ck_assert_uint_eq(hand_out(), 8);
    for (int i = 1; i < 9; i++) ck_assert_uint_eq(has[i], 1);
    end();
}
END_TEST

START_TEST(nobody_gets_more_than_half_of_its_share)
{
    crowd(RANKS, ppi_crowd_ns(RANKS) / 20);
    for (int i = 0; i < 12 * WORKERS; i++) push(0, 0);
    hand_out();
    for (int i = 1; i < RANKS; i++) ck_assert(has[i] >= 5 && has[i] <= 6);
    end();
}
END_TEST

START_TEST(fewer_tasks_than_two_each_are_given_singly_and_all)
{
    double duration_ns = ppi_crowd_ns(RANKS) / 20;
    crowd(RANKS, duration_ns);
    for (int i = 0; i < WORKERS + WORKERS / 2; i++) push(0, 0);
    ck_assert_uint_eq(hand_out(), WORKERS);
    for (int i = 1; i < RANKS; i++) ck_assert_uint_eq(has[i], 1);
    for (int i = 1; i <= WORKERS / 2; i++) end_one(i, duration_ns);
    ck_assert_uint_eq(hand_out(), WORKERS / 2);
    end();
}
END_TEST

START_TEST(a_rank_with_a_long_task_gets_one_at_a_time)
{
    double crowd_ns = ppi_crowd_ns(RANKS);
    crowd(RANKS, crowd_ns / 20);
    for (int i = 0; i < 100 * WORKERS; i++) push(0, 0);
    hand_out();
    while (has[7]) end_one(7, crowd_ns);
    ck_assert_uint_eq(hand_out(), 1);
    ck_assert_uint_eq(has[7], 1);
    end();
}
END_TEST

/* All tasks take the same time: all ranks come to their end within one of them, and none is idle before. */
START_TEST(all_come_to_an_end_together)
{
    double duration_ns = ppi_crowd_ns(RANKS) / 8;
    uint64_t tasks = 20 * WORKERS + 137, turns = 0;
    crowd(RANKS, duration_ns);
    for (uint64_t i = 0; i < tasks; i++) push(0, 0);
    for (uint64_t left = tasks; left; turns++) {
        hand_out();
        uint64_t busy = 0;
        for (int i = 1; i < RANKS; i++) {
            if (has[i] == 0) continue;
            end_one(i, duration_ns);
            busy++;
        }
        ck_assert_uint_eq(busy, left < WORKERS ? left : WORKERS);
        left -= busy;
    }
    ck_assert_uint_eq(turns, 21);
    end();
}
END_TEST

/* Whatever the tasks take, each is given once, to somebody who has room, and nobody idles while one waits. */
START_TEST(any_durations)
{
    struct random r = random_begin("crowd");
    crowd(RANKS, 1e6);
    uint64_t left = 30 * WORKERS, given = 0;
    for (uint64_t i = 0; i < left; i++) push(0, 0);
    while (left) {
        given += hand_out();
        uint64_t busy = 0;
        for (int i = 1; i < RANKS; i++) busy += has[i] > 0;
        INSIST(busy == WORKERS || s.ready == 0);
        for (int k = 0; k < 100; k++) {
            int i = 1 + (int)random_below(&r, WORKERS);
            if (has[i]) end_one(i, (double)(1000 + random_below(&r, 1u << random_below(&r, 26)))), left--;
        }
    }
    ck_assert_uint_eq(given, 30 * WORKERS);
    ck_assert(s.ready == 0 && s.given == 0);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler, crowd");
    TCase *c = tcase_create("crowd");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, with_many_tasks_everybody_gets_several);
    tcase_add_test(c, without_a_crowd_long_tasks_are_given_one_at_a_time);
    tcase_add_test(c, nobody_gets_more_than_half_of_its_share);
    tcase_add_test(c, fewer_tasks_than_two_each_are_given_singly_and_all);
    tcase_add_test(c, a_rank_with_a_long_task_gets_one_at_a_time);
    tcase_add_test(c, all_come_to_an_end_together);
    tcase_add_test(c, any_durations);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
