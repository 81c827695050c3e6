/* All-against-all comparison of protein sequences: the Smith-Waterman local alignment score of every pair in a FASTA
 * file, with BLOSUM62 and affine gaps (10 for the first residue of a gap, 0.5 for each further one: what the program
 * `water` of EMBOSS does when it is told nothing).
 *
 *     cc -O3 align.c $(pkg-config --cflags --libs ppmpi) -o align
 *     ./align data/globins.fa                         the three best hits of each sequence
 *     mpirun -np 16 ./align --matrix proteins.fa      all scores, on 16 ranks
 *
 * The triangle of all pairs is cut into square blocks, each block is a task. A task carries the sequences of its
 * block as arguments, so only rank 0 reads the file. Output is the same for any number of workers.
 *
 *   T. F. Smith, M. S. Waterman: Identification of common molecular subsequences. J. Mol. Biol. 147 (1981) 195-197.
 *   O. Gotoh: An improved algorithm for matching biological sequences. J. Mol. Biol. 162 (1982) 705-708.
 *   S. Henikoff, J. G. Henikoff: Amino acid substitution matrices from protein blocks. PNAS 89 (1992) 10915-10919.
 */
#define _POSIX_C_SOURCE 200809L /* isatty */
#include <ctype.h>
#include <errno.h>
#include <ppmpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- The computation: plain C ------------------------------------------------------------------------------- */

enum { LETTERS = 24 };

static const char alphabet[LETTERS + 1] = "ARNDCQEGHILKMFPSTWYVBZX*";

static const signed char blosum62[LETTERS][LETTERS] = {
    /*        A   R   N   D   C   Q   E   G   H   I   L   K   M   F   P   S   T   W   Y   V   B   Z   X   * */
    /* A */ { 4, -1, -2, -2,  0, -1, -1,  0, -2, -1, -1, -1, -1, -2, -1,  1,  0, -3, -2,  0, -2, -1,  0, -4},
    /* R */ {-1,  5,  0, -2, -3,  1,  0, -2,  0, -3, -2,  2, -1, -3, -2, -1, -1, -3, -2, -3, -1,  0, -1, -4},
    /* N */ {-2,  0,  6,  1, -3,  0,  0,  0,  1, -3, -3,  0, -2, -3, -2,  1,  0, -4, -2, -3,  3,  0, -1, -4},
    /* D */ {-2, -2,  1,  6, -3,  0,  2, -1, -1, -3, -4, -1, -3, -3, -1,  0, -1, -4, -3, -3,  4,  1, -1, -4},
    /* C */ { 0, -3, -3, -3,  9, -3, -4, -3, -3, -1, -1, -3, -1, -2, -3, -1, -1, -2, -2, -1, -3, -3, -2, -4},
    /* Q */ {-1,  1,  0,  0, -3,  5,  2, -2,  0, -3, -2,  1,  0, -3, -1,  0, -1, -2, -1, -2,  0,  3, -1, -4},
    /* E */ {-1,  0,  0,  2, -4,  2,  5, -2,  0, -3, -3,  1, -2, -3, -1,  0, -1, -3, -2, -2,  1,  4, -1, -4},
    /* G */ { 0, -2,  0, -1, -3, -2, -2,  6, -2, -4, -4, -2, -3, -3, -2,  0, -2, -2, -3, -3, -1, -2, -1, -4},
    /* H */ {-2,  0,  1, -1, -3,  0,  0, -2,  8, -3, -3, -1, -2, -1, -2, -1, -2, -2,  2, -3,  0,  0, -1, -4},
    /* I */ {-1, -3, -3, -3, -1, -3, -3, -4, -3,  4,  2, -3,  1,  0, -3, -2, -1, -3, -1,  3, -3, -3, -1, -4},
    /* L */ {-1, -2, -3, -4, -1, -2, -3, -4, -3,  2,  4, -2,  2,  0, -3, -2, -1, -2, -1,  1, -4, -3, -1, -4},
    /* K */ {-1,  2,  0, -1, -3,  1,  1, -2, -1, -3, -2,  5, -1, -3, -1,  0, -1, -3, -2, -2,  0,  1, -1, -4},
    /* M */ {-1, -1, -2, -3, -1,  0, -2, -3, -2,  1,  2, -1,  5,  0, -2, -1, -1, -1, -1,  1, -3, -1, -1, -4},
    /* F */ {-2, -3, -3, -3, -2, -3, -3, -3, -1,  0,  0, -3,  0,  6, -4, -2, -2,  1,  3, -1, -3, -3, -1, -4},
    /* P */ {-1, -2, -2, -1, -3, -1, -1, -2, -2, -3, -3, -1, -2, -4,  7, -1, -1, -4, -3, -2, -2, -1, -2, -4},
    /* S */ { 1, -1,  1,  0, -1,  0,  0,  0, -1, -2, -2,  0, -1, -2, -1,  4,  1, -3, -2, -2,  0,  0,  0, -4},
    /* T */ { 0, -1,  0, -1, -1, -1, -1, -2, -2, -1, -1, -1, -1, -2, -1,  1,  5, -2, -2,  0, -1, -1,  0, -4},
    /* W */ {-3, -3, -4, -4, -2, -2, -3, -2, -2, -3, -2, -3, -1,  1, -4, -3, -2, 11,  2, -3, -4, -3, -2, -4},
    /* Y */ {-2, -2, -2, -3, -2, -1, -2, -3,  2, -1, -1, -2, -1,  3, -3, -2, -2,  2,  7, -1, -3, -2, -1, -4},
    /* V */ { 0, -3, -3, -3, -1, -2, -2, -3, -3,  3,  1, -2,  1, -1, -2, -2,  0, -3, -1,  4, -3, -2, -1, -4},
    /* B */ {-2, -1,  3,  4, -3,  0,  1, -1,  0, -3, -4,  0, -3, -3, -2,  0, -1, -4, -3, -3,  4,  1, -1, -4},
    /* Z */ {-1,  0,  0,  1, -3,  3,  4, -2,  0, -3, -3,  1, -1, -3, -1,  0, -1, -3, -2, -2,  1,  4, -1, -4},
    /* X */ { 0, -1, -1, -1, -2, -1, -1, -1, -1, -1, -1, -1, -1, -1, -2,  0,  0, -2, -1, -1, -1, -1, -1, -4},
    /* * */ {-4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4,  1}};

