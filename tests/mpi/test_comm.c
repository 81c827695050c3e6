/* Programs that run MPI themselves and open farms on communicators. ranks: 1 2 4
 * Usage: mpi_comm prepare|inside single|funneled|serialized|multiple: where tasks run, and the program's thread level. */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <mpi.h>
#include <ppmpi_mpi.h>
#include <signal.h>
#include <sys/wait.h>

static int prepared, provided, rank, ranks;
static int children_of_mpi; /* as waitpid tells: Open MPI starts one for a process without a launcher */
static int state = 1; /* of the program, for what tasks see of it */

static void square(pp_task *task)
{
    const long *n = pp_task_args(task, NULL);
    *(long *)pp_task_result(task, sizeof(long)) = *n * *n;
}

static void echo(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    void *to = pp_task_result(task, bytes);
    if (to) memcpy(to, args, bytes);
}

static void see_state(pp_task *task)
{
    *(int *)pp_task_result(task, sizeof(int)) = state;
}

static void sleep_for(pp_task *task)
{
    pause_for(*(const double *)pp_task_args(task, NULL));
}

static void crash(pp_task *task)
{
    (void)task;
    raise(SIGSEGV);
}

static void misuse(pp_task *task)
{
    int *code = pp_task_result(task, 3 * sizeof(int));
    code[0] = pp_submit(NULL, square, NULL, 0).id ? 0 : pp_last_error_code();
    code[1] = pp_server_open(NULL, NULL, NULL) ? 0 : pp_last_error_code();
    code[2] = pp_wait((pp_future){1});
}

/* Rank 0 of comm runs the body with a server; the others serve it. */
static void farm_on(MPI_Comm comm, const pp_options *options, void (*body)(void))
{
    int here;
    MPI_Comm_rank(comm, &here);
    server = pp_server_open_comm(comm, options);
    if (here == 0) {
        CHECK(server != NULL);
        if (!server) return;
        body();
        CHECK_INT(pp_server_close(server), PP_OK);
        server = NULL;
    } else {
        CHECK(server == NULL);
        CHECK_INT(pp_last_error_code(), PP_OK);
    }
}

static void run_squares(void)
{
    enum { N = 3000 };
    static pp_future f[N];
    for (long i = 0; i < N; i++) f[i] = pp_submit(server, square, &i, sizeof i);
    for (long i = 0; i < N; i++) {
        long r = -1;
        CHECK_INT(pp_fetch(f[i], &r, sizeof r), PP_OK);
        CHECK_INT(r, i * i);
    }
}

static void run_large(void)
{
    size_t bytes = (size_t)3 << 20;
    char *data = malloc(bytes), *back = malloc(bytes);
    pp_future f[8];
    for (unsigned i = 0; i < 8; i++) {
        fill_pattern(data, bytes - i, i);
        f[i] = pp_submit(server, echo, data, bytes - i);
    }
    for (unsigned i = 0; i < 8; i++) {
        CHECK_INT(pp_fetch(f[i], back, bytes - i), PP_OK);
        CHECK(has_pattern(back, bytes - i, i));
    }
    free(data);
    free(back);
}

static _Atomic int called;
static _Atomic long sum;

/* On the callback thread, which may not call MPI: it submits, and waits for what it has submitted. */
static void on_finished(pp_future f, void *arg)
{
    long n = (long)(intptr_t)arg, r = 0;
    pp_future next = pp_submit(server, square, &n, sizeof n);
    if (pp_fetch(next, &r, sizeof r) == PP_OK) sum += r;
    called++;
    (void)f;
}

static void run_callbacks(void)
{
    called = 0;
    sum = 0;
    pp_future f[20];
    long expected = 0;
    for (long i = 0; i < 20; i++) {
        pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
        o.callback = on_finished;
        o.callback_arg = (void *)(intptr_t)i;
        o.group = i % 2 ? "odd" : "even";
        f[i] = pp_submit_with(server, square, &i, sizeof i, &o);
        expected += i * i;
    }
    CHECK_INT(pp_wait_group(server, "odd", 60), PP_OK);
    CHECK_INT(pp_wait_all(f, 20, 60), PP_OK);
    CHECK_INT(called, 20);
    CHECK_INT(sum, expected);
    int seen = 0;
    pp_future next;
    while (pp_next(server, "even", -1, &next) == PP_OK) {
        seen++;
        CHECK_INT(pp_release(next), PP_OK);
    }
    CHECK_INT(seen, 10);
}

