/* For tests that are no suites of Check. */
#ifndef TEST_REQUIRE_H
#define TEST_REQUIRE_H

#include <ppmpi.h>
#include <stdio.h>
#include <stdlib.h>

/* Unlike assert: says which status, and never depends on NDEBUG. */
#define REQUIRE(condition)                                                                                         \
    do {                                                                                                           \
        if (condition) break;                                                                                      \
        fprintf(stderr, "%s:%d: %s does not hold; last error: %s\n", __FILE__, __LINE__, #condition, pp_last_error()); \
        abort();                                                                                                   \
    } while (0)

#endif
