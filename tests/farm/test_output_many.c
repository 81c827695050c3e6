/* Much output at once: every line arrives, whole, once, in the order of its task. ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_output.h"

#define TASKS 200
#define LINES 20

/* Text of a line: its length and letters follow from its numbers, so that a torn line shows. */
static void make_line(char *line, int task, int number)
{
    int length = 1 + (task * 31 + number * 17) % 150, at = sprintf(line, "task %d line %d ", task, number);
    memset(line + at, 'a' + (task + number) % 26, (size_t)length);
    strcpy(line + at + length, " end");
}

static void print_lines(pp_task *task)
{
    int number = *(const int *)pp_task_args(task, NULL);
    for (int i = 0; i < LINES; i++) {
        char line[256];
        make_line(line, number, i);
        size_t half = strlen(line) / 2;
        switch ((number + i) % 5) {
        case 0: printf("%s\n", line); break;
        case 1: puts(line); break;
        case 2: /* in pieces that leave one by one */
            fwrite(line, 1, half, stdout);
            fflush(stdout);
            pause_for(number % 7 == 0 ? 0.001 : 0);
            puts(line + half);
            break;
        case 3: /* past stdio */
            fflush(stdout);
            strcat(line, "\n");
            if (write(1, line, strlen(line)) < 0) abort();
            break;
        default:
            for (char *c = line; *c; c++) putchar(*c);
            putchar('\n');
        }
    }
}

static void check_lines(const char *text, int tasks)
{
    int *next = calloc((size_t)tasks, sizeof *next), lines = 0;
    for (const char *at = text; *at;) {
        char line[256];
        int task = -1, number = -1;
        const char *end = strchr(at, '\n');
        if (!end) end = at + strlen(at);
        snprintf(line, sizeof line, "%.40s", at); /* sscanf would look for the end of it all */
        sscanf(line, "task %d line %d ", &task, &number);
        if (task < 0 || task >= tasks || number < 0 || number >= LINES) {
            failures++;
            fprintf(complaints, "broken line: %.*s\n", (int)(end - at), at);
            break;
        }
        make_line(line, task, number);
        if (strlen(line) != (size_t)(end - at) || memcmp(line, at, strlen(line)) != 0) {
            failures++;
            fprintf(complaints, "torn line: %.*s\n", (int)(end - at), at);
            break;
        }
        CHECK_INT(number, next[task]);
        next[task] = number + 1;
        lines++;
        at = *end ? end + 1 : end;
    }
    CHECK_INT(lines, tasks * LINES);
    free(next);
}

static void lines_of_many_tasks_do_not_mix(void)
{
    static pp_future f[TASKS];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < TASKS; i++) f[i] = pp_submit(server, print_lines, &i, sizeof i);
        for (int i = 0; i < TASKS; i++) CHECK_INT(pp_fetch(f[i], NULL, 0), PP_OK);
        check_lines(new_output(0, NULL), TASKS);
        CHECK_OUTPUT(1, "");
    }
}

/* The same while nobody fetches: the close of the server is what waits. Runs last. */
static void closing_brings_all_lines(void)
{
    for (int i = 0; i < TASKS; i++) {
        pp_future f = pp_submit(server, print_lines, &i, sizeof i);
        if (i % 2) CHECK_INT(pp_release(f), PP_OK);
    }
    CHECK_INT(pp_server_close(server), PP_OK);
    server = NULL;
    check_lines(new_output(0, NULL), TASKS);
}

static void print_megabytes(pp_task *task)
{
    const int *how = pp_task_args(task, NULL);
    for (int i = 0; i < how[1]; i++) fprintf(how[2] ? stderr : stdout, "%d %07d ................................................\n", how[0], i);
}

/* More than a pipe holds; from several tasks at a time. */
static void megabytes_from_each_of_several_tasks(void)
{
    enum { N = 6, COUNT = 1 << 14 }; /* about 1 MB each */
    pp_future f[N];
    double start = seconds_now();
    for (int i = 0; i < N; i++) {
        int how[3] = {i, COUNT, i % 3 == 2};
        f[i] = pp_submit(server, print_megabytes, how, sizeof how);
    }
    for (int i = 0; i < N; i++) CHECK_INT(pp_fetch(f[i], NULL, 0), PP_OK);
    double took = seconds_now() - start;
    if (took > patience(3)) fprintf(complaints, "%g s for 6 MB\n", took), failures++;
    int next[N] = {0};
    for (int stream = 0; stream < 2; stream++) {
        const char *text = new_output(stream, NULL);
        for (const char *at = text; *at;) {
            int task = -1, number = -1;
            const char *end = strchr(at, '\n');
            char line[32];
            snprintf(line, sizeof line, "%.20s", at); /* sscanf would look for the end of it all */
            if (!end || end - at != 58 || sscanf(line, "%d %d ", &task, &number) != 2 || task < 0 || task >= N ||
                number != next[task] || (task % 3 == 2) != stream) {
                failures++;
                fprintf(complaints, "wrong line: %.80s\n", at);
                return;
            }
            next[task]++;
            at = end + 1;
        }
    }
    for (int i = 0; i < N; i++) CHECK_INT(next[i], COUNT);
}

enum { BLOCKS = 24, BLOCK_BYTES = 1 << 20 };

/* Lines of a task: the text of one follows from its number, so that a torn one shows. Returns the length, '\n' included. */
static int numbered_line(char *line, int task, int number, size_t length)
{
    int n = sprintf(line, "%d %07d %zu ", task, number, length);
    memset(line + n, 'a' + number % 26, length);
    line[(size_t)n + length] = '\n';
    return n + (int)length + 1;
}

