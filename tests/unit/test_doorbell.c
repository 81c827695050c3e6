/* The doorbell: no ring is missed, and none costs anything while nobody listens. */
#include "channel/doorbell.h"

#include "base/clock.h"
#include "unit/random.h"
#include "unit/suite.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

static struct ppi_doorbell bell;

static void setup(void)
{
    memset(&bell, 0, sizeof bell);
}

START_TEST(ring_without_a_listener_changes_nothing)
{
    for (int i = 0; i < 10; i++) ppi_doorbell_ring(&bell);
    for (int i = 0; i < PPI_LISTENERS; i++) ck_assert_uint_eq(atomic_load(&bell.rings[i]), 0);
}
END_TEST

START_TEST(ring_reaches_the_listener_that_announced_itself_once)
{
    for (int who = PPI_LISTENER_WAITER; who < PPI_LISTENERS; who++) {
        setup();
        ppi_doorbell_listen(&bell, (enum ppi_listener)who);
        for (int i = 0; i < 5; i++) ppi_doorbell_ring(&bell); /* one of several does the system call */
        for (int k = 0; k < PPI_LISTENERS; k++) ck_assert_uint_eq(atomic_load(&bell.rings[k]), k == who);
    }
}
END_TEST

START_TEST(ring_between_listen_and_sleep_is_not_missed)
{
    uint32_t ticket = ppi_doorbell_listen(&bell, PPI_LISTENER_WAITER);
    ppi_doorbell_ring(&bell);
    uint64_t before = ppi_now_ns();
    ppi_doorbell_sleep(&bell, PPI_LISTENER_WAITER, ticket, 20 * PPI_NS_PER_S);
    ck_assert_uint_lt(ppi_now_ns() - before, 10 * PPI_NS_PER_S);
}
END_TEST

START_TEST(sleep_ends_when_its_time_is_over_and_nobody_listens_then)
{
    uint32_t ticket = ppi_doorbell_listen(&bell, PPI_LISTENER_WAITER);
    uint64_t before = ppi_now_ns();
    ppi_doorbell_sleep(&bell, PPI_LISTENER_WAITER, ticket, 20000000);
    ck_assert_uint_ge(ppi_now_ns() - before, 20000000 - 1000000);
    ck_assert_uint_eq(atomic_load(&bell.listener), PPI_LISTENER_NONE);
}
END_TEST

START_TEST(one_who_wakes_does_not_unlist_another)
{
    uint32_t ticket = ppi_doorbell_listen(&bell, PPI_LISTENER_BACKGROUND);
    ppi_doorbell_listen(&bell, PPI_LISTENER_WAITER); /* takes over */
    ppi_doorbell_sleep(&bell, PPI_LISTENER_BACKGROUND, ticket, 1000000);
    ck_assert_uint_eq(atomic_load(&bell.listener), PPI_LISTENER_WAITER);
}
END_TEST

START_TEST(silence_unlists_whoever_listens)
{
    for (int who = 0; who < PPI_LISTENERS; who++) {
        atomic_store(&bell.listener, (uint32_t)who);
        ppi_doorbell_silence(&bell);
        ck_assert_uint_eq(atomic_load(&bell.listener), PPI_LISTENER_NONE);
    }
}
END_TEST

START_TEST(wake_reaches_whom_it_names_announced_or_not)
{
    ppi_doorbell_wake(&bell, PPI_LISTENER_BACKGROUND);
    ck_assert_uint_eq(atomic_load(&bell.rings[PPI_LISTENER_BACKGROUND]), 1);
    ck_assert_uint_eq(atomic_load(&bell.rings[PPI_LISTENER_WAITER]), 0);
}
END_TEST

