/* Tasks that close or redirect their standard streams do so for themselves: what later tasks of the same worker print
 * arrives. ranks: 2 */
#define TEST_API_MAIN
#include "farm/test_output.h"

static void close_it(int fd)
{
    close(fd);
}

static void dup2_file(int fd)
{
    int file = open("/tmp/ppmpi-test-redirect", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    dup2(file, fd);
    close(file);
    unlink("/tmp/ppmpi-test-redirect");
}

static void dup2_null(int fd)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, fd);
    close(null);
}

static void dup2_pipe(int fd)
{
    int ends[2];
    if (pipe(ends) != 0) abort();
    dup2(ends[1], fd);
    close(ends[1]); /* the reading end stays: nobody gets SIGPIPE */
    pause_for(0.0001);
}

static void dup2_other(int fd)
{
    dup2(fd == STDOUT_FILENO ? STDERR_FILENO : STDOUT_FILENO, fd);
    pause_for(0.0001);
}

static void freopen_null(int fd)
{
    if (!freopen("/dev/null", "w", fd == STDOUT_FILENO ? stdout : stderr)) abort();
    fprintf(fd == STDOUT_FILENO ? stdout : stderr, "not for the program\n");
}

static void freopen_append(int fd)
{
    if (!freopen("/tmp/ppmpi-test-redirect", "a", fd == STDOUT_FILENO ? stdout : stderr)) abort();
    fprintf(fd == STDOUT_FILENO ? stdout : stderr, "not for the program\n");
    unlink("/tmp/ppmpi-test-redirect");
}

static void fclose_it(int fd)
{
    fclose(fd == STDOUT_FILENO ? stdout : stderr);
}

static void assign_it(int fd)
{
    FILE *null = fopen("/dev/null", "w");
    if (!null) abort();
    if (fd == STDOUT_FILENO)
        stdout = null;
    else
        stderr = null;
}

static void close_all(int fd)
{
    (void)fd;
    for (int i = 0; i < 1024; i++) close(i);
}

static void (*const hows[])(int fd) = {close_it,     dup2_file,      dup2_null, dup2_pipe, dup2_other,
                                       freopen_null, freopen_append, fclose_it, assign_it, close_all};
#define HOWS (int)(sizeof hows / sizeof hows[0])

struct order {
    int how, stream, by_write;
};

static void spoil(pp_task *task)
{
    const struct order *o = pp_task_args(task, NULL);
    hows[o->how](STDOUT_FILENO + o->stream);
}

static void say(pp_task *task)
{
    const struct order *o = pp_task_args(task, NULL);
    for (int i = 0; i < 2; i++) {
        const char *text = i ? "to stderr\n" : "to stdout\n";
        if (!o->by_write)
            fputs(text, i ? stderr : stdout);
        else if (write(STDOUT_FILENO + i, text, 10) != 10)
            pp_task_fail(task, i, "write");
    }
}

/* All in one go, so that those that print may lie behind the one that redirects in the channel of its worker. */
static void later_tasks_print(int one_by_one)
{
    for (int how = 0; how < HOWS; how++)
        for (int stream = 0; stream < 2; stream++)
            for (int by_write = 0; by_write < 2; by_write++) {
                enum { SAYERS = 6 };
                pp_future f[2 * SAYERS];
                struct order o = {how, stream, by_write};
                char expected[2][SAYERS * 10 + 1] = {"", ""};
                for (int i = 0; i < 2 * SAYERS; i++) {
                    f[i] = pp_submit(server, i % 4 < 2 ? spoil : say, &o, sizeof o);
                    CHECK(f[i].id != 0);
                    if (one_by_one) CHECK_INT(pp_wait(f[i]), PP_OK);
                    if (i % 4 < 2) continue;
                    strcat(expected[0], "to stdout\n");
                    strcat(expected[1], "to stderr\n");
                }
                for (int i = 0; i < 2 * SAYERS; i++) CHECK_INT(pp_fetch(f[i], NULL, 0), PP_OK);
                for (int i = 0; i < 2; i++) CHECK_OUTPUT(i, expected[i]);
                if (!failures) continue;
                fprintf(complaints, "way %d, stream %d, by write %d, one by one %d\n", how, stream, by_write, one_by_one);
                return;
            }
}

static void later_tasks_print_when_all_are_handed_out_at_once(void)
{
    for (int round = 0; round < 10 && !failures; round++) later_tasks_print(0);
}

static void later_tasks_print_one_by_one(void)
{
    later_tasks_print(1);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(later_tasks_print_one_by_one),
        TEST(later_tasks_print_when_all_are_handed_out_at_once),
    };
    catch_output();
    pp_options options = PP_OPTIONS_INIT;
    options.log_level = PP_LOG_ERROR; /* stderr is counted */
    options.workers = 1;
    open_or_exit(&argc, &argv, &options);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
