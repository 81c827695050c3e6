/* Every option: its default, the program's value, its variable, and what is said when either cannot be. */
#include "base/options.h"

#include "base/status.h"
#include "unit/suite.h"

#include <check.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

/* One accepted value, by variable and by field. */
enum kind { INTEGER, REAL, SIZE, TEXT };
static const struct option {
    const char *variable, *text; /* text: as the environment has it */
    size_t offset;
    enum kind kind;
    double value; /* what the text means */
    double usual; /* the default */
} options[] = {
#define O(field) offsetof(pp_options, field)
    {"WORKERS", "7", O(workers), INTEGER, 7, PP_AUTODETECT},
    {"CORES_PER_WORKER", "4", O(cores_per_worker), INTEGER, 4, 1},
    {"HOSTS", "node-1,node-2", O(hosts), TEXT, 0, 0},
    {"TIMEOUT", "2.5", O(timeout), REAL, 2.5, 0},
    {"RETRIES", "3", O(retries), INTEGER, 3, 0},
    {"RESTART", "100", O(restart), INTEGER, 100, 0},
    {"ISOLATION", "none", O(isolation), INTEGER, PP_ISOLATE_NONE, PP_ISOLATE_PROCESS},
    {"MPI", "always", O(mpi), INTEGER, PP_MPI_ALWAYS, PP_MPI_AUTO},
    {"MODULES", "a.so:b.so", O(modules), TEXT, 0, 0},
    {"QUEUE_LIMIT", "5000000000", O(queue_limit), SIZE, 5000000000.0, 0},
    {"HEARTBEAT", "0.25", O(heartbeat), REAL, 0.25, 10},
    {"STATS", "1", O(stats), INTEGER, 1, 0},
    {"PROGRESS", "1", O(progress), INTEGER, 1, 0},
    {"SIGNAL_STATS", "0", O(signal_stats), INTEGER, 0, 1},
    {"LOG_LEVEL", "debug", O(log_level), INTEGER, PP_LOG_DEBUG, PP_LOG_WARNING},
};
#define OPTIONS ((int)(sizeof options / sizeof *options))

static void set(const char *variable, const char *text)
{
    char name[64];
    snprintf(name, sizeof name, "PPMPI_%s", variable);
    setenv(name, text, 1);
}

static double number(const pp_options *o, const struct option *option)
{
    const char *at = (const char *)o + option->offset;
    switch (option->kind) {
    case INTEGER: return *(const int *)(const void *)at;
    case REAL: return *(const double *)(const void *)at;
    case SIZE: return (double)*(const size_t *)(const void *)at;
    case TEXT: break;
    }
    return 0;
}

static const char *text_of(const pp_options *o, const struct option *option)
{
    return *(const char *const *)(const void *)((const char *)o + option->offset);
}

static void put(pp_options *o, const struct option *option)
{
    char *at = (char *)o + option->offset;
    switch (option->kind) {
    case INTEGER: *(int *)(void *)at = (int)option->value; break;
    case REAL: *(double *)(void *)at = option->value; break;
    case SIZE: *(size_t *)(void *)at = (size_t)option->value; break;
    case TEXT: *(const char **)(void *)at = option->text; break;
    }
}

/* All but one option have their defaults. */
static void check_others(const pp_options *o, int but)
{
    for (int i = 0; i < OPTIONS; i++) {
        if (i == but) continue;
        if (options[i].kind == TEXT)
            ck_assert_ptr_null(text_of(o, &options[i]));
        else
            ck_assert(number(o, &options[i]) == options[i].usual);
    }
}

START_TEST(list_has_each_option_that_is_tested_here)
{
    static const char *const names[] = {
#define INT(field, name, least, most) name,
#define NUMBER(field, name, least) name,
#define ONE(field, name) name,
#define NAMED(field, name, ...) name,
        PPI_OPTIONS_LIST(INT, NUMBER, ONE, ONE, NAMED)
#undef INT
#undef NUMBER
#undef ONE
#undef NAMED
    };
    ck_assert_int_eq((int)(sizeof names / sizeof *names), OPTIONS);
    for (int i = 0; i < OPTIONS; i++) ck_assert_str_eq(names[i], options[i].variable);
}
END_TEST