/* Scores are integers in halves, so that 0.5 can be told exactly. A gap of n residues costs open + (n - 1) extend. */
enum { SCALE = 2, GAP_OPEN = 10 * SCALE, GAP_EXTEND = SCALE / 2 };

/* What is kept of one column of the dynamic programming matrix, for the row above. */
struct column {
    int best; /* of all alignments that end here */
    int gap;  /* of those that end with a gap in sequence b */
};

static int max(int a, int b)
{
    return a > b ? a : b;
}

/* Smith-Waterman score of a and b in Gotoh's form, which takes time m n and memory n. */
static int local_score(const unsigned char *a, size_t m, const unsigned char *b, size_t n, struct column *column)
{
    int highest = 0;

    for (size_t j = 0; j < n; j++)
        column[j] = (struct column){0, -GAP_OPEN};

    for (size_t i = 0; i < m; i++) {
        const signed char *similarity = blosum62[a[i]];
        int diagonal = 0, left = 0, gap = -GAP_OPEN; /* best of (i-1, j-1) and (i, j-1); those with a gap in a */

        for (size_t j = 0; j < n; j++) {
            int down = max(column[j].gap - GAP_EXTEND, column[j].best - GAP_OPEN);
            int best;

            gap = max(gap - GAP_EXTEND, left - GAP_OPEN);
            best = max(max(0, diagonal + SCALE * similarity[b[j]]), max(gap, down));
            diagonal = column[j].best;
            column[j] = (struct column){best, down};
            left = best;
            highest = max(highest, best);
        }
    }
    return highest;
}

/* ---- The task ----------------------------------------------------------------------------------------------- */

/* A group of sequences is a run of bytes: the residues of each as numbers below LETTERS, then END. */
enum { END = 255 };