/* As fast as they can be written, so that whoever reads finds the pipe full again and again. */
static void print_in_blocks(pp_task *task)
{
    int number = 0, which = *(const int *)pp_task_args(task, NULL);
    char *block = malloc(BLOCK_BYTES + 256);
    for (int i = 0; i < BLOCKS && block; i++) {
        int bytes = 0;
        while (bytes < BLOCK_BYTES) bytes += numbered_line(block + bytes, which, number, 40 + (size_t)(number % 97)), number++;
        fwrite(block, 1, (size_t)bytes, stdout);
    }
    *(int *)pp_task_result(task, sizeof number) = number;
    free(block);
}

/* Longer than what a message between ranks carries of them in one record, and not than a mebibyte. */
static void print_long_lines(pp_task *task)
{
    int which = *(const int *)pp_task_args(task, NULL), lines = 60;
    char *line = malloc(BLOCK_BYTES);
    for (int i = 0; i < lines && line; i++) fwrite(line, 1, (size_t)numbered_line(line, which, i, 20000 + (size_t)i * 7919), stdout);
    *(int *)pp_task_result(task, sizeof lines) = lines;
    free(line);
}

/* From several tasks at a time, each of which prints all the time. */
static void check_floods(pp_function print, const char *what)
{
    enum { N = 4 };
    pp_future f[N];
    int next[N] = {0}, printed[N] = {0};
    char *line = malloc(BLOCK_BYTES);
    for (int i = 0; i < N; i++) f[i] = pp_submit(server, print, &i, sizeof i);
    for (int i = 0; i < N; i++) CHECK_INT(pp_fetch(f[i], &printed[i], sizeof(int)), PP_OK);
    for (const char *at = new_output(0, NULL); *at;) {
        char head[40];
        int task = -1, number = -1;
        size_t length = 0;
        snprintf(head, sizeof head, "%.39s", at); /* sscanf would look for the end of it all */
        int read = sscanf(head, "%d %d %zu ", &task, &number, &length);
        int good = read == 3 && task >= 0 && task < N && number == next[task] && length < BLOCK_BYTES - sizeof head;
        int bytes = good ? numbered_line(line, task, number, length) : 0;
        if (!good || strncmp(line, at, (size_t)bytes) != 0) {
            failures++;
            fprintf(complaints, "%s: a broken line, after %d of task 0: %.80s\n", what, next[0], at);
            break;
        }
        next[task]++;
        at += bytes;
    }
    for (int i = 0; i < N && !failures; i++) CHECK_INT(next[i], printed[i]);
    CHECK_OUTPUT(1, "");
    free(line);
}

static void tasks_that_print_all_the_time_keep_lines_whole(void)
{
    check_floods(print_in_blocks, "blocks of lines");
}

static void long_lines_of_several_tasks_stay_whole(void)
{
    check_floods(print_long_lines, "long lines");
}

static void print_long_line(pp_task *task)
{
    size_t bytes = *(const size_t *)pp_task_args(task, NULL);
    char *line = malloc(bytes);
    memset(line, 'L', bytes);
    fwrite(line, 1, bytes, stdout);
    free(line);
}

static void a_line_of_a_megabyte_without_an_end_gets_one(void)
{
    static const size_t sizes[] = {1 << 20, 300000, 65536, 4096, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t bytes;
        CHECK_INT(pp_fetch(pp_submit(server, print_long_line, &sizes[i], sizeof(size_t)), NULL, 0), PP_OK);
        const char *text = new_output(0, &bytes);
        CHECK_INT(bytes, sizes[i] + 1);
        CHECK_INT(strspn(text, "L"), sizes[i]);
        CHECK(bytes > 0 && text[bytes - 1] == '\n');
    }
}

static void print_and_return_much(pp_task *task)
{
    size_t bytes = *(const size_t *)pp_task_args(task, NULL);
    void *result = pp_task_result(task, bytes);
    printf("result of %zu bytes\n", bytes);
    if (result) fill_pattern(result, bytes, 3);
    if (bytes % 2) pp_task_fail(task, 1, "a failure that printed");
}

/* Text and result come in one parcel, or not: neither changes the other. */
static void output_beside_results_of_every_size(void)
{
    static const size_t sizes[] = {0, 8, 16, 17, 24, 25, 1000, 65536, 65537, 65538, 100000, 3 << 20, (5 << 20) + 1};
    char *result = malloc(4 << 20);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char expected[64];
        pp_future f = pp_submit(server, print_and_return_much, &sizes[i], sizeof(size_t));
        if (sizes[i] % 2) {
            CHECK_ERROR(pp_fetch(f, result, sizes[i]), PP_ERR_TASK, "a failure that printed");
            CHECK_INT(pp_release(f), PP_OK);
        } else {
            CHECK_INT(pp_fetch(f, result, sizes[i]), PP_OK);
            CHECK(has_pattern(result, sizes[i], 3));
        }
        snprintf(expected, sizeof expected, "result of %zu bytes\n", sizes[i]);
        CHECK_OUTPUT(0, expected);
    }
    free(result);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(lines_of_many_tasks_do_not_mix),
        TEST(megabytes_from_each_of_several_tasks),
        TEST(tasks_that_print_all_the_time_keep_lines_whole),
        TEST(long_lines_of_several_tasks_stay_whole),
        TEST(a_line_of_a_megabyte_without_an_end_gets_one),
        TEST(output_beside_results_of_every_size),
        TEST(closing_brings_all_lines),
    };
    catch_output();
    pp_options options = PP_OPTIONS_INIT;
    options.log_level = PP_LOG_ERROR;
    open_or_exit(&argc, &argv, &options);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
