/* The lock that prefers a thread: it is a lock whoever is preferred, and somebody is. */
#include "base/clock.h"
#include "base/lock.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#define OFTEN 20000

static struct ppi_lock lock;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long left, right; /* equal whenever the lock is free */

static void set_up(void)
{
    ppi_lock_prepare(0);
    ppi_lock_init(&lock);
    left = right = 0;
}

static void tear_down(void)
{
    ppi_lock_fini(&lock);
}

static int is_preferred(void)
{
    struct ppi_lock_preference *p = atomic_load(&lock.preferred);
    return p && pthread_equal(p->thread, pthread_self());
}

/* Whether there are preferences at all: not under ThreadSanitizer, and not on every kernel. */
static int has_preferences(void)
{
    for (int i = 0; i < OFTEN; i++) {
        ppi_lock_take(&lock);
        ppi_lock_give(&lock);
    }
    return atomic_load(&lock.preferred) != NULL;
}

static void step(void)
{
    ppi_lock_take(&lock);
    long before = left++;
    ck_assert_int_eq(before, right);
    right = before + 1;
    ppi_lock_give(&lock);
}

static void *many_steps(void *arg)
{
    for (long i = 0; i < (long)arg; i++) step();
    return NULL;
}

static void *rare_steps(void *arg)
{
    for (long i = 0; i < (long)arg; i++) {
        step();
        usleep((useconds_t)(i % 7) * 50);
    }
    return NULL;
}

static pthread_t start(void *(*body)(void *arg), long arg)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, body, (void *)arg), 0);
    return thread;
}

START_TEST(who_takes_it_often_is_preferred)
{
    if (!has_preferences()) return;
    ck_assert(is_preferred());
    step();
    ck_assert(lock.held != NULL);
    pthread_join(start(many_steps, 1), NULL);
    ck_assert(!is_preferred());
    step();
    ck_assert(lock.held == NULL);
    ck_assert_int_eq(left, 3);
}
END_TEST

START_TEST(each_end_makes_the_next_preference_dearer)
{
    if (!has_preferences()) return;
    uint32_t before = 0;
    for (int i = 0; i < 20; i++) {
        uint32_t taken = 0;
        for (; !is_preferred(); taken++) step();
        ck_assert(i == 0 || taken >= before);
        ck_assert_uint_le(taken, OFTEN);
        before = taken;
        pthread_join(start(many_steps, 1), NULL);
    }
    ck_assert_uint_gt(before, 1000);
}
END_TEST

START_TEST(nobody_is_inside_with_another)
{
    pthread_t rare[3];
    for (int i = 0; i < 3; i++) rare[i] = start(rare_steps, 300);
    many_steps((void *)400000l);
    for (int i = 0; i < 3; i++) pthread_join(rare[i], NULL);
    ck_assert_int_eq(left, 400900);
    ck_assert_int_eq(right, 400900);
}
END_TEST

START_TEST(two_that_take_it_often_share_it)
{
    pthread_t other = start(many_steps, 200000);
    many_steps((void *)200000l);
    pthread_join(other, NULL);
    ck_assert_int_eq(left, 400000);
}
END_TEST

START_TEST(threads_that_were_preferred_come_and_go)
{
    for (int i = 0; i < 3 * PPI_LOCK_PREFERENCES; i++) {
        pthread_join(start(many_steps, OFTEN), NULL);
        many_steps((void *)(long)(i % 2 ? OFTEN : 1));
    }
    ck_assert_int_eq(left, right);
    ck_assert(lock.known <= PPI_LOCK_PREFERENCES);
}
END_TEST

static void *answer(void *arg)
{
    long rounds = (long)arg;
    for (long i = 0; i < rounds; i++) {
        ppi_lock_take(&lock);
        while (left % 2 == 0) ppi_lock_wait(&lock, &changed, NULL);
        left++;
        pthread_cond_broadcast(&changed);
        ppi_lock_give(&lock);
    }
    return NULL;
}

START_TEST(conditions_reach_whoever_waits)
{
    pthread_t other = start(answer, 300);
    for (int i = 0; i < 300; i++) {
        ppi_lock_take(&lock);
        while (left % 2 != 0) ppi_lock_wait(&lock, &changed, NULL);
        left++;
        pthread_cond_broadcast(&changed);
        ppi_lock_give(&lock);
        for (int k = 0; k < i * 20; k++) { /* so that waits begin with and without the preference */
            ppi_lock_take(&lock);
            ppi_lock_give(&lock);
        }
    }
    pthread_join(other, NULL);
    ck_assert_int_eq(left, 600);
}
END_TEST

START_TEST(a_wait_ends_at_its_time)
{
    if (has_preferences()) ck_assert(is_preferred());
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    uint64_t begun = ppi_now_ns();
    ppi_lock_take(&lock);
    ppi_lock_wait(&lock, &changed, &until);
    ppi_lock_give(&lock);
    ck_assert_uint_ge(ppi_now_ns() - begun, 15000000);
    step();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, who_takes_it_often_is_preferred);
    tcase_add_test(tc, each_end_makes_the_next_preference_dearer);
    tcase_add_test(tc, nobody_is_inside_with_another);
    tcase_add_test(tc, two_that_take_it_often_share_it);
    tcase_add_test(tc, threads_that_were_preferred_come_and_go);
    tcase_add_test(tc, conditions_reach_whoever_waits);
    tcase_add_test(tc, a_wait_ends_at_its_time);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
