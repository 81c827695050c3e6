/* The worker's side of what tasks print: real pipes in place of stdout and stderr, in the child that Check forks. */
#include "output/collect.h"

#include "base/clock.h"
#include "unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ppi_collector collector;
static int fds[2];

/* As the agent makes them for a worker. */
static void begin(void)
{
    for (int i = 0; i < 2; i++) {
        int ends[2];
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        fflush(NULL);
        ck_assert_int_ge(dup2(ends[1], i + 1), 0);
        close(ends[1]);
        fds[i] = ends[0];
    }
    ppi_collector_init(&collector, fds);
}

static int is_text(int stream, const char *text)
{
    size_t bytes = strlen(text);
    return collector.bytes[stream] == bytes && (bytes == 0 || memcmp(collector.text[stream], text, bytes) == 0);
}

START_TEST(what_was_printed_is_read_once_and_by_stream)
{
    begin();
    ck_assert_int_eq(ppi_collector_read(&collector, 0), 0);
    printf("to stdout");
    fprintf(stderr, "to stderr\n");
    ck_assert(write(STDOUT_FILENO, "!", 1) == 1);
    ppi_collector_flush();
    ck_assert_int_eq(ppi_collector_read(&collector, 0), 1);
    ck_assert(is_text(0, "!to stdout") && is_text(1, "to stderr\n"));
    ck_assert_int_eq(ppi_collector_read(&collector, 0), 0);
    ck_assert(is_text(0, "") && is_text(1, ""));
    printf("more");
    ppi_collector_flush();
    ck_assert_int_eq(ppi_collector_read(&collector, 0), 1);
    ck_assert(is_text(0, "more") && is_text(1, ""));
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(measuring_leaves_nothing_in_the_pipes)
{
    begin();
    ck_assert_int_eq(ppi_collector_read(&collector, 0), 0);
    ck_assert_uint_gt(collector.fastest_ns, 0);
    ck_assert_uint_lt(collector.fastest_ns, 100000000);
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(task_that_is_too_short_is_not_suspected_unless_it_left_something_in_a_buffer)
{
    begin();
    setvbuf(stdout, NULL, _IOFBF, 4096); /* as stdout to a pipe is */
    ck_assert_int_eq(ppi_collector_suspects(&collector, collector.fastest_ns), 1);
    ck_assert_int_eq(ppi_collector_suspects(&collector, UINT64_MAX), 1);
    ppi_collector_flush();
    ppi_collector_read(&collector, 0);
    if (collector.fastest_ns > 0) ck_assert_int_eq(ppi_collector_suspects(&collector, collector.fastest_ns - 1), 0);
    printf("x");
    ck_assert_int_eq(ppi_collector_suspects(&collector, 0), 1);
    ppi_collector_flush();
    ppi_collector_read(&collector, 0);
    ck_assert_int_eq(ppi_collector_suspects(&collector, 0), 0);
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(fastest_write_is_never_faster_than_half_of_what_was_measured)
{
    /* The rule that short tasks cannot have printed, at work: many single writes, each as a task of its own. */
    begin();
    for (int i = 0; i < 20000; i++) {
        uint64_t before = ppi_now_ns();
        ck_assert(write(STDOUT_FILENO, "x", 1) == 1);
        uint64_t took = ppi_now_ns() - before;
        if (!ppi_collector_suspects(&collector, took)) {
            /* A write may be faster than those that were measured, but rarely by half. */
            fprintf(stderr, "a write took %llu ns, the limit is %llu ns\n", (unsigned long long)took,
                    (unsigned long long)collector.fastest_ns);
            ck_abort_msg("a task that printed would not be suspected");
        }
        ppi_collector_read(&collector, 0);
    }
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(thread_workers_have_no_pipes_and_nothing_is_suspected)
{
    ppi_collector_init(&collector, NULL);
    ck_assert_int_eq(ppi_collector_suspects(&collector, UINT64_MAX), 0);
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(pipe_that_a_task_closed_is_noticed)
{
    begin();
    close(fds[_i]);
    ck_assert_int_eq(ppi_collector_read(&collector, 0), -1);
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(descriptor_that_a_task_reused_is_not_read)
{
    begin();
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert(write(ends[1], "the task's own", 14) == 14);
    ck_assert_int_ge(dup2(ends[0], fds[_i]), 0);
    ck_assert_int_eq(ppi_collector_read(&collector, 0), -1);
    char text[14]; /* the task can still read it */
    ck_assert(read(ends[0], text, sizeof text) == 14);
    ppi_collector_fini(&collector);
}
END_TEST

/* ---- tasks that redirect their streams */

static void to_a_file(int stream)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(dup2(fd, STDOUT_FILENO + stream), 0);
    close(fd);
}

static void to_a_file_by_freopen(int stream)
{
    ck_assert_ptr_nonnull(freopen("/dev/null", stream % 2 ? "a" : "w", stream ? stderr : stdout));
}

static void to_nowhere(int stream)
{
    close(STDOUT_FILENO + stream);
}

static void to_a_pipe(int stream)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDOUT_FILENO + stream), 0);
}

static void to_the_other_stream(int stream)
{
    ck_assert_int_ge(dup2(STDERR_FILENO - stream, STDOUT_FILENO + stream), 0);
}

static void check_both_streams(void)
{
    printf("to %s", "stdout");
    fprintf(stderr, "to stderr");
    ppi_collector_flush();
    ck_assert_int_eq(ppi_collector_read(&collector, 0), 1);
    ck_assert(is_text(0, "to stdout") && is_text(1, "to stderr"));
    ck_assert_int_eq(system("echo -n out; echo -n err >&2"), 0); /* children get them too */
    ck_assert_int_eq(ppi_collector_read(&collector, 0), 1);
    ck_assert(is_text(0, "out") && is_text(1, "err"));
}

START_TEST(stream_that_is_closed_or_leads_to_a_file_is_put_back_at_the_next_look)
{
    static void (*const how[])(int stream) = {to_a_file, to_a_file_by_freopen, to_nowhere};
    begin();
    for (int round = 0; round < 3; round++)
        for (size_t k = 0; k < sizeof how / sizeof *how; k++) {
            printf("before");
            ppi_collector_flush();
            how[k](_i);
            printf("gone");
            ppi_collector_flush();
            ck_assert_int_eq(ppi_collector_read(&collector, 0), 1);
            ck_assert(_i == 0 ? is_text(0, "before") : is_text(0, "beforegone"));
            check_both_streams();
        }
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(stream_that_leads_to_another_pipe_is_put_back_after_a_longer_task_in_a_pause_or_after_some_looks)
{
    static void (*const how[])(int stream) = {to_a_pipe, to_the_other_stream};
    begin();
    for (int round = 0; round < 6; round++) {
        how[round % 2](_i);
        if (round / 2 == 0) {
            ck_assert_int_eq(ppi_collector_read(&collector, 1000000), 0);
        } else if (round / 2 == 1) {
            ppi_collector_read(&collector, 0);
            ck_assert_int_gt(collector.unseen, 0);
            ppi_collector_rest(&collector);
        } else {
            for (int i = 0; i < 40; i++) ck_assert_int_eq(ppi_collector_read(&collector, 0), 0);
        }
        check_both_streams();
    }
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(stream_that_cannot_be_put_back_is_told_and_nothing_is_read)
{
    begin();
    fprintf(_i ? stdout : stderr, "still there");
    ppi_collector_flush();
    fclose(_i ? stderr : stdout);
    ck_assert_int_eq(ppi_collector_read(&collector, 0), -1);
    char text[32];
    ck_assert(read(fds[!_i], text, sizeof text) == 11 && memcmp(text, "still there", 11) == 0);
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(stream_is_not_put_back_without_our_own_end)
{
    begin();
    close(STDOUT_FILENO + _i);
    ck_assert_int_ge(dup2(fds[_i], collector.write_fd[_i]), 0); /* a task has reused the number */
    close(collector.write_fd[_i]);
    ck_assert_int_eq(ppi_collector_read(&collector, 0), -1);
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(what_the_initializer_redirects_stays_redirected)
{
    begin();
    to_a_file(_i);
    ppi_collector_accept(&collector);
    for (int i = 0; i < 2; i++) {
        printf("to %s", "stdout");
        fprintf(stderr, "to stderr");
        ppi_collector_flush();
        ck_assert_int_eq(ppi_collector_read(&collector, 1000000), 1);
        ck_assert(is_text(_i, "") && is_text(!_i, _i ? "to stdout" : "to stderr"));
        ppi_collector_rest(&collector);
    }
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(full_pipe_is_read_whole)
{
    begin();
    fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
    size_t written = 0;
    char chunk[1000];
    for (ssize_t n; (n = write(STDOUT_FILENO, memset(chunk, 'a' + (int)(written / 1000 % 26), 1000), 1000)) > 0;)
        written += (size_t)n;
    ck_assert_uint_gt(written, 60000);
    ck_assert_int_eq(ppi_collector_read(&collector, 0), 1);
    ck_assert_uint_eq(collector.bytes[0], written);
    for (size_t i = 0; i + 1000 <= written; i += 1000) ck_assert_int_eq(collector.text[0][i], 'a' + (int)(i / 1000 % 26));
    ppi_collector_fini(&collector);
}
END_TEST

START_TEST(drain_stops_near_the_limit_and_goes_on_later)
{
    int ends[2];
    char *text = NULL;
    size_t bytes = 0, room = 0, all = 0;
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    char chunk[1000];
    for (int i = 0; i < 50; i++) ck_assert(write(ends[1], memset(chunk, 'a' + i % 26, 1000), 1000) == 1000);
    while (ppi_output_drain(ends[0], &text, &bytes, &room, 10000)) {
        ck_assert_uint_ge(bytes, 1);
        ck_assert_uint_le(bytes, room);
        for (size_t i = 0; i < bytes; i++)
            if (text[i] != 'a' + (int)((all + i) / 1000 % 26)) ck_abort_msg("byte %zu is wrong", all + i);
        all += bytes;
        ck_assert_uint_lt(room, 65536); /* it does not grow to the size of what waits */
        bytes = 0;
    }
    ck_assert_uint_eq(all, 50000);
    close(ends[1]);
    ck_assert_uint_eq(ppi_output_drain(ends[0], &text, &bytes, &room, SIZE_MAX), 0); /* end of file */
    free(text);
}
END_TEST

/* ---- the lock */

static _Atomic uint32_t lock, readings;
static long counter; /* plain: the lock keeps it right */

static void count(void *arg)
{
    long was = counter;
    counter = was + 1;
    ++*(long *)arg;
}

static void *worker(void *arg)
{
    for (int i = 0; i < 50000; i++) {
        if (!ppi_output_lock(&lock, &readings)) abort();
        count(arg);
        ppi_output_unlock(&lock);
    }
    return NULL;
}

static void *agent(void *arg)
{
    for (int i = 0; i < 50000; i++) {
        int had = ppi_output_try_lock(&lock, &readings);
        if (had) count(arg);
        ppi_output_let_go(&lock, &readings, had);
    }
    return NULL;
}

START_TEST(lock_lets_one_in_at_a_time)
{
    pthread_t thread[2];
    long entered[2] = {0};
    for (int i = 0; i < 2; i++) ck_assert_int_eq(pthread_create(&thread[i], NULL, i ? agent : worker, &entered[i]), 0);
    for (int i = 0; i < 2; i++) pthread_join(thread[i], NULL);
    ck_assert_int_eq(counter, entered[0] + entered[1]);
    ck_assert_int_eq(entered[0], 50000);
    ck_assert_int_eq(ppi_output_lock(&lock, &readings), 1);
    ck_assert_int_eq(ppi_output_try_lock(&lock, &readings), 0);
    ppi_output_let_go(&lock, &readings, 0);
    ppi_output_unlock(&lock);
    ck_assert_int_eq(ppi_output_try_lock(&lock, &readings), 1);
    ppi_output_let_go(&lock, &readings, 1);
    ck_assert_uint_eq(lock, 0);
}
END_TEST

START_TEST(lock_that_nobody_of_us_holds_is_told_at_once)
{
    static const uint32_t nonsense[] = {1, 2, 0xffffffff};
    lock = nonsense[_i];
    ck_assert_int_eq(ppi_output_lock(&lock, &readings), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("collect");
    TCase *c = tcase_create("collect");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, what_was_printed_is_read_once_and_by_stream);
    tcase_add_test(c, measuring_leaves_nothing_in_the_pipes);
    tcase_add_test(c, task_that_is_too_short_is_not_suspected_unless_it_left_something_in_a_buffer);
    tcase_add_test(c, fastest_write_is_never_faster_than_half_of_what_was_measured);
    tcase_add_test(c, thread_workers_have_no_pipes_and_nothing_is_suspected);
    tcase_add_loop_test(c, pipe_that_a_task_closed_is_noticed, 0, 2);
    tcase_add_loop_test(c, descriptor_that_a_task_reused_is_not_read, 0, 2);
    tcase_add_loop_test(c, stream_that_is_closed_or_leads_to_a_file_is_put_back_at_the_next_look, 0, 2);
    tcase_add_loop_test(c, stream_that_leads_to_another_pipe_is_put_back_after_a_longer_task_in_a_pause_or_after_some_looks, 0, 2);
    tcase_add_loop_test(c, stream_that_cannot_be_put_back_is_told_and_nothing_is_read, 0, 2);
    tcase_add_loop_test(c, stream_is_not_put_back_without_our_own_end, 0, 2);
    tcase_add_loop_test(c, what_the_initializer_redirects_stays_redirected, 0, 2);
    tcase_add_test(c, full_pipe_is_read_whole);
    tcase_add_test(c, drain_stops_near_the_limit_and_goes_on_later);
    tcase_add_test(c, lock_lets_one_in_at_a_time);
    tcase_add_loop_test(c, lock_that_nobody_of_us_holds_is_told_at_once, 0, 3);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