static void run_polling(void)
{
    long n = 12, r = 0;
    pp_future f = pp_submit(server, square, &n, sizeof n);
    double began = seconds_now();
    while (pp_done(f) == 0 && seconds_now() - began < 30) {}
    CHECK_INT(pp_fetch(f, &r, sizeof r), PP_OK);
    CHECK_INT(r, 144);
    f = pp_submit(server, square, &n, sizeof n);
    while (pp_wait_for(f, 0) == PP_TIMEOUT && seconds_now() - began < 30) {}
    CHECK_INT(pp_done(f), 1);
}

static void run_state(void)
{
    pp_future f[16];
    for (int i = 0; i < 16; i++) f[i] = pp_submit(server, see_state, NULL, 0);
    for (int i = 0; i < 16; i++) {
        int seen = 0;
        CHECK_INT(pp_fetch(f[i], &seen, sizeof seen), PP_OK);
        CHECK_INT(seen, prepared ? 1 : 2);
    }
    int code[3] = {0};
    CHECK_INT(pp_fetch(pp_submit(server, misuse, NULL, 0), code, sizeof code), PP_OK);
    for (int i = 0; i < 3; i++) CHECK_INT(code[i], PP_ERR_STATE);
}

static void run_cancel(void)
{
    double seconds = 0.4, longer = 2;
    int workers = pp_get_ncpus(server);
    CHECK(prepared || workers == (ranks > 1 ? ranks - 1 : 1));
    pp_future running = pp_submit(server, sleep_for, &longer, sizeof longer), queued[64];
    for (int i = 0; i < 64; i++) queued[i] = pp_submit(server, sleep_for, &seconds, sizeof seconds);
    /* At once: before any of them begins. */
    for (int i = workers + 1; i < 64; i++) CHECK_INT(pp_cancel(queued[i]), PP_OK);
    if (prepared || ranks > 1) {
        pp_task_info info = {.size = sizeof info, .state = PP_QUEUED};
        for (int i = 0; i < 30 && info.state == PP_QUEUED; i++) {
            pp_wait_for(running, 0.05);
            CHECK_INT(pp_info(running, &info), PP_OK);
        }
        CHECK_INT(info.state, PP_RUNNING);
        CHECK_INT(pp_cancel(running), prepared ? PP_OK : PP_ERR_UNSUPPORTED);
    }
    CHECK_INT(pp_wait_all(queued, 64, 60), PP_OK);
    CHECK_INT(pp_fetch(queued[63], NULL, 0), PP_ERR_CANCELLED);
    CHECK_INT(pp_fetch(queued[0], NULL, 0), PP_OK);
    CHECK_INT(pp_fetch(running, NULL, 0), prepared ? PP_ERR_CANCELLED : PP_OK);
}

static void run_timeout(void)
{
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    double seconds = 0.6;
    o.timeout = 0.1;
    pp_future f = pp_submit_with(server, sleep_for, &seconds, sizeof seconds, &o);
    double began = seconds_now();
    CHECK_INT(pp_wait(f), PP_OK);
    if (!prepared) CHECK(seconds_now() - began > 0.5);
    CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_TIMEOUT, "0.1 s");
    CHECK_INT(pp_release(f), PP_OK);
    if (!prepared) return;
    f = pp_submit(server, crash, NULL, 0);
    CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_CRASHED, "signal 11");
}

static void run_everything(void)
{
    run_squares();
    run_large();
    run_callbacks();
    run_polling();
    run_state();
    run_cancel();
    run_timeout();
    run_squares();
    pp_node nodes[4];
    CHECK_INT(pp_get_active_nodes(server, nodes, 4), 1);
    CHECK_INT(pp_server_open_comm(MPI_COMM_SELF, NULL) == NULL, 1);
    CHECK_INT(pp_last_error_code(), PP_ERR_STATE);
    if (!prepared) CHECK_ERROR(pp_set_ncpus(server, 3), PP_ERR_UNSUPPORTED, "PP_ISOLATE_NONE");
}

static void whole_world(void)
{
    farm_on(MPI_COMM_WORLD, NULL, run_everything);
    pp_options o = PP_OPTIONS_INIT;
    o.queue_limit = 5;
    farm_on(MPI_COMM_WORLD, &o, run_squares);
}

