/* What a task prints, in whatever way, is there when its future is finished: whole, once, and the program's own lines
 * keep their place. ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_output.h"

#include <signal.h>
#include <sys/wait.h>

static void do_printf(pp_task *task)
{
    (void)task;
    printf("with a %s\n", "newline");
}

static void do_printf_open(pp_task *task)
{
    (void)task;
    printf("without a newline");
}

static void do_puts(pp_task *task)
{
    (void)task;
    puts("from puts");
}

static void do_write(pp_task *task)
{
    (void)task;
    if (write(1, "from write\n", 11) != 11) abort();
}

static void do_write_open(pp_task *task)
{
    (void)task;
    if (write(1, "open", 4) != 4) abort();
}

static void do_both(pp_task *task)
{
    (void)task;
    printf("first, ");
    fflush(stdout);
    if (write(1, "second, ", 8) != 8) abort();
    printf("third\n");
}

static void do_stderr(pp_task *task)
{
    (void)task;
    fprintf(stderr, "an error ");
    fprintf(stderr, "in parts\n");
}

static void do_perror(pp_task *task)
{
    (void)task;
    fputs("no newline either", stderr);
}

static void do_system(pp_task *task)
{
    if (system("echo from a shell; echo and more") != 0) pp_task_fail(task, 1, "system");
}

static void do_system_stderr(pp_task *task)
{
    if (system("echo to stderr >&2; echo to the device > /dev/stderr; echo 3 > /dev/stdout") != 0)
        pp_task_fail(task, 1, "system");
}

static void do_popen(pp_task *task)
{
    FILE *pipe = popen("cat; echo end", "w");
    if (!pipe) {
        pp_task_fail(task, 1, "popen");
        return;
    }
    fputs("through cat\n", pipe);
    pclose(pipe);
}

static void do_fork(pp_task *task)
{
    printf("from the parent\n");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        printf("from the child\n");
        exit(0);
    }
    if (waitpid(child, NULL, 0) != child) pp_task_fail(task, 1, "waitpid");
}

static void do_empty_lines(pp_task *task)
{
    (void)task;
    fputs("\n\n", stdout);
}

static void do_own_stream(pp_task *task)
{
    (void)task;
    FILE *own = fdopen(dup(1), "w");
    fputs("from a stream of its own\n", own);
    fclose(own);
}

static void nothing(pp_task *task)
{
    (void)task;
}

static const struct {
    pp_function function;
    const char *text[2];
} kinds[] = {
    {do_printf, {"with a newline\n", ""}},
    {do_printf_open, {"without a newline\n", ""}},
    {do_puts, {"from puts\n", ""}},
    {do_write, {"from write\n", ""}},
    {do_write_open, {"open\n", ""}},
    {do_both, {"first, second, third\n", ""}},
    {do_stderr, {"", "an error in parts\n"}},
    {do_perror, {"", "no newline either\n"}},
    {do_system, {"from a shell\nand more\n", ""}},
    {do_system_stderr, {"3\n", "to stderr\nto the device\n"}},
    {do_popen, {"through cat\nend\n", ""}},
    {do_fork, {"from the parent\nfrom the child\n", ""}},
    {do_empty_lines, {"\n\n", ""}},
    {do_own_stream, {"from a stream of its own\n", ""}},
    {nothing, {"", ""}},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void every_way_of_printing_arrives_before_fetch_returns(void)
{
    for (int round = 0; round < 10; round++)
        for (size_t i = 0; i < KINDS; i++) {
            pp_future f = pp_submit(server, kinds[i].function, NULL, 0);
            CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
            for (int stream = 0; stream < 2; stream++) CHECK_OUTPUT(stream, kinds[i].text[stream]);
            if (failures) {
                fprintf(complaints, "kind %zu, round %d\n", i, round);
                return;
            }
        }
}

/* Fast tasks that write without stdio, with others between: none is overlooked, none is late. */
static void quick_writes_arrive_in_time(void)
{
    for (int i = 0; i < 3000; i++) {
        pp_future f = pp_submit(server, i % 3 ? do_write : nothing, NULL, 0);
        CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
        CHECK_OUTPUT(0, i % 3 ? "from write\n" : "");
        if (failures) return;
    }
}

static void binary(pp_task *task)
{
    size_t bytes;
    const void *data = pp_task_args(task, &bytes);
    fwrite(data, 1, bytes, stdout);
}

static void binary_output_with_nuls_is_not_changed(void)
{
    char data[512];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (char)i;
    data[sizeof data - 1] = '\n';
    for (int i = 0; i < 20; i++) {
        size_t bytes;
        CHECK_INT(pp_fetch(pp_submit(server, binary, data, sizeof data), NULL, 0), PP_OK);
        const char *text = new_output(0, &bytes);
        CHECK_INT(bytes, sizeof data);
        CHECK(bytes == sizeof data && memcmp(text, data, bytes) == 0);
    }
}

/* However the program learns that a task has finished. */
static void output_comes_before_any_news_of_the_end(void)
{
    for (int i = 0; i < 100; i++) {
        pp_future f = pp_submit(server, do_printf, NULL, 0);
        pp_task_info info = {.size = sizeof info};
        size_t index;
        switch (i % 5) {
        case 0: CHECK_INT(pp_wait(f), PP_OK); break;
        case 1: CHECK_INT(pp_wait_any(&f, 1, -1, &index), PP_OK); break;
        case 2:
            while (pp_done(f) == 0) {}
            break;
        case 3:
            do pp_info(f, &info);
            while (info.state != PP_FINISHED);
            break;
        default: CHECK_INT(pp_wait_all(&f, 1, -1), PP_OK);
        }
        CHECK_OUTPUT(0, "with a newline\n");
        CHECK_INT(pp_release(f), PP_OK);
    }
}

