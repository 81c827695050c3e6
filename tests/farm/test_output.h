/* Catches what the program's stdout and stderr get, for the tests of tasks' output. */
#ifndef TEST_OUTPUT_H
#define TEST_OUTPUT_H

#include "farm/test_api.h"

#include <fcntl.h>

static int caught[2] = {-1, -1}; /* files that stdout and stderr go to */
static off_t seen[2];

/* To be called before the server is opened. Complaints go where stderr was. */
static inline void catch_output(void)
{
    int saved = dup(STDERR_FILENO);
    complaints = saved < 0 ? NULL : fdopen(saved, "w");
    if (complaints) setvbuf(complaints, NULL, _IOLBF, 0);
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        char path[] = "/tmp/ppmpi-test-XXXXXX";
        int fd = mkstemp(path);
        if (fd < 0 || dup2(fd, 1 + i) < 0) exit(1);
        unlink(path);
        /* Read through a descriptor with a position of its own; both streams append. */
        fcntl(1 + i, F_SETFL, O_APPEND);
        caught[i] = fd;
    }
}

/* What has come since the last call, as a string (which may hold more NULs); lives until the next call. */
static inline const char *new_output(int stream, size_t *bytes)
{
    static char *text[2];
    off_t end = lseek(caught[stream], 0, SEEK_END);
    size_t n = (size_t)(end - seen[stream]);
    free(text[stream]);
    text[stream] = malloc(n + 1);
    if (pread(caught[stream], text[stream], n, seen[stream]) != (ssize_t)n) exit(1);
    text[stream][n] = '\0';
    seen[stream] = end;
    if (bytes) *bytes = n;
    return text[stream];
}

/* That exactly this came since the last look. */
#define CHECK_OUTPUT(stream, expected)                                                                         \
    do {                                                                                                       \
        const char *check_o = new_output(stream, NULL);                                                        \
        if (strcmp(check_o, expected) != 0) {                                                                  \
            failures++;                                                                                        \
            fprintf(complaints, "%s:%d: %s has \"%.500s\" instead of \"%.500s\"\n", __FILE__, __LINE__,        \
                    stream ? "stderr" : "stdout", check_o, expected);                                          \
        }                                                                                                      \
    } while (0)

#endif
