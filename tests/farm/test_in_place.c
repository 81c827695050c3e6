/* Large arguments and results of another rank: on the same node they are not copied to it and back, but read where they
 * are; on another node they are sent. Either way what arrives is what was sent, whatever becomes of the worker meanwhile.
 * ranks: 2; nodes: 2/1 */
#define TEST_API_MAIN
#include "farm/test_api.h"
#include "farm/test_sides.h"

#include <signal.h>

#define LEAST ((size_t)64 << 10) /* what is larger does not fit into a message */
#define MIB ((size_t)1 << 20)
#define KEPT 600

static int elsewhere; /* the worker is another rank's: 1 on this node, 2 on another */

struct request {
    size_t bytes;
    unsigned seed;
};

static void echo(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    void *result = pp_task_result(task, bytes);
    if (result) memcpy(result, args, bytes);
}

static void produce(pp_task *task)
{
    const struct request *r = pp_task_args(task, NULL);
    void *result = pp_task_result(task, r->bytes);
    if (result) fill_pattern(result, r->bytes, r->seed);
}

static void echo_at_second_try(pp_task *task)
{
    if (pp_task_attempt(task) == 1) raise(SIGKILL);
    echo(task);
}

static void die(pp_task *task)
{
    (void)task;
    raise(SIGKILL);
}

/* The inode of a mapped file whose name has that part, the one whose memory that address is in (NULL: the first); 0 = none. */
static unsigned long file_of(const void *address, const char *part)
{
    char line[512];
    unsigned long from, to, inode, found = 0, at = (unsigned long)address;
    FILE *in = fopen("/proc/self/maps", "re");
    while (in && !found && fgets(line, sizeof line, in))
        if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &from, &to, &inode) == 3 && (!at || (at >= from && at < to)) && strstr(line, part))
            found = inode;
    if (in) fclose(in);
    return found;
}

static void find_arguments(pp_task *task)
{
    unsigned long *inode = pp_task_result(task, sizeof *inode);
    *inode = file_of(pp_task_args(task, NULL), "ppmpi-requests");
}

static pp_future ask(size_t bytes, unsigned seed)
{
    struct request r = {bytes, seed};
    return pp_submit(server, produce, &r, sizeof r);
}

static void check_lent(pp_future f, size_t bytes, unsigned seed)
{
    const void *data = NULL;
    size_t got = 0;
    CHECK_INT(pp_result(f, &data, &got), PP_OK);
    CHECK_INT(got, bytes);
    CHECK(data && has_pattern(data, bytes, seed));
}

/* Twice each: the first result of a worker is sent in any case. */
static void what_arrives_is_what_was_sent(void)
{
    static const size_t sizes[] = {LEAST - 1, LEAST, LEAST + 1, LEAST + 8, MIB, 5 * MIB + 3, LEAST + 1, 33 * MIB};
    for (unsigned i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        size_t bytes = sizes[i / 2];
        char *data = malloc(bytes), *back = malloc(bytes);
        fill_pattern(data, bytes, i);
        pp_future f = pp_submit(server, echo, data, bytes);
        check_lent(f, bytes, i);
        if (elsewhere) CHECK_INT(info_of(f).rank, 1);
        CHECK_INT(pp_fetch(f, back, bytes), PP_OK);
        CHECK(memcmp(data, back, bytes) == 0);
        free(data);
        free(back);
    }
}

static void nothing_is_copied_between_ranks_of_a_node(void)
{
    char *data = malloc(MIB);
    unsigned long inode = 0;
    fill_pattern(data, MIB, 1);
    pp_future f = pp_submit(server, find_arguments, data, MIB);
    CHECK_INT(pp_fetch(f, &inode, sizeof inode), PP_OK);
    CHECK(inode != 0);
    CHECK((inode == file_of(NULL, "ppmpi-requests")) == (elsewhere != 2));
    int in_place = 0;
    for (unsigned i = 0; i < 20; i++) {
        const void *result = NULL;
        size_t bytes;
        f = ask(MIB, i);
        CHECK_INT(pp_result(f, &result, &bytes), PP_OK);
        in_place += file_of(result, "ppmpi-answers") != 0;
        CHECK_INT(pp_release(f), PP_OK);
    }
    if (elsewhere == 2)
        CHECK_INT(in_place, 0);
    else
        CHECK(in_place >= 10); /* all but the first of each worker, which may have come before */
    free(data);
}

static void many_results_are_kept_and_released_in_any_order(void)
{
    static pp_future f[KEPT];
    unsigned state = 12345;
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < KEPT; i++) f[i] = ask(LEAST + 1 + i, i);
        for (unsigned i = 0; i < KEPT; i++) check_lent(f[i], LEAST + 1 + i, i);
        for (unsigned i = KEPT; i > 1; i--) {
            unsigned k = random_number(&state) % i;
            pp_future last = f[i - 1];
            f[i - 1] = f[k];
            f[k] = last;
        }
        for (unsigned i = 0; i < KEPT; i++) CHECK_INT(pp_release(f[i]), PP_OK);
    }
}

static void results_outlive_their_worker(void)
{
    enum { N = 5 };
    pp_future f[3 * N];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < N; i++) {
            f[round * N + i] = ask(MIB + i, round * N + i);
            CHECK_INT(pp_wait(f[round * N + i]), PP_OK);
        }
        pp_future dead = pp_submit(server, die, NULL, 0);
        CHECK_INT(pp_fetch(dead, NULL, 0), PP_ERR_CRASHED);
    }
    for (unsigned i = 0; i < 3 * N; i++) {
        check_lent(f[i], MIB + i % N, i);
        CHECK_INT(pp_release(f[i]), PP_OK);
    }
}

static void a_second_try_has_the_same_arguments(void)
{
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    char *data = malloc(2 * MIB);
    o.retries = 1;
    fill_pattern(data, 2 * MIB, 7);
    pp_future f = pp_submit_with(server, echo_at_second_try, data, 2 * MIB, &o);
    memset(data, 0, 2 * MIB);
    check_lent(f, 2 * MIB, 7);
    CHECK_INT(pp_release(f), PP_OK);
    free(data);
}

/* What nobody has asked for is given back all the same, and the farm closes with some of it still lent. */
static void results_need_not_be_fetched(void)
{
    for (unsigned i = 0; i < 20; i++) {
        pp_future f = ask(MIB, i);
        CHECK_INT(pp_wait(f), PP_OK);
        if (i % 2) CHECK_INT(pp_release(f), PP_OK);
    }
    CHECK_INT(pp_release(ask(MIB, 0)), PP_OK);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(sides_begin),
                                        TEST(what_arrives_is_what_was_sent),
                                        TEST(nothing_is_copied_between_ranks_of_a_node),
                                        TEST(many_results_are_kept_and_released_in_any_order),
                                        TEST(results_outlive_their_worker),
                                        TEST(a_second_try_has_the_same_arguments),
                                        TEST(results_need_not_be_fetched),
                                        TEST(sides_end)};
    pp_node node;
    pp_options o = PP_OPTIONS_INIT;
    o.workers = 2; /* so that a second try stays with the rank */
    open_or_exit(&argc, &argv, &o);
    int nodes = pp_get_active_nodes(server, &node, 1);
    elsewhere = nodes > 1 ? 2 : node.ranks > 1;
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