static void the_program_s_own_lines_keep_their_place(void)
{
    static char expected[100000], line[64];
    expected[0] = '\0';
    for (int i = 0; i < 200; i++) {
        printf("before %d\n", i); /* stays in the buffer for now */
        pp_future f = pp_submit(server, i % 2 ? do_printf : do_write, NULL, 0);
        CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
        printf("after %d\n", i);
        snprintf(line, sizeof line, "before %d\n%safter %d\n", i, i % 2 ? "with a newline\n" : "from write\n", i);
        strcat(expected, line);
    }
    fflush(stdout);
    CHECK_OUTPUT(0, expected);
}

static void print_and_die(pp_task *task)
{
    int how = *(const int *)pp_task_args(task, NULL);
    printf("flushed by %d\n", how);
    fprintf(stderr, "error of %d", how);
    fflush(stdout);
    switch (how) {
    case 0: abort();
    case 1: raise(SIGKILL); break;
    case 2: _exit(3);
    case 3: exit(4); /* flushes what is left */
    default: raise(SIGSEGV);
    }
}

static void what_a_crashed_task_had_flushed_arrives(void)
{
    for (int i = 0; i < 20; i++) {
        int how = i % 5;
        char out[64], err[64];
        pp_future f = pp_submit(server, print_and_die, &how, sizeof how);
        CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_CRASHED);
        snprintf(out, sizeof out, "flushed by %d\n", how);
        snprintf(err, sizeof err, "error of %d\n", how);
        CHECK_OUTPUT(0, out);
        CHECK_OUTPUT(1, err);
        CHECK_INT(pp_release(f), PP_OK);
    }
}

static void print_and_run_on(pp_task *task)
{
    double seconds = *(const double *)pp_task_args(task, NULL);
    printf("still running\n"); /* to a pipe, but by line as to a terminal */
    if (system("echo a child says so") != 0) abort();
    pause_for(seconds);
    printf("done\n");
}

/* Returns 0 when the machine stood still for so long that the tasks were over. */
static int try_running_lines(int inside)
{
    int n = pp_get_ncpus(server) < 16 ? pp_get_ncpus(server) : 16;
    pp_future f[16];
    double seconds = patience(1), start = seconds_now();
    for (int i = 0; i < n; i++) f[i] = pp_submit(server, print_and_run_on, &seconds, sizeof seconds);
    if (inside)
        pp_wait_all(f, (size_t)n, seconds * 0.4);
    else
        pause_for(seconds * 0.4);
    char expected[1024] = "";
    const char *text = new_output(0, NULL);
    int finished = 0, in_time = seconds_now() - start < seconds * 0.9;
    for (int i = 0; i < n; i++) finished += pp_done(f[i]);
    for (int i = 0; i < n; i++) strcat(expected, "still running\na child says so\n");
    if (in_time) {
        CHECK_INT(strlen(text), strlen(expected)); /* in any order */
        CHECK_INT(finished, 0);
    }
    CHECK_INT(pp_wait_all(f, (size_t)n, -1), PP_OK);
    expected[0] = '\0';
    for (int i = 0; i < n; i++) strcat(expected, "done\n");
    if (in_time) CHECK_OUTPUT(0, expected);
    new_output(0, NULL);
    for (int i = 0; i < n; i++) CHECK_INT(pp_release(f[i]), PP_OK);
    return in_time;
}

static void lines_of_a_running_task_appear(int inside)
{
    int tried = 0;
    while (tried < 10 && !try_running_lines(inside)) tried++;
    CHECK(tried < 10);
}

static void lines_of_a_running_task_appear_while_the_program_waits(void)
{
    lines_of_a_running_task_appear(1);
}

static void lines_of_a_running_task_appear_while_the_program_computes(void)
{
    lines_of_a_running_task_appear(0);
}

static void leave_a_printer_behind(pp_task *task)
{
    if (system("(sleep 0.15; echo late) &") != 0) pp_task_fail(task, 1, "system");
}

static void print_at_the_end(pp_task *task)
{
    pause_for(0.05);
    do_printf_open(task);
}

/* Closes the server. */
static void nothing_comes_after_the_close(void)
{
    CHECK_OUTPUT(0, "");
    CHECK_OUTPUT(1, "");
    for (int i = 0; i < 4; i++) CHECK_INT(pp_release(pp_submit(server, leave_a_printer_behind, NULL, 0)), PP_OK);
    for (int i = 0; i < 3; i++) CHECK_INT(pp_release(pp_submit(server, print_at_the_end, NULL, 0)), PP_OK);
    CHECK_INT(pp_server_close(server), PP_OK);
    server = NULL;
    const char *text = new_output(0, NULL);
    int lines = 0;
    for (const char *at = text; (at = strstr(at, "without a newline\n")); at++) lines++;
    CHECK_INT(lines, 3);
    pause_for(0.4);
    CHECK_OUTPUT(0, "");
    CHECK_OUTPUT(1, "");
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(every_way_of_printing_arrives_before_fetch_returns),
        TEST(quick_writes_arrive_in_time),
        TEST(binary_output_with_nuls_is_not_changed),
        TEST(output_comes_before_any_news_of_the_end),
        TEST(the_program_s_own_lines_keep_their_place),
        TEST(what_a_crashed_task_had_flushed_arrives),
        TEST(lines_of_a_running_task_appear_while_the_program_waits),
        TEST(lines_of_a_running_task_appear_while_the_program_computes),
        TEST(nothing_comes_after_the_close),
    };
    catch_output();
    pp_options options = PP_OPTIONS_INIT;
    options.log_level = PP_LOG_ERROR; /* stderr is counted */
    open_or_exit(&argc, &argv, &options);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
