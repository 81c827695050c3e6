/* Status texts, and the last error of each thread. */
#include "base/status.h"
#include "unit/suite.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

START_TEST(each_status_has_a_value_and_a_text_of_its_own)
{
    static const struct {
        int value;
        const char *text;
    } all[] = {
#define X(name, value, text) {PP_##name, text},
        PP_STATUS_LIST(X)
#undef X
    };
    int n = (int)(sizeof all / sizeof *all);
    for (int i = 0; i < n; i++) {
        ck_assert_str_eq(pp_strerror(all[i].value), all[i].text);
        ck_assert_int_ne((int)strlen(all[i].text), 0);
        for (int k = 0; k < i; k++) {
            ck_assert_int_ne(all[i].value, all[k].value);
            ck_assert_str_ne(all[i].text, all[k].text);
        }
    }
    ck_assert_int_eq(PP_OK, 0);
    ck_assert(PP_TIMEOUT > 0 && PP_END > 0);
}
END_TEST

START_TEST(unknown_status_has_a_text_that_says_so)
{
    static const int unknown[] = {3, 100, -18, -1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        ck_assert_str_eq(pp_strerror(unknown[i]), "unknown status");
}
END_TEST

START_TEST(before_any_error_there_is_none)
{
    ck_assert_str_eq(pp_last_error(), "");
    ck_assert_int_eq(pp_last_error_code(), PP_OK);
}
END_TEST

START_TEST(error_is_returned_and_remembered_until_cleared)
{
    ck_assert_int_eq(ppi_error(PP_ERR_ARG, "timeout is %g, but %s", -2.5, "…"), PP_ERR_ARG);
    ck_assert_str_eq(pp_last_error(), "timeout is -2.5, but …");
    ck_assert_int_eq(pp_last_error_code(), PP_ERR_ARG);
    ck_assert_str_eq(pp_last_error(), "timeout is -2.5, but …"); /* reading changes nothing */
    ppi_error_clear();
    ck_assert_str_eq(pp_last_error(), "");
    ck_assert_int_eq(pp_last_error_code(), PP_OK);
}
END_TEST

START_TEST(errno_is_explained_and_kept)
{
    ck_assert_int_eq(ppi_error_errno(PP_ERR_SYSTEM, ENOENT, "cannot open %s", "x"), PP_ERR_SYSTEM);
    char expected[200];
    snprintf(expected, sizeof expected, "cannot open x: %s", strerror(ENOENT));
    ck_assert_str_eq(pp_last_error(), expected);
}
END_TEST

START_TEST(old_text_may_be_part_of_the_new_one)
{
    ppi_error(PP_ERR_NOMEM, "inner");
    ppi_error(PP_ERR_SYSTEM, "outer: %s; again: %s", pp_last_error(), pp_last_error());
    ck_assert_str_eq(pp_last_error(), "outer: inner; again: inner");
    for (int i = 0; i < 2000; i++) ppi_error(PP_ERR_SYSTEM, "%d %s", i % 10, pp_last_error()); /* it is cut, not overrun */
    ck_assert_uint_lt(strlen(pp_last_error()), 1024);
    ck_assert(strncmp(pp_last_error(), "9 8 7 6 ", 8) == 0);
    ppi_error_errno(PP_ERR_SYSTEM, EIO, "%s", pp_last_error()); /* no room for the reason */
    ck_assert_uint_lt(strlen(pp_last_error()), 1024);
}
END_TEST

START_TEST(long_text_is_cut)
{
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ppi_error(PP_ERR_ARG, "%s", text);
    ck_assert_uint_eq(strlen(pp_last_error()), 1023);
}
END_TEST

static void *in_thread(void *arg)
{
    int number = *(int *)arg;
    char text[64];
    if (*pp_last_error() || pp_last_error_code()) return arg;
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "thread %d, error %d", number, i);
        ppi_error(-1 - i % 17, "thread %d, error %d", number, i);
        if (strcmp(pp_last_error(), text) != 0 || pp_last_error_code() != -1 - i % 17) return arg;
    }
    return NULL;
}

START_TEST(each_thread_has_its_own_last_error)
{
    pthread_t thread[4];
    int number[4];
    ppi_error(PP_ERR_STATE, "of the main thread");
    for (int i = 0; i < 4; i++) {
        number[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, in_thread, &number[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
    ck_assert_str_eq(pp_last_error(), "of the main thread");
    ck_assert_int_eq(pp_last_error_code(), PP_ERR_STATE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *c = tcase_create("status");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, each_status_has_a_value_and_a_text_of_its_own);
    tcase_add_test(c, unknown_status_has_a_text_that_says_so);
    tcase_add_test(c, before_any_error_there_is_none);
    tcase_add_test(c, error_is_returned_and_remembered_until_cleared);
    tcase_add_test(c, errno_is_explained_and_kept);
    tcase_add_test(c, old_text_may_be_part_of_the_new_one);
    tcase_add_test(c, long_text_is_cut);
    tcase_add_test(c, each_thread_has_its_own_last_error);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