START_TEST(without_program_and_environment_there_are_the_defaults)
{
    pp_options o, init = PP_OPTIONS_INIT;
    ck_assert_int_eq(ppi_options_resolve(NULL, &o), PP_OK);
    check_others(&o, -1);
    ck_assert_uint_eq(o.size, sizeof o);
    ck_assert(o.initializer == NULL);
    ck_assert_int_eq(ppi_options_resolve(&init, &o), PP_OK);
    check_others(&o, -1);
}
END_TEST

START_TEST(field_of_the_program_counts)
{
    pp_options user = PP_OPTIONS_INIT, o;
    put(&user, &options[_i]);
    ck_assert_int_eq(ppi_options_resolve(&user, &o), PP_OK);
    check_others(&o, _i);
    if (options[_i].kind == TEXT)
        ck_assert_str_eq(text_of(&o, &options[_i]), options[_i].text);
    else
        ck_assert(number(&o, &options[_i]) == options[_i].value);
}
END_TEST

START_TEST(variable_wins_over_the_program)
{
    pp_options user = PP_OPTIONS_INIT, o;
    set(options[_i].variable, options[_i].text);
    for (int with = 0; with < 2; with++) {
        ck_assert_int_eq(ppi_options_resolve(with ? &user : NULL, &o), PP_OK);
        check_others(&o, _i);
        if (options[_i].kind == TEXT)
            ck_assert_str_eq(text_of(&o, &options[_i]), options[_i].text);
        else
            ck_assert(number(&o, &options[_i]) == options[_i].value);
    }
}
END_TEST

/* ---- what is refused, and with which words */

static const struct {
    const char *variable, *text, *allowed;
} refused[] = {
    {"WORKERS", "", "whole number from 0 to 1024"},
    {"WORKERS", "-1", "whole number from 0 to 1024"},
    {"WORKERS", "1025", "whole number from 0 to 1024"},
    {"WORKERS", "4x", "whole number from 0 to 1024"},
    {"WORKERS", "four", "whole number from 0 to 1024"},
    {"WORKERS", "4.0", "whole number from 0 to 1024"},
    {"WORKERS", "4 ", "whole number from 0 to 1024"},
    {"WORKERS", " 4", "whole number from 0 to 1024"},
    {"WORKERS", "+4", "whole number from 0 to 1024"},
    {"WORKERS", "-0", "whole number from 0 to 1024"},
    {"WORKERS", "0x4", "whole number from 0 to 1024"},
    {"WORKERS", "4294967300", "whole number from 0 to 1024"},
    {"WORKERS", "99999999999999999999999", "whole number from 0 to 1024"},
    {"CORES_PER_WORKER", "0", "whole number from 1 to 4096"},
    {"TIMEOUT", "-0.1", "seconds from 0 on"},
    {"TIMEOUT", "-0.0", "seconds from 0 on"},
    {"TIMEOUT", " 4", "seconds from 0 on"},
    {"TIMEOUT", "+4", "seconds from 0 on"},
    {"TIMEOUT", "0x10", "seconds from 0 on"},
    {"TIMEOUT", "1e-400", "seconds from 0 on"},
    {"TIMEOUT", ".", "seconds from 0 on"},
    {"TIMEOUT", "nan", "seconds from 0 on"},
    {"TIMEOUT", "inf", "seconds from 0 on"},
    {"TIMEOUT", "1e999", "seconds from 0 on"},
    {"TIMEOUT", "5s", "seconds from 0 on"},
    {"TIMEOUT", "", "seconds from 0 on"},
    {"RETRIES", "-1", "whole number from 0 to 60000"},
    {"RETRIES", "60001", "whole number from 0 to 60000"},
    {"RESTART", "-1", "whole number from 0"},
    {"ISOLATION", "thread", "process or none"},
    {"ISOLATION", "0", "process or none"},
    {"ISOLATION", "", "process or none"},
    {"MPI", "never", "auto or always"},
    {"MPI", "Auto", "auto or always"},
    {"QUEUE_LIMIT", "-1", "whole number from 0 on"},
    {"QUEUE_LIMIT", "1.5", "whole number from 0 on"},
    {"QUEUE_LIMIT", "18446744073709551615", "whole number from 0 on"},
    {"HEARTBEAT", "0", "seconds from 0.001 on"},
    {"STATS", "2", "whole number from 0 to 1"},
    {"STATS", "yes", "whole number from 0 to 1"},
    {"PROGRESS", "-1", "whole number from 0 to 1"},
    {"SIGNAL_STATS", "2", "whole number from 0 to 1"},
    {"LOG_LEVEL", "loud", "error or warning or info or debug"},
    {"LOG_LEVEL", "3", "error or warning or info or debug"},
};