static size_t length_of(const unsigned char *sequence)
{
    size_t n = 0;

    while (sequence[n] != END)
        n++;
    return n;
}

static size_t count(pp_bytes group)
{
    const unsigned char *byte = group.data;
    size_t n = 0;

    for (size_t i = 0; i < group.size; i++)
        n += byte[i] == END;
    return n;
}

/* Scores of each sequence in one group with each in the other, as an array of int, row by row. */
static pp_bytes align_block(pp_bytes rows, pp_bytes columns)
{
    const unsigned char *row_end = (const unsigned char *)rows.data + rows.size;
    const unsigned char *column_end = (const unsigned char *)columns.data + columns.size;
    size_t size = count(rows) * count(columns) * sizeof(int), k = 0;
    int *scores = pp_task_alloc(size); /* freed by the library once the result has been taken */
    struct column *work = malloc(columns.size * sizeof *work);

    if (!scores || !work) {
        free(work);
        pp_task_fail(pp_task_current(), ENOMEM, "no memory to align with %zu residues", columns.size);
        return (pp_bytes){NULL, 0};
    }
    for (const unsigned char *a = rows.data; a < row_end; a += length_of(a) + 1)
        for (const unsigned char *b = columns.data; b < column_end; b += length_of(b) + 1)
            scores[k++] = local_score(a, length_of(a), b, length_of(b), work);
    free(work);
    return (pp_bytes){scores, size};
}
PP_TASK(pp_bytes, align_block, pp_bytes, pp_bytes)

/* ---- Reading FASTA ------------------------------------------------------------------------------------------ */

struct sequences {
    size_t n;
    char **name;             /* the first word of each header */
    size_t *start;           /* of each sequence in residues; start[n] is the end of all */
    unsigned char *residues; /* one group of all */
};

static void *grow(void *array, size_t elements, size_t element_bytes)
{
    void *larger = elements <= (size_t)-1 / element_bytes ? realloc(array, elements * element_bytes) : NULL;

    if (!larger) {
        fprintf(stderr, "align: out of memory\n");
        exit(1);
    }
    return larger;
}

/* Appends to an array whose room doubles: it is full whenever its length is a power of two. */
#define APPEND(array, length, value)                                                                   \
    do {                                                                                               \
        if (((length) & ((length)-1)) == 0)                                                            \
            (array) = grow((array), (length) ? 2 * (length) : 1, sizeof *(array));                     \
        (array)[(length)++] = (value);                                                                 \
    } while (0)

/* Reads the header behind '>': keeps the first word, skips the rest of the line. */
static char *read_name(FILE *in)
{
    char *name = NULL;
    size_t length = 0;
    int c = getc(in);

    while (c == ' ' || c == '\t')
        c = getc(in);
    for (; c != EOF && !isspace(c); c = getc(in))
        APPEND(name, length, (char)c);
    while (c != EOF && c != '\n')
        c = getc(in);
    APPEND(name, length, '\0');
    return name;
}

