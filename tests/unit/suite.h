/* The end of a unit test's main. */
#ifndef PPI_TESTS_UNIT_SUITE_H
#define PPI_TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite, which it frees; CK_VERBOSITY and CK_RUN_CASE say what to print and to run. Returns what main shall. */
static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