START_TEST(malformed_variable_is_named_with_its_value_and_what_is_allowed)
{
    pp_options o, before;
    char named[256];
    memset(&o, 0x5a, sizeof o);
    before = o;
    set(refused[_i].variable, refused[_i].text);
    ck_assert_int_eq(ppi_options_resolve(NULL, &o), PP_ERR_ARG);
    ck_assert(memcmp(&o, &before, sizeof o) == 0);
    ck_assert_int_eq(pp_last_error_code(), PP_ERR_ARG);
    snprintf(named, sizeof named, "PPMPI_%s=\"%s\"", refused[_i].variable, refused[_i].text);
    ck_assert_msg(strstr(pp_last_error(), named), "%s", pp_last_error());
    ck_assert_msg(strstr(pp_last_error(), refused[_i].allowed), "%s", pp_last_error());
}
END_TEST

#define REFUSED_FIELD(field_, value_, shown)                                                               \
    do {                                                                                                   \
        pp_options user = PP_OPTIONS_INIT, o, before;                                                      \
        memset(&o, 0x5a, sizeof o);                                                                        \
        before = o;                                                                                        \
        user.field_ = value_;                                                                              \
        ck_assert_msg(ppi_options_resolve(&user, &o) == PP_ERR_ARG, #field_ " = " #value_ " is accepted"); \
        ck_assert(memcmp(&o, &before, sizeof o) == 0);                                                     \
        ck_assert_msg(strstr(pp_last_error(), "options." #field_) && strstr(pp_last_error(), shown) &&               \
                          strstr(pp_last_error(), "is allowed"), "%s", pp_last_error());                   \
    } while (0)

START_TEST(field_out_of_range_is_named_with_its_value_and_what_is_allowed)
{
    REFUSED_FIELD(workers, -1, "-1");
    REFUSED_FIELD(workers, 1025, "1025");
    REFUSED_FIELD(cores_per_worker, 0, "0");
    REFUSED_FIELD(timeout, -1.5, "-1.5");
    REFUSED_FIELD(timeout, (double)NAN, "nan");
    REFUSED_FIELD(timeout, (double)INFINITY, "inf");
    REFUSED_FIELD(retries, -1, "-1");
    REFUSED_FIELD(restart, -1, "-1");
    REFUSED_FIELD(isolation, 2, "2");
    REFUSED_FIELD(isolation, -1, "-1");
    REFUSED_FIELD(mpi, 2, "2");
    REFUSED_FIELD(heartbeat, 0.0, "0");
    REFUSED_FIELD(stats, 2, "2");
    REFUSED_FIELD(progress, -1, "-1");
    REFUSED_FIELD(signal_stats, 2, "2");
    REFUSED_FIELD(log_level, 4, "4");
    REFUSED_FIELD(log_level, -1, "-1");
}
END_TEST

START_TEST(good_variable_heals_a_bad_field)
{
    pp_options user = PP_OPTIONS_INIT, o;
    user.workers = -5;
    set("WORKERS", "2");
    ck_assert_int_eq(ppi_options_resolve(&user, &o), PP_OK);
    ck_assert_int_eq(o.workers, 2);
}
END_TEST

START_TEST(smallest_and_largest_values_are_accepted)
{
    static const struct {
        const char *variable, *text;
    } accepted[] = {{"WORKERS", "0"}, {"WORKERS", "1024"}, {"CORES_PER_WORKER", "1"}, {"CORES_PER_WORKER", "4096"},
                    {"TIMEOUT", "0"}, {"TIMEOUT", "1e300"}, {"TIMEOUT", "1e-9"}, {"RETRIES", "60000"},
                    {"RESTART", "1000000000"}, {"QUEUE_LIMIT", "0"}, {"QUEUE_LIMIT", "9223372036854775807"},
                    {"HEARTBEAT", "0.001"}, {"HOSTS", ""}};
    pp_options o;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        clearenv();
        set(accepted[i].variable, accepted[i].text);
        ck_assert_msg(ppi_options_resolve(NULL, &o) == PP_OK, "%s", pp_last_error());
    }
}
END_TEST

/* ---- a struct that grew since */

START_TEST(program_of_an_older_header_has_fewer_fields)
{
    struct {
        size_t size;
        int workers;
        char rest[sizeof(pp_options)]; /* not to be read */
    } old;
    pp_options o;
    memset(&old, 0x5a, sizeof old);
    old.size = offsetof(pp_options, workers) + sizeof(int);
    old.workers = 3;
    ck_assert_int_eq(ppi_options_resolve((const pp_options *)(const void *)&old, &o), PP_OK);
    ck_assert_int_eq(o.workers, 3);
    check_others(&o, 0);
    ck_assert_uint_eq(o.size, sizeof o);
}
END_TEST

START_TEST(program_of_a_newer_header_has_more_fields)
{
    struct {
        pp_options known;
        char more[100];
    } newer = {.known = PP_OPTIONS_INIT};
    pp_options o;
    newer.known.size = sizeof newer;
    newer.known.retries = 2;
    ck_assert_int_eq(ppi_options_resolve(&newer.known, &o), PP_OK);
    ck_assert_int_eq(o.retries, 2);
    ck_assert_uint_eq(o.size, sizeof o);
}
END_TEST

START_TEST(size_that_nobody_set_is_refused)
{
    static const size_t sizes[] = {0, 1, 7, 8, 11, 4097, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pp_options user = PP_OPTIONS_INIT, o;
        user.size = sizes[i];
        ck_assert_int_eq(ppi_options_resolve(&user, &o), PP_ERR_ARG);
        ck_assert_ptr_nonnull(strstr(pp_last_error(), "PP_OPTIONS_INIT"));
    }
}
END_TEST

START_TEST(initializer_bytes_without_args_are_refused)
{
    pp_options user = PP_OPTIONS_INIT, o;
    user.initializer_bytes = 10;
    ck_assert_int_eq(ppi_options_resolve(&user, &o), PP_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(pp_last_error(), "initializer_args"));
    user.initializer_args = &user;
    ck_assert_int_eq(ppi_options_resolve(&user, &o), PP_OK);
}
END_TEST

static void without_environment(void)
{
    clearenv();
}

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *c = tcase_create("options");
    tcase_set_timeout(c, 30);
    tcase_add_checked_fixture(c, without_environment, NULL);
    tcase_add_test(c, list_has_each_option_that_is_tested_here);
    tcase_add_test(c, without_program_and_environment_there_are_the_defaults);
    tcase_add_loop_test(c, field_of_the_program_counts, 0, OPTIONS);
    tcase_add_loop_test(c, variable_wins_over_the_program, 0, OPTIONS);
    tcase_add_loop_test(c, malformed_variable_is_named_with_its_value_and_what_is_allowed, 0,
                        (int)(sizeof refused / sizeof *refused));
    tcase_add_test(c, field_out_of_range_is_named_with_its_value_and_what_is_allowed);
    tcase_add_test(c, good_variable_heals_a_bad_field);
    tcase_add_test(c, smallest_and_largest_values_are_accepted);
    tcase_add_test(c, program_of_an_older_header_has_fewer_fields);
    tcase_add_test(c, program_of_a_newer_header_has_more_fields);
    tcase_add_test(c, size_that_nobody_set_is_refused);
    tcase_add_test(c, initializer_bytes_without_args_are_refused);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