/* Reads the file or says what is wrong with it and returns false. */
static bool read_fasta(const char *path, struct sequences *s)
{
    FILE *in = fopen(path, "r");
    size_t line = 1, bytes = 0, starts = 0;
    bool ok = false;
    int c;

    if (!in) {
        fprintf(stderr, "align: cannot open %s: %s\n", path, strerror(errno));
        return false;
    }
    for (errno = 0; (c = getc(in)) != EOF; line += c == '\n') {
        const char *letter;

        if (isspace(c))
            continue;
        if (c == '>') {
            if (s->n > 0 && bytes == s->start[s->n - 1])
                break;
            if (s->n > 0)
                APPEND(s->residues, bytes, END);
            APPEND(s->start, starts, bytes);
            APPEND(s->name, s->n, read_name(in));
            if (s->name[s->n - 1][0] == '\0') {
                fprintf(stderr, "align: %s:%zu: a sequence without a name\n", path, line);
                goto out;
            }
            line++;
        } else if (s->n == 0) {
            fprintf(stderr, "align: %s:%zu: not a FASTA file: the first sequence must begin with '>'\n", path, line);
            goto out;
        } else if (!(letter = strchr(alphabet, toupper(c))) || *letter == '\0') {
            fprintf(stderr, isprint(c) ? "align: %s:%zu: '%c' in %s is not one of the residues %s\n"
                                       : "align: %s:%zu: byte 0x%02x in %s is not one of the residues %s\n",
                    path, line, c, s->name[s->n - 1], alphabet);
            goto out;
        } else {
            APPEND(s->residues, bytes, (unsigned char)(letter - alphabet));
        }
    }
    if (ferror(in))
        fprintf(stderr, "align: cannot read %s: %s\n", path, strerror(errno));
    else if (s->n == 0)
        fprintf(stderr, "align: %s: no sequences in this file\n", path);
    else if (bytes == s->start[s->n - 1])
        fprintf(stderr, "align: %s: sequence %s is empty\n", path, s->name[s->n - 1]);
    else if (s->n == 1)
        fprintf(stderr, "align: %s: only one sequence, nothing to compare it with\n", path);
    else
        ok = true;
    if (ok) {
        APPEND(s->residues, bytes, END);
        APPEND(s->start, starts, bytes);
    }
out:
    fclose(in);
    return ok;
}

static void free_sequences(struct sequences *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->name[i]);
    free(s->name);
    free(s->start);
    free(s->residues);
}

/* ---- The farm ----------------------------------------------------------------------------------------------- */

enum { BLOCK = 8 }; /* sequences on each side of a block: 64 pairs, some milliseconds of work */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The sequences of group i. They stand together in memory, so that nothing has to be copied. */
static pp_bytes group(const struct sequences *s, size_t i)
{
    size_t first = s->start[i * BLOCK], end = s->start[smaller((i + 1) * BLOCK, s->n)];

    return (pp_bytes){s->residues + first, end - first};
}

static void show_progress(pp_server *server, size_t tasks, bool last)
{
    pp_stats stats = {.size = sizeof stats};

    if (pp_get_stats(server, &stats) == PP_OK)
        fprintf(stderr, "\r%zu of %zu blocks, %.0f s%s", (size_t)stats.done, tasks, stats.wall_time, last ? "\n" : "");
}

/* Waits for one block and stores its scores in both halves of the matrix. */
static bool take_block(pp_future f, const struct sequences *s, size_t i, size_t j, int *matrix)
{
    size_t rows = smaller(BLOCK, s->n - i * BLOCK), columns = smaller(BLOCK, s->n - j * BLOCK);
    pp_bytes result;
    const int *score;

    if (PP_TRY_FETCH(align_block, f, &result) != PP_OK) {
        fprintf(stderr, "align: %s\n", pp_last_error());
        return false;
    }
    score = result.data;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            size_t y = i * BLOCK + r, x = j * BLOCK + c;

            matrix[y * s->n + x] = matrix[x * s->n + y] = *score++;
        }
    pp_bytes_free(result);
    return true;
}

/* Fills in the n by n matrix of scores. */
static bool align_all(pp_server *server, const struct sequences *s, bool progress, int *matrix)
{
    size_t groups = (s->n + BLOCK - 1) / BLOCK, tasks = groups * (groups + 1) / 2, k = 0;
    pp_future *block = grow(NULL, tasks, sizeof *block);
    bool ok = true;

    for (size_t i = 0; i < groups; i++)
        for (size_t j = i; j < groups; j++, k++) {
            block[k] = PP_SUBMIT(server, align_block, group(s, i), group(s, j));
            if (block[k].id == 0) {
                fprintf(stderr, "align: %s\n", pp_last_error());
                free(block);
                return false;
            }
        }
    k = 0;
    for (size_t i = 0; i < groups && ok; i++)
        for (size_t j = i; j < groups && ok; j++, k++) {
            while (progress && pp_wait_for(block[k], 0.2) == PP_TIMEOUT)
                show_progress(server, tasks, false);
            ok = take_block(block[k], s, i, j, matrix);
            if (progress && k * 100 / tasks != (k + 1) * 100 / tasks)
                show_progress(server, tasks, k + 1 == tasks);
        }
    free(block);
    return ok;
}

