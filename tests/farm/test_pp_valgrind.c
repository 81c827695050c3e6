/* A small program under valgrind: no invalid access, nothing definitely lost. Runs itself; skipped without valgrind. */
#include "farm/test_futures.h"

#include <errno.h>

static void called(pp_future f, void *arg)
{
    (void)f;
    ++*(int *)arg;
}

static void square(pp_task *task)
{
    const long *x = pp_task_args(task, NULL);
    long *y = pp_task_result(task, sizeof *y);
    *y = *x * *x;
}

static void echo(pp_task *task)
{
    size_t bytes;
    const void *in = pp_task_args(task, &bytes);
    memcpy(pp_task_result(task, bytes), in, bytes);
}

static int the_program(void)
{
    pp_options options = PP_OPTIONS_INIT;
    options.workers = 2;
    {
        enum { N = 40, LARGE = 100000 };
        pp_future f[N], g, large;
        long items[50], results[50];
        char *data = calloc(1, LARGE);
        int calls = 0;
        open_or_exit(NULL, NULL, &options);
        pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
        o.callback = called;
        o.callback_arg = &calls;
        o.group = "a group";
        o.name = "a name";
        o.retries = 1;
        for (int i = 0; i < N; i++)
            f[i] = submit_job((struct job){.value = i, .how = i % 10 == 3 ? FAILS : i % 20 == 4 ? ABORTS : FINE}, &o);
        large = pp_submit(server, echo, data, LARGE);
        pp_future queued = submit_pause(30);
        CHECK_INT(pp_cancel(queued), PP_OK);
        CHECK_INT(pp_wait_group(server, "a group", -1), PP_OK);
        CHECK_INT(calls, N);
        int count = 0;
        while (pp_next(server, "a group", -1, &g) == PP_OK) count++;
        CHECK_INT(count, N);
        for (int i = 0; i < N; i += 2) CHECK_INT(pp_release(f[i]), PP_OK); /* the others are left to the close */
        CHECK_INT(pp_fetch(large, data, LARGE), PP_OK);
        for (long i = 0; i < 50; i++) items[i] = i;
        CHECK_INT(pp_map(server, square, items, sizeof *items, 50, results, sizeof *results), PP_OK);
        CHECK_INT(pp_set_ncpus(server, 3), PP_OK);
        CHECK_INT(pp_set_ncpus(server, 1), PP_OK);
        check_farm_works();
        CHECK_INT(pp_server_close(server), PP_OK);
        server = NULL;
        free(data);
    }
    return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *sanitizers = getenv("TEST_SANITIZE");
    if (argc > 1) return the_program();
    if (sanitizers && *sanitizers) return 77;
    execlp("valgrind", "valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
           "--error-exitcode=9", "--child-silent-after-fork=yes", argv[0], "run", (char *)NULL);
    fprintf(stderr, "skipped: no valgrind: %s\n", strerror(errno));
    return 77;
}