/* What the program has under way is not ours: not even a receive from anybody with any tag. */
static void requests_of_the_program_are_untouched(void)
{
    MPI_Request request;
    MPI_Errhandler before, after;
    int got = -1, next = (rank + 1) % ranks;
    MPI_Comm_get_errhandler(MPI_COMM_WORLD, &before);
    MPI_Irecv(&got, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &request);
    farm_on(MPI_COMM_WORLD, NULL, run_squares);
    MPI_Send(&rank, 1, MPI_INT, next, 7, MPI_COMM_WORLD);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK_INT(got, (rank + ranks - 1) % ranks);
    MPI_Comm_get_errhandler(MPI_COMM_WORLD, &after);
    CHECK(before == after);
    int total = 0;
    MPI_Allreduce(&rank, &total, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    CHECK_INT(total, ranks * (ranks - 1) / 2);
}

/* Two farms at once, on either half; and a farm without the world's rank 0. */
static void parts_of_the_world(void)
{
    MPI_Comm half, rest;
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, ranks - rank, &half);
    farm_on(half, NULL, run_squares);
    MPI_Comm_split(MPI_COMM_WORLD, rank > 0 || ranks == 1 ? 0 : MPI_UNDEFINED, rank, &rest);
    if (rest != MPI_COMM_NULL) {
        farm_on(rest, NULL, run_callbacks);
        MPI_Comm_free(&rest);
    }
    MPI_Comm_free(&half);
}

static int workers_before;

static void run_crashes(void)
{
    enum { N = 3 };
    pp_future f[N];
    long n = 5, r = 0;
    if (!workers_before) workers_before = pp_get_ncpus(server);
    CHECK_INT(pp_get_ncpus(server), workers_before);
    CHECK_INT(pp_fetch(pp_submit(server, square, &n, sizeof n), &r, sizeof r), PP_OK);
    CHECK_INT(r, 25);
    for (int i = 0; i < N; i++) f[i] = pp_submit(server, crash, NULL, 0);
    for (int i = 0; i < N; i++) CHECK_INT(pp_fetch(f[i], NULL, 0), PP_ERR_CRASHED);
}

/* The farm ends while workers are being replaced: nothing of that may reach the next one. */
static void farms_that_end_after_crashes(void)
{
    for (int i = 0; prepared && i < 40; i++) farm_on(MPI_COMM_WORLD, NULL, run_crashes);
}

static void refused_on_all_ranks_alike(void)
{
    pp_options o = PP_OPTIONS_INIT;
    if (rank == 0) o.retries = -5;
    CHECK(pp_server_open_comm(MPI_COMM_WORLD, &o) == NULL);
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
    CHECK_TEXT(pp_last_error(), "-5");
    CHECK(pp_server_open_comm(MPI_COMM_NULL, NULL) == NULL);
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
    o = (pp_options)PP_OPTIONS_INIT;
    o.isolation = PP_ISOLATE_NONE;
    o.workers = 3;
    CHECK(pp_server_open_comm(MPI_COMM_WORLD, &o) == NULL);
    CHECK_INT(pp_last_error_code(), PP_ERR_UNSUPPORTED);
    CHECK_TEXT(pp_last_error(), "workers is 3");
    /* Options of other ranks do not count. */
    o = (pp_options)PP_OPTIONS_INIT;
    if (rank > 0) o.retries = -5;
    farm_on(MPI_COMM_WORLD, &o, run_squares);
}

static void nobody_is_left_and_waited_for(void)
{
    CHECK_INT(waitpid(-1, NULL, WNOHANG), children_of_mpi);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(whole_world), TEST(requests_of_the_program_are_untouched), TEST(parts_of_the_world),
                                        TEST(farms_that_end_after_crashes), TEST(refused_on_all_ranks_alike),
                                        TEST(nobody_is_left_and_waited_for)};
    static const char *const names[] = {"single", "funneled", "serialized", "multiple"};
    static const int levels[] = {MPI_THREAD_SINGLE, MPI_THREAD_FUNNELED, MPI_THREAD_SERIALIZED, MPI_THREAD_MULTIPLE};
    int level = -1;
    if (argc == 3)
        for (int i = 0; i < 4; i++)
            if (strcmp(argv[2], names[i]) == 0) level = i;
    if (level < 0) return 2;
    prepared = strcmp(argv[1], "prepare") == 0;
    if (prepared) pp_prepare();
    state = 2;
    CHECK(pp_server_open_comm(MPI_COMM_WORLD, NULL) == NULL);
    CHECK_INT(pp_last_error_code(), PP_ERR_STATE);
    MPI_Init_thread(&argc, &argv, levels[level], &provided);
    children_of_mpi = waitpid(-1, NULL, WNOHANG);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    run_tests(tests, sizeof tests / sizeof *tests);
    int all = 0;
    MPI_Allreduce(&failures, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Finalize();
    fflush(NULL);
    _exit(all != 0); /* MPI libraries leak by design: a sanitizer shall not tell */
}
