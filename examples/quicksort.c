/* Sorts a million numbers. The program itself splits the array around pivots, as quicksort does, until there are up to
 * sixteen parts; each part is a task, whose result pp_fetch writes back to where the part was.
 *
 *     cc quicksort.c $(pkg-config --cflags --libs ppmpi) -o quicksort
 */
#include <inttypes.h>
#include <ppmpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 1000000, DEPTH = 4, PARTS = 1 << DEPTH };

/* Reorders a[0] … a[n - 1], n > 1, so that none of the first numbers is greater than one of the others; returns how
 * many come first, 1 to n - 1. */
static size_t split(uint32_t *a, size_t n)
{
    uint32_t pivot = a[(n - 1) / 2];
    size_t i = 0, j = n - 1;

    for (;;) {
        while (a[i] < pivot)
            i++;
        while (a[j] > pivot)
            j--;
        if (i >= j)
            return j + 1;

        uint32_t swap = a[i];

        a[i++] = a[j];
        a[j--] = swap;
    }
}

static void quicksort(uint32_t *a, size_t n)
{
    if (n < 2)
        return;

    size_t first = split(a, n);

    quicksort(a, first);
    quicksort(a + first, n - first);
}

static void sort_part(pp_task *task)
{
    size_t bytes;
    const void *part = pp_task_args(task, &bytes);
    uint32_t *sorted = pp_task_result(task, bytes);

    if (!sorted)
        return; /* no memory: the task has failed by itself */
    memcpy(sorted, part, bytes);
    quicksort(sorted, bytes / sizeof *sorted);
}

struct part {
    uint32_t *numbers;
    size_t n;
    pp_future sorted;
};

/* Submits parts of a for sorting, and returns how many they are. */
static int submit(pp_server *server, uint32_t *a, size_t n, int depth, struct part *parts)
{
    if (depth == 0 || n < 2) {
        *parts = (struct part){a, n, pp_submit(server, sort_part, a, n * sizeof *a)};
        return 1;
    }

    size_t first = split(a, n);
    int count = submit(server, a, first, depth - 1, parts);

    return count + submit(server, a + first, n - first, depth - 1, parts + count);
}

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    uint32_t *a = malloc(NUMBERS * sizeof *a), next = 1;
    struct part parts[PARTS];
    int ok = a != NULL;

    if (!server || !a) {
        fprintf(stderr, "quicksort: %s\n", server ? "out of memory" : pp_last_error());
        free(a);
        return 1;
    }

    for (size_t i = 0; i < NUMBERS; i++) {
        next = next * 1664525u + 1013904223u; /* modulo 2^32 */
        a[i] = next >> 8;
    }

    int count = submit(server, a, NUMBERS, DEPTH, parts);

    for (int i = 0; i < count; i++)
        if (pp_fetch(parts[i].sorted, parts[i].numbers, parts[i].n * sizeof *a) != PP_OK) {
            fprintf(stderr, "quicksort: %s\n", pp_last_error());
            ok = 0;
        }

    for (size_t i = 1; i < NUMBERS; i++)
        ok = ok && a[i - 1] <= a[i];
    printf("%d numbers, %s\n", NUMBERS, ok ? "sorted" : "NOT sorted");
    for (size_t i = 0; i < NUMBERS; i += NUMBERS / 10)
        printf("number %6zu is %8" PRIu32 "\n", i + 1, a[i]);
    free(a);
    return pp_server_close(server) == PP_OK && ok ? 0 : 1;
}
