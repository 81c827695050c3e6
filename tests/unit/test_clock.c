/* The clock and what goes by the processor's counter. */
#include "base/clock.h"
#include "unit/suite.h"

#include <check.h>
#include <math.h>
#include <unistd.h>

#define SLACK_NS 5000 /* a reading of the clock in between may be held up so long without being noticed */

static struct ppi_stopwatch watch;
static uint64_t off_most; /* how far the watch was beside the clock */

/* Looks once, between two readings of the clock; returns the time. */
static uint64_t look(uint64_t last)
{
    uint64_t before = ppi_now_ns(), told = ppi_stopwatch_ns(&watch), after = ppi_now_ns();
    uint64_t off = told < before ? before - told : told > after ? told - after : 0;
    if (off > off_most) off_most = off;
    ck_assert_msg(told >= last, "the watch went back by %llu ns", (unsigned long long)(last - told));
    return told;
}

START_TEST(stopwatch_goes_with_the_clock_and_never_back)
{
    watch = (struct ppi_stopwatch){0};
    off_most = 0;
    uint64_t last = 0, until = ppi_now_ns() + 100000000;
    for (uint64_t i = 1; last < until; i++) {
        last = look(last);
        if (i % 4096 == 0) usleep((useconds_t)(i / 4096 % 3000)); /* also after a while in which nobody looked */
    }
    ck_assert_uint_le(off_most, SLACK_NS);
}
END_TEST

START_TEST(stopwatch_measures_what_is_shorter_than_its_readings_of_the_clock)
{
    watch = (struct ppi_stopwatch){0};
    for (uint64_t until = ppi_now_ns() + 20000000; ppi_now_ns() < until;) ppi_stopwatch_ns(&watch); /* until it knows the rate */
    double by_watch = 0, by_clock = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t began = ppi_now_ns(), told = ppi_stopwatch_ns(&watch);
        while (ppi_now_ns() < began + 2000) continue;
        told = ppi_stopwatch_ns(&watch) - told;
        uint64_t took = ppi_now_ns() - began;
        if (took > 20000) continue; /* lost its core meanwhile */
        by_watch += (double)told;
        by_clock += (double)took;
    }
    ck_assert_msg(by_watch > 0.8 * by_clock && by_watch < 1.05 * by_clock, "%.0f ns by the watch, %.0f by the clock", by_watch,
                  by_clock);
}
END_TEST

START_TEST(stopwatch_takes_a_counter_that_jumps_for_a_long_time)
{
    watch = (struct ppi_stopwatch){0};
    for (uint64_t until = ppi_now_ns() + 20000000; ppi_now_ns() < until;) ppi_stopwatch_ns(&watch);
    uint64_t last = ppi_stopwatch_ns(&watch);
    off_most = 0;
    watch.ticks += 1000000000; /* the counter of another processor that is behind, */
    last = look(last);
    watch.ticks -= 1000000000; /* … and one that is ahead */
    last = look(last);
    watch.rate_ticks -= (uint64_t)1 << 60;
    watch.ticks = 0;
    last = look(last);
    look(last);
    ck_assert_uint_le(off_most, 100000);
}
END_TEST

START_TEST(recent_time_is_no_older_than_microseconds)
{
    struct ppi_recent recent = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t before = ppi_now_ns(), told = ppi_recent_ns(&recent), after = ppi_now_ns();
        ck_assert_uint_le(told, after);
        ck_assert_uint_ge(told + 20000, before);
    }
}
END_TEST

START_TEST(seconds_become_deadlines_and_time_outs)
{
    uint64_t now = ppi_now_ns();
    ck_assert_uint_eq(ppi_deadline_ns(-1), UINT64_MAX);
    ck_assert_uint_eq(ppi_deadline_ns(INFINITY), UINT64_MAX);
    ck_assert_uint_eq(ppi_deadline_ns(NAN), UINT64_MAX);
    ck_assert_uint_ge(ppi_deadline_ns(2.5), now + 2500000000u);
    ck_assert_uint_eq(ppi_timeout_ns(0), 0);
    ck_assert_uint_eq(ppi_timeout_ns(1e-12), 1);
    ck_assert_uint_eq(ppi_timeout_ns(1.5), 1500000000u);
    ck_assert_uint_eq(ppi_timeout_ns(1e9), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *c = tcase_create("clock");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, stopwatch_goes_with_the_clock_and_never_back);
    tcase_add_test(c, stopwatch_measures_what_is_shorter_than_its_readings_of_the_clock);
    tcase_add_test(c, stopwatch_takes_a_counter_that_jumps_for_a_long_time);
    tcase_add_test(c, recent_time_is_no_older_than_microseconds);
    tcase_add_test(c, seconds_become_deadlines_and_time_outs);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
