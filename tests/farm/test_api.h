/* What the tests of the public API share. A test is a function whose name is its claim; each starts where the one
 * before left the server. A check that fails is told with its values and makes the program fail at its end. */
#ifndef TEST_API_H
#define TEST_API_H

#include <ppmpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern pp_server *server;
extern int failures;
extern FILE *complaints; /* stderr, where it is not caught */

#define CHECK(condition)                                                                                       \
    do {                                                                                                       \
        if (!(condition)) complain(__FILE__, __LINE__, #condition);                                            \
    } while (0)

/* An integer, with both values when they differ. */
#define CHECK_INT(value, expected)                                                                             \
    do {                                                                                                       \
        long long check_v = (long long)(value), check_e = (long long)(expected);                               \
        if (check_v != check_e) complain_int(__FILE__, __LINE__, #value, check_v, check_e);                    \
    } while (0)

/* That text has a part. */
#define CHECK_TEXT(text, part)                                                                                 \
    do {                                                                                                       \
        const char *check_t = (text);                                                                          \
        if (!strstr(check_t, part)) complain_text(__FILE__, __LINE__, #text, check_t, part);                   \
    } while (0)

/* A call that must fail with this code, whose text must have this part. */
#define CHECK_ERROR(call, code, part)                                                                          \
    do {                                                                                                       \
        CHECK_INT(call, code);                                                                                 \
        CHECK_INT(pp_last_error_code(), code);                                                                 \
        CHECK_TEXT(pp_last_error(), part);                                                                     \
    } while (0)

void complain(const char *file, int line, const char *what);
void complain_int(const char *file, int line, const char *what, long long value, long long expected);
void complain_text(const char *file, int line, const char *what, const char *text, const char *part);

double seconds_now(void);
void pause_for(double seconds);
unsigned random_number(unsigned *state);
void fill_pattern(void *data, size_t bytes, unsigned seed);
int has_pattern(const void *data, size_t bytes, unsigned seed);

/* Times that tests measure hold on an idle machine; elsewhere and under sanitizers they are stretched. */
double patience(double seconds);

/* Opens the server, or ends the program. */
void open_or_exit(int *argc, char ***argv, const pp_options *options);

struct test {
    const char *name;
    void (*run)(void);
};
#define TEST(name) {#name, name}

/* Runs them and closes the server if one is open; the exit status. */
int run_tests(const struct test *tests, size_t count);

#ifdef TEST_API_MAIN

pp_server *server;
int failures;
FILE *complaints;

static FILE *complaints_to(void)
{
    return complaints ? complaints : stderr;
}

void complain(const char *file, int line, const char *what)
{
    failures++;
    fprintf(complaints_to(), "%s:%d: not so: %s (last error: %d %s)\n", file, line, what, pp_last_error_code(), pp_last_error());
}

void complain_int(const char *file, int line, const char *what, long long value, long long expected)
{
    failures++;
    fprintf(complaints_to(), "%s:%d: %s is %lld instead of %lld (last error: %d %s)\n", file, line, what, value, expected,
            pp_last_error_code(), pp_last_error());
}

void complain_text(const char *file, int line, const char *what, const char *text, const char *part)
{
    failures++;
    fprintf(complaints_to(), "%s:%d: %s has no \"%s\": %s\n", file, line, what, part, text);
}

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void pause_for(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (seconds > 0 && nanosleep(&t, &t) != 0) {}
}

unsigned random_number(unsigned *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

static unsigned char pattern_byte(size_t i, unsigned seed)
{
    return (unsigned char)((i * 2654435761u + seed * 40503u) >> 11);
}

void fill_pattern(void *data, size_t bytes, unsigned seed)
{
    unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++) p[i] = pattern_byte(i, seed);
}

int has_pattern(const void *data, size_t bytes, unsigned seed)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != pattern_byte(i, seed)) return 0;
    return 1;
}

double patience(double seconds)
{
    const char *sanitizers = getenv("TEST_SANITIZE");
    return sanitizers && *sanitizers ? 5 * seconds : seconds;
}

void open_or_exit(int *argc, char ***argv, const pp_options *options)
{
    server = pp_server_open(argc, argv, options);
    if (server) return;
    fprintf(complaints_to(), "pp_server_open: %s\n", pp_last_error());
    exit(1);
}

int run_tests(const struct test *tests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int before = failures;
        double began = seconds_now();
        tests[i].run();
        if (getenv("TEST_VERBOSE")) fprintf(complaints_to(), "%s: %.3f s\n", tests[i].name, seconds_now() - began);
        if (failures > before) fprintf(complaints_to(), "FAILED: %s\n", tests[i].name);
    }
    if (server) CHECK_INT(pp_server_close(server), PP_OK);
    server = NULL;
    return failures ? 1 : 0;
}

#endif
#endif
