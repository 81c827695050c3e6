/* Where in a genome does a short read come from? Sequencing machines give millions of reads; each is looked up in an index
 * of the whole genome, which is large, the same for all, and only read: data to be shared. It is sent once to every node,
 * and lies there once, however many workers use it.
 *
 * Genome and reads are made up here: a genome of a million bases, 20,000 reads of 80 bases from places that are then
 * forgotten, one base in eight read wrong.
 *
 *     cc shared_table.c $(pkg-config --cflags --libs ppmpi) -o shared_table
 */
#include <ppmpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { GENOME = 1000000, WORD = 10, WORDS = 1 << 2 * WORD, READ = 80, BATCH = 100, BATCHES = 200, TOLERANCE = 16 };

/* One piece of memory without pointers: it is used as it lies. */
struct index {
    uint8_t base[GENOME];  /* 0 … 3 for A, C, G, T */
    int32_t first[WORDS];  /* place of a word of ten bases, */
    int32_t next[GENOME];  /* … and the next place of the word that is here; -1: no more */
};

struct reads {
    uint8_t base[BATCH][READ];
};

struct places {
    int32_t place[BATCH]; /* -1: not found */
};

static unsigned word_at(const uint8_t *base)
{
    unsigned word = 0;

    for (int i = 0; i < WORD; i++)
        word = word << 2 | base[i];
    return word;
}

static int mismatches(const uint8_t *a, const uint8_t *b)
{
    int n = 0;

    for (int i = 0; i < READ; i++)
        n += a[i] != b[i];
    return n;
}

/* Every place that has one of the read's words is compared with the whole read; the best one counts. */
static int32_t find(const struct index *index, const uint8_t *read)
{
    int fewest = TOLERANCE + 1;
    int32_t best = -1;

    for (int at = 0; at + WORD <= READ; at += WORD)
        for (int32_t p = index->first[word_at(read + at)]; p >= 0; p = index->next[p]) {
            int32_t start = p - at;

            if (start < 0 || start > GENOME - READ)
                continue;
            int n = mismatches(index->base + start, read);
            if (n < fewest) {
                fewest = n;
                best = start;
            }
        }
    return best;
}

/* The task: a hundred reads are its own, the index is everybody's. */
static struct places find_reads(pp_shared genome, struct reads reads)
{
    const struct index *index = pp_shared_data(genome, NULL);
    struct places found;

    for (int i = 0; i < BATCH; i++)
        found.place[i] = index ? find(index, reads.base[i]) : -1;
    return found;
}
PP_TASK(struct places, find_reads, pp_shared, struct reads)

static unsigned random_below(unsigned n)
{
    static uint64_t state = 20010911;

    state = state * 48271 % 2147483647; /* Park and Miller: good enough for a genome of nobody's */
    return (unsigned)(state % n);
}

static void make_index(struct index *index)
{
    for (int i = 0; i < WORDS; i++)
        index->first[i] = -1;
    for (int i = 0; i < GENOME; i++) {
        index->base[i] = (uint8_t)random_below(4);
        index->next[i] = -1;
    }
    for (int32_t i = GENOME - WORD; i >= 0; i--) {
        unsigned word = word_at(index->base + i);

        index->next[i] = index->first[word];
        index->first[word] = i;
    }
}

static void make_reads(const struct index *index, struct reads *reads, struct places *from)
{
    for (int i = 0; i < BATCH; i++) {
        from->place[i] = (int32_t)random_below(GENOME - READ);
        for (int k = 0; k < READ; k++)
            reads->base[i][k] = random_below(6) ? index->base[from->place[i] + k] : (uint8_t)random_below(4);
    }
}

int main(int argc, char **argv)
{
    static struct reads reads;
    static struct places from[BATCHES];
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    struct index *index = malloc(sizeof *index);
    pp_future found[BATCHES];
    pp_shared genome;
    int right = 0, wrong = 0, missing = 0;

    if (!server || !index) {
        fprintf(stderr, "shared_table: %s\n", server ? "no memory" : pp_last_error());
        return 1;
    }

    make_index(index); /* after the server was opened: the workers do not have it */
    if (pp_share(server, index, sizeof *index, &genome) != PP_OK) {
        fprintf(stderr, "shared_table: %s\n", pp_last_error());
        return 1;
    }

    for (int b = 0; b < BATCHES; b++) {
        make_reads(index, &reads, &from[b]);
        found[b] = PP_SUBMIT(server, find_reads, genome, reads);
    }
    pp_unshare(server, genome); /* when those have finished */
    free(index);                /* the library has its own copy */

    for (int b = 0; b < BATCHES; b++) {
        struct places places = PP_FETCH(find_reads, found[b]);

        for (int i = 0; i < BATCH; i++) {
            right += places.place[i] == from[b].place[i];
            wrong += places.place[i] >= 0 && places.place[i] != from[b].place[i];
            missing += places.place[i] < 0;
        }
    }
    printf("index of %zu bytes, %d reads\n", sizeof *index, BATCHES * BATCH);
    printf("%d found where they came from, %d elsewhere, %d nowhere\n", right, wrong, missing);
    return pp_server_close(server) == PP_OK ? 0 : 1;
}
