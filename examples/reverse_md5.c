/* Which number below five million has this MD5 digest? A hundred tasks each try a part of the numbers; when one of
 * them has found it, the others are cancelled: those that wait never start, those that run are stopped.
 *
 *     cc reverse_md5.c $(pkg-config --cflags --libs ppmpi) -lmd -o reverse_md5         (Debian: libmd-dev)
 */
#include <sys/types.h> /* md5.h of libmd needs it */

#include <md5.h>
#include <ppmpi.h>
#include <stdio.h>
#include <string.h>

enum { TASKS = 100, NUMBERS = 5000000 };

struct digest {
    char hex[MD5_DIGEST_STRING_LENGTH];
};

static struct digest md5(long number)
{
    struct digest d;
    char text[24];
    int length = snprintf(text, sizeof text, "%ld", number);

    MD5Data((const uint8_t *)text, (size_t)length, d.hex);
    return d;
}

/* The number from first to last - 1 that has this digest, or -1. */
static long reverse_md5(struct digest wanted, long first, long last)
{
    for (long number = first; number < last; number++)
        if (strcmp(md5(number).hex, wanted.hex) == 0)
            return number;
    return -1;
}
PP_TASK(long, reverse_md5, struct digest, long, long)

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    struct digest wanted = md5(1829182);
    pp_future tasks[TASKS];
    long number = -1, part = NUMBERS / TASKS;
    size_t i;

    if (!server) {
        fprintf(stderr, "reverse_md5: %s\n", pp_last_error());
        return 1;
    }

    for (i = 0; i < TASKS; i++)
        tasks[i] = PP_SUBMIT(server, reverse_md5, wanted, (long)i * part, (long)(i + 1) * part);

    while (number < 0 && pp_wait_any(tasks, TASKS, -1, &i) == PP_OK) {
        number = PP_FETCH(reverse_md5, tasks[i]);
        tasks[i] = (pp_future){0}; /* pp_wait_any skips it from now on */
    }

    for (i = 0; i < TASKS; i++)
        if (tasks[i].id) {
            if (pp_cancel(tasks[i]) < 0 || pp_release(tasks[i]) < 0) /* PP_END: it had just finished */
                fprintf(stderr, "reverse_md5: %s\n", pp_last_error());
        }

    if (number < 0)
        printf("no number below %d has the MD5 digest %s\n", NUMBERS, wanted.hex);
    else
        printf("%s is the MD5 digest of %ld\n", wanted.hex, number);
    return pp_server_close(server) == PP_OK && number >= 0 ? 0 : 1;
}