/* ---- Output and options --------------------------------------------------------------------------------------- */

static void print_score(int score)
{
    printf("\t%d.%d", score / SCALE, score % SCALE * 10 / SCALE);
}

static void print_matrix(const struct sequences *s, const int *matrix)
{
    for (size_t j = 0; j < s->n; j++)
        printf("\t%s", s->name[j]);
    printf("\n");
    for (size_t i = 0; i < s->n; i++) {
        printf("%s", s->name[i]);
        for (size_t j = 0; j < s->n; j++)
            print_score(matrix[i * s->n + j]);
        printf("\n");
    }
}

/* The best hits of each sequence among the others; of equal ones, the first in the file. */
static void print_hits(const struct sequences *s, const int *matrix, size_t hits)
{
    bool *shown = grow(NULL, s->n, sizeof *shown);

    for (size_t i = 0; i < s->n; i++) {
        const int *score = matrix + i * s->n;

        memset(shown, 0, s->n * sizeof *shown);
        shown[i] = true;
        for (size_t h = 0; h < hits && h < s->n - 1; h++) {
            size_t best = s->n;

            for (size_t j = 0; j < s->n; j++)
                if (!shown[j] && (best == s->n || score[j] > score[best]))
                    best = j;
            shown[best] = true;
            printf("%s\t%s", s->name[i], s->name[best]);
            print_score(score[best]);
            printf("\n");
        }
    }
    free(shown);
}

static const char usage[] =
    "usage: align [--hits N | --matrix] [--progress] FILE\n"
    "Smith-Waterman scores of all pairs of the protein sequences in a FASTA file.\n"
    "  --hits N     print the N best hits of each sequence: name, name, score (3)\n"
    "  --matrix     print the scores of all pairs\n"
    "  --progress   show progress when stderr is a terminal\n";

static int wrong_use(const char *what, const char *argument)
{
    fprintf(stderr, "align: %s%s\n%s", what, argument, usage);
    return 2;
}

static int run(pp_server *server, int argc, char **argv)
{
    struct sequences s = {0, NULL, NULL, NULL};
    const char *path = NULL;
    bool whole = false, progress = false, ok;
    unsigned long hits = 3;
    int *matrix;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            printf("%s", usage);
            return 0;
        } else if (strcmp(argv[i], "--matrix") == 0) {
            whole = true;
        } else if (strcmp(argv[i], "--progress") == 0) {
            progress = isatty(STDERR_FILENO);
        } else if (strcmp(argv[i], "--hits") == 0) {
            const char *number = ++i < argc ? argv[i] : "";
            char *end;

            hits = strtoul(number, &end, 10);
            if (!isdigit((unsigned char)number[0]) || *end != '\0' || hits == 0)
                return wrong_use("--hits needs a number from 1 on, not ", *number ? number : "nothing");
        } else if (argv[i][0] == '-') {
            return wrong_use("there is no option ", argv[i]);
        } else if (path) {
            return wrong_use("one file only, not also ", argv[i]);
        } else {
            path = argv[i];
        }
    }
    if (!path)
        return wrong_use("no file", "");

    ok = read_fasta(path, &s);
    if (ok) {
        matrix = grow(NULL, s.n, s.n * sizeof *matrix);
        ok = align_all(server, &s, progress, matrix);
        if (ok && whole)
            print_matrix(&s, matrix);
        else if (ok)
            print_hits(&s, matrix, hits);
        free(matrix);
    }
    free_sequences(&s);
    if (ok && (fflush(stdout) != 0 || ferror(stdout))) {
        fprintf(stderr, "align: cannot write the output: %s\n", strerror(errno));
        ok = false;
    }
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL); /* returns in rank 0 only */
    int status;

    if (!server) {
        fprintf(stderr, "align: %s\n", pp_last_error());
        return 1;
    }
    status = run(server, argc, argv);
    if (pp_server_close(server) != PP_OK) {
        fprintf(stderr, "align: %s\n", pp_last_error());
        status = status ? status : 1;
    }
    return status;
}
