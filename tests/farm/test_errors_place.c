/* Calls from where they are not allowed: tasks, and children that the program or a task forks. ranks: 1 2 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <sys/wait.h>

static void nothing(pp_task *task)
{
    (void)task;
}

/* Number of the first call that did not give PP_ERR_STATE with a text that has `part`, 0 = all did. */
static int first_that_is_allowed(pp_server *s, pp_future f, const char *part)
{
    pp_stats stats = {.size = sizeof stats};
    pp_task_info info = {.size = sizeof info};
    pp_node node;
    size_t index, bytes;
    const void *data;
    char result[8];
    int n = 0;
#define STATE(call)                                                                                            \
    n++;                                                                                                       \
    if ((call) != PP_ERR_STATE || pp_last_error_code() != PP_ERR_STATE || !strstr(pp_last_error(), part)) return n;
    STATE(pp_submit(s, nothing, NULL, 0).id ? 0 : pp_last_error_code())
    STATE(pp_submit_with(s, nothing, NULL, 0, NULL).id ? 0 : pp_last_error_code())
    STATE(pp_server_open(NULL, NULL, NULL) ? 0 : pp_last_error_code())
    STATE(pp_server_close(s))
    STATE(pp_get_ncpus(s))
    STATE(pp_get_active_nodes(s, &node, 1))
    STATE(pp_get_stats(s, &stats))
    STATE(pp_print_stats(s, stdout))
    STATE(pp_fetch(f, result, sizeof result))
    STATE(pp_result(f, &data, &bytes))
    STATE(pp_release(f))
    STATE(pp_wait(f))
    STATE(pp_wait_for(f, 0.1))
    STATE(pp_done(f))
    STATE(pp_wait_all(&f, 1, 0.1))
    STATE(pp_wait_any(&f, 1, 0.1, &index))
    STATE(pp_wait_failed(&f, 1, 0.1, &index))
    STATE(pp_info(f, &info))
#undef STATE
    return 0;
}

static void call_everything(pp_task *task)
{
    pp_future f = *(const pp_future *)pp_task_args(task, NULL);
    *(int *)pp_task_result(task, sizeof(int)) = first_that_is_allowed(server, f, "inside a task");
    if (!*pp_version() || !*pp_strerror(-1)) pp_task_fail(task, 1, "these are for everybody");
}

static void inside_a_task_only_task_functions_do_anything(void)
{
    for (int i = 0; i < 20; i++) {
        pp_future other = pp_submit(server, nothing, NULL, 0);
        int first = -1;
        pp_future f = pp_submit(server, call_everything, &other, sizeof other);
        CHECK_INT(pp_fetch(f, &first, sizeof first), PP_OK);
        CHECK_INT(first, 0);
        CHECK_INT(pp_fetch(other, NULL, 0), PP_OK);
    }
}

static void call_from_a_child(pp_task *task)
{
    pp_future f = {1};
    pid_t child = fork();
    if (child == 0) _exit(first_that_is_allowed(server, f, ""));
    int status = -1;
    if (waitpid(child, &status, 0) != child) pp_task_fail(task, 1, "waitpid");
    *(int *)pp_task_result(task, sizeof(int)) = status;
}

static void neither_do_they_in_a_task_s_child(void)
{
    int status = -1;
    CHECK_INT(pp_fetch(pp_submit(server, call_from_a_child, NULL, 0), &status, sizeof status), PP_OK);
    CHECK_INT(status, 0);
}

static void a_forked_child_of_the_program_may_not_use_the_server(void)
{
    for (int i = 0; i < 10; i++) {
        pp_future f = pp_submit(server, nothing, NULL, 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            int first = first_that_is_allowed(server, f, "");
            if (first) fprintf(stderr, "call %d is allowed in a child\n", first);
            /* Every second one leaves by the exit handlers: they must leave the parent's server alone. */
            if (i % 2) exit(first);
            _exit(first);
        }
        int status = -1;
        CHECK_INT(waitpid(child, &status, 0), child);
        CHECK_INT(status, 0);
        CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
        CHECK_INT(pp_fetch(pp_submit(server, nothing, NULL, 0), NULL, 0), PP_OK);
    }
}

static void the_program_s_wait_does_not_see_our_processes(void)
{
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_INT(pp_fetch(pp_submit(server, nothing, NULL, 0), NULL, 0), PP_OK);
    pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK_INT(wait(NULL), child);
    CHECK_INT(wait(NULL), -1);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(inside_a_task_only_task_functions_do_anything),
        TEST(neither_do_they_in_a_task_s_child),
        TEST(a_forked_child_of_the_program_may_not_use_the_server),
        TEST(the_program_s_wait_does_not_see_our_processes),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
