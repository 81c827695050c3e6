/* Lengths of time in 32 bits: exact while they are short, and never off by more than 2^-27 of themselves. */
#include "task/span.h"

#include "unit/random.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>

#define LONGEST ((uint64_t)(PPI_SPAN_EXACT - 1) << 31) /* 9.1 years */

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

static uint64_t kept(uint64_t ns)
{
    return ppi_span_ns(ppi_span_of(ns));
}

static uint64_t error_of(uint64_t ns)
{
    return kept(ns) > ns ? kept(ns) - ns : ns - kept(ns);
}

START_TEST(short_spans_are_exact)
{
    struct random r = random_begin("short_spans");
    for (uint64_t ns = 0; ns < 100000; ns++) INSIST(kept(ns) == ns);
    for (int i = 0; i < 1000000; i++) {
        uint64_t ns = random_below(&r, PPI_SPAN_EXACT);
        INSIST(kept(ns) == ns);
    }
    for (uint64_t ns = 134217700; ns <= PPI_SPAN_EXACT; ns++) ck_assert_uint_eq(kept(ns), ns);
}
END_TEST

START_TEST(long_spans_are_off_by_little)
{
    struct random r = random_begin("long_spans");
    for (int i = 0; i < 1000000; i++) {
        uint64_t ns = random_magnitude(&r, 59);
        if (ns > LONGEST) continue;
        INSIST(error_of(ns) <= ns >> 27);
    }
    for (unsigned bit = 0; bit < 58; bit++) { /* about each power of two */
        uint64_t ns = (uint64_t)1 << bit;
        ck_assert_uint_eq(kept(ns), ns);
        ck_assert_uint_le(error_of(ns - 1), ns >> 27);
        ck_assert_uint_le(error_of(ns + 1), ns >> 27);
    }
}
END_TEST

START_TEST(longer_spans_are_not_shorter)
{
    struct random r = random_begin("monotonic");
    for (int i = 0; i < 1000000; i++) {
        uint64_t a = random_magnitude(&r, 64);
        uint64_t b = i % 2 ? random_magnitude(&r, 64) : a + random_below(&r, 1 + (a >> 24));
        uint64_t less = a < b ? a : b, more = a < b ? b : a;
        INSIST(ppi_span_of(less) <= ppi_span_of(more));
        INSIST(kept(less) <= kept(more));
    }
}
END_TEST

START_TEST(what_is_too_long_is_the_longest)
{
    ck_assert_uint_eq(kept(LONGEST), LONGEST);
    ck_assert_uint_eq(kept(LONGEST + 1), LONGEST);
    ck_assert_uint_eq(kept((uint64_t)1 << 58), LONGEST);
    ck_assert_uint_eq(kept((uint64_t)1 << 63), LONGEST);
    ck_assert_uint_eq(kept(UINT64_MAX), LONGEST);
    ck_assert_uint_eq(ppi_span_ns(UINT32_MAX), LONGEST);
}
END_TEST

START_TEST(all_that_32_bits_can_say_is_said_again)
{
    for (uint32_t number = (uint32_t)PPI_SPAN_EXACT / 2; number < PPI_SPAN_EXACT; number += 997)
        for (uint32_t shift = 0; shift < 32; shift++) {
            uint32_t span = shift << PPI_SPAN_BITS | number;
            INSIST(ppi_span_of(ppi_span_ns(span)) == span);
        }
}
END_TEST

START_TEST(time_does_not_go_back)
{
    ck_assert_uint_eq(ppi_span_between(5, 12), 7);
    ck_assert_uint_eq(ppi_span_between(5, 5), 0);
    ck_assert_uint_eq(ppi_span_between(5, 4), 0);
    ck_assert_uint_eq(ppi_span_between(UINT64_MAX, 0), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("span");
    TCase *c = tcase_create("span");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, short_spans_are_exact);
    tcase_add_test(c, long_spans_are_off_by_little);
    tcase_add_test(c, longer_spans_are_not_shorter);
    tcase_add_test(c, what_is_too_long_is_the_longest);
    tcase_add_test(c, all_that_32_bits_can_say_is_said_again);
    tcase_add_test(c, time_does_not_go_back);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
