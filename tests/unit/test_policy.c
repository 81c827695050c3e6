/* How far ahead jobs are handed out. */
#include "base/policy.h"

#include "unit/random.h"
#include "unit/suite.h"

#include <check.h>

START_TEST(nothing_measured_is_the_least_depth)
{
    ck_assert_uint_eq(ppi_depth_for(0), PPI_DEPTH_LEAST);
    ck_assert_uint_eq(ppi_depth_for(-1), PPI_DEPTH_LEAST);
}
END_TEST

START_TEST(depth_stays_within_its_bounds_and_falls_with_the_duration)
{
    uint32_t last = PPI_DEPTH_MOST, last_far = PPI_DEPTH_MOST_FAR;
    for (double ns = 0.001; ns < 1e20; ns *= 1.01) {
        uint32_t depth = ppi_depth_for(ns), far = ppi_depth_far(ns);
        ck_assert(depth >= PPI_DEPTH_LEAST && depth <= PPI_DEPTH_MOST && far <= PPI_DEPTH_MOST_FAR);
        ck_assert(depth <= last && far <= last_far && far >= depth);
        last = depth;
        last_far = far;
    }
    ck_assert_uint_eq(ppi_depth_for(0.001), PPI_DEPTH_MOST);
    ck_assert_uint_eq(ppi_depth_far(0.001), PPI_DEPTH_MOST_FAR);
    ck_assert_uint_eq(last, PPI_DEPTH_LEAST);
    ck_assert_uint_eq(last_far, PPI_DEPTH_LEAST);
}
END_TEST

START_TEST(depth_is_as_much_work_as_is_wanted_ahead)
{
    ck_assert_uint_eq(ppi_depth_for(PPI_AHEAD_NS / 100), 100);
    ck_assert_uint_eq(ppi_depth_for(PPI_AHEAD_NS / 3), 3);
    ck_assert_uint_eq(ppi_depth_for(PPI_AHEAD_NS), PPI_DEPTH_LEAST);
}
END_TEST

START_TEST(who_gives_nothing_back_gets_less_ahead)
{
    ck_assert_uint_eq(ppi_depth_alone(0, 0, 8), 1);
    ck_assert_uint_eq(ppi_depth_alone(PPI_ALONE_NS / 4, 1, 8), 4);
    ck_assert_uint_eq(ppi_depth_alone(PPI_ALONE_NS, 1, 8), 1);
    ck_assert_uint_eq(ppi_depth_alone(PPI_ALONE_NS / 4, PPI_ALONE_NS, 8), 1); /* the last one was long */
    ck_assert_uint_eq(ppi_depth_alone(0.001, 1, 8), PPI_DEPTH_MOST);
}
END_TEST

START_TEST(in_a_crowd_everybody_gets_more_ahead_the_more_there_are)
{
    ck_assert(ppi_crowd_ns(1) == 0 && ppi_crowd_ns(8) == 0);
    ck_assert(ppi_crowd_ns(1000) == 1000 * PPI_CROWD_NS && ppi_crowd_ns(65535) == 65535 * PPI_CROWD_NS);
    double crowd_ns = ppi_crowd_ns(1000);
    ck_assert_uint_eq(ppi_depth_alone(crowd_ns / 5, 1, 1000), 5);
    ck_assert_uint_eq(ppi_depth_alone(crowd_ns / 5, 1, 2000), 10);
    ck_assert_uint_eq(ppi_depth_alone(crowd_ns / 5, 1, 8), 1);
    ck_assert_uint_eq(ppi_depth_alone(crowd_ns, 1, 1000), 1);
    ck_assert_uint_eq(ppi_depth_alone(crowd_ns / 5, crowd_ns, 1000), 1); /* the last one was long */
    ck_assert_uint_eq(ppi_depth_alone(0, 0, 1000), 1);
    ck_assert_uint_eq(ppi_depth_alone(1, 1, 1000), PPI_DEPTH_MOST);
}
END_TEST

START_TEST(first_duration_is_the_mean)
{
    ck_assert(ppi_mean_update(0, 0) > 0); /* measured, however short: 0 would mean that nothing is */
    ck_assert(ppi_mean_update(0, 1000) >= 1000 && ppi_mean_update(0, 1000) <= 1001);
}
END_TEST

START_TEST(mean_stays_between_the_extremes_and_follows_a_change)
{
    struct random r = random_begin("mean");
    double mean = 0;
    for (int i = 0; i < 10000; i++) {
        mean = ppi_mean_update(mean, 500 + random_below(&r, 1000));
        ck_assert(mean >= 500 && mean <= 1501);
    }
    for (int i = 0; i < 300; i++) mean = ppi_mean_update(mean, 1000000);
    ck_assert(mean > 990000 && mean < 1000001);
    for (int i = 0; i < 600; i++) mean = ppi_mean_update(mean, 0);
    ck_assert(mean >= 0 && mean < 1);
    ck_assert_uint_eq(ppi_depth_for(mean), mean > 0 ? PPI_DEPTH_MOST : PPI_DEPTH_LEAST);
}
END_TEST

START_TEST(largest_duration_is_no_trouble)
{
    double mean = ppi_mean_update(0, UINT64_MAX);
    mean = ppi_mean_update(mean, UINT64_MAX);
    ck_assert(mean > 1e19);
    ck_assert_uint_eq(ppi_depth_for(mean), PPI_DEPTH_LEAST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *c = tcase_create("policy");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, nothing_measured_is_the_least_depth);
    tcase_add_test(c, depth_stays_within_its_bounds_and_falls_with_the_duration);
    tcase_add_test(c, depth_is_as_much_work_as_is_wanted_ahead);
    tcase_add_test(c, who_gives_nothing_back_gets_less_ahead);
    tcase_add_test(c, in_a_crowd_everybody_gets_more_ahead_the_more_there_are);
    tcase_add_test(c, first_duration_is_the_mean);
    tcase_add_test(c, mean_stays_between_the_extremes_and_follows_a_change);
    tcase_add_test(c, largest_duration_is_no_trouble);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