START_TEST(nonsense_of_a_task_rings_nobody)
{
    struct random r = random_begin("nonsense");
    struct ppi_doorbell before[3]; /* memory around it */
    memset(before, 0, sizeof before);
    for (int i = 0; i < 10000; i++) {
        uint32_t who = PPI_LISTENERS + (uint32_t)random_below(&r, UINT32_MAX - PPI_LISTENERS);
        atomic_store(&before[1].listener, who);
        ppi_doorbell_ring(&before[1]);
        for (int k = 0; k < PPI_LISTENERS; k++)
            if (atomic_load(&before[1].rings[k])) ck_abort_msg("listener %u", who);
    }
}
END_TEST

/* ---- A sleeper and several ringers: each thing that is announced is seen, with no time-out to help. -------------- */

#define RINGERS 3
#define THINGS 20000

static _Atomic uint32_t things[RINGERS];

static void *ringer(void *arg)
{
    _Atomic uint32_t *mine = arg;
    for (int i = 0; i < THINGS; i++) {
        atomic_fetch_add(mine, 1); /* seq_cst, before the ring */
        ppi_doorbell_ring(&bell);
        if (i % 64 == 0) sched_yield();
    }
    return NULL;
}

static uint32_t all_things(void)
{
    uint32_t sum = 0;
    for (int i = 0; i < RINGERS; i++) sum += atomic_load(&things[i]);
    return sum;
}

START_TEST(nothing_announced_is_slept_over)
{
    enum ppi_listener who = _i ? PPI_LISTENER_BACKGROUND : PPI_LISTENER_WAITER;
    pthread_t thread[RINGERS];
    for (int i = 0; i < RINGERS; i++) ck_assert_int_eq(pthread_create(&thread[i], NULL, ringer, &things[i]), 0);
    uint32_t seen = 0, sleeps = 0;
    while (seen < RINGERS * THINGS) {
        uint32_t ticket = ppi_doorbell_listen(&bell, who);
        if (all_things() == seen) {
            ppi_doorbell_sleep(&bell, who, ticket, UINT64_MAX);
            sleeps++;
        }
        ppi_doorbell_silence(&bell);
        seen = all_things();
    }
    for (int i = 0; i < RINGERS; i++) pthread_join(thread[i], NULL);
    printf("%u sleeps\n", sleeps);
}
END_TEST

/* Two doorbells, one ball: a lost ring would stop the game. */
static struct ppi_doorbell bells[2];
static _Atomic uint32_t ball;

static void play(uint32_t side, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        while (atomic_load(&ball) % 2 != side) {
            uint32_t ticket = ppi_doorbell_listen(&bells[side], PPI_LISTENER_WAITER);
            if (atomic_load(&ball) % 2 != side) ppi_doorbell_sleep(&bells[side], PPI_LISTENER_WAITER, ticket, UINT64_MAX);
            ppi_doorbell_silence(&bells[side]);
        }
        atomic_fetch_add(&ball, 1);
        ppi_doorbell_ring(&bells[1 - side]);
    }
}

static void *other_side(void *arg)
{
    play(1, 20000);
    return arg;
}

START_TEST(ping_pong_never_stops)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, other_side, NULL), 0);
    play(0, 20000);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(atomic_load(&ball), 40000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doorbell");
    TCase *c = tcase_create("steps");
    tcase_set_timeout(c, 30);
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_test(c, ring_without_a_listener_changes_nothing);
    tcase_add_test(c, ring_reaches_the_listener_that_announced_itself_once);
    tcase_add_test(c, ring_between_listen_and_sleep_is_not_missed);
    tcase_add_test(c, sleep_ends_when_its_time_is_over_and_nobody_listens_then);
    tcase_add_test(c, one_who_wakes_does_not_unlist_another);
    tcase_add_test(c, silence_unlists_whoever_listens);
    tcase_add_test(c, wake_reaches_whom_it_names_announced_or_not);
    tcase_add_test(c, nonsense_of_a_task_rings_nobody);
    suite_add_tcase(suite, c);
    c = tcase_create("race");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_loop_test(c, nothing_announced_is_slept_over, 0, 2);
    tcase_add_test(c, ping_pong_never_stops);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
