/* A user's program against the installed library. Prints "42 <version>". */
#include <ppmpi.h>
#include <string.h>

static void twice(pp_task *task)
{
    size_t bytes;
    const int *n = pp_task_args(task, &bytes);
    int *result = pp_task_result(task, sizeof *result);
    if (result && bytes == sizeof *n) *result = 2 * *n;
}

int main(int argc, char **argv)
{
    pp_options options = PP_OPTIONS_INIT;
    options.workers = 1;
    pp_server *server = pp_server_open(&argc, &argv, &options);
    if (!server) {
        fprintf(stderr, "%s\n", pp_last_error());
        return 1;
    }
    int n = 21, result = 0;
    pp_future f = pp_submit(server, twice, &n, sizeof n);
    int status = pp_fetch(f, &result, sizeof result);
    if (status != PP_OK) fprintf(stderr, "pp_fetch: %s: %s\n", pp_strerror(status), pp_last_error());
    if (pp_server_close(server) != PP_OK) return 1;
    printf("%d %s\n", result, pp_version());
    return status != PP_OK;
}
