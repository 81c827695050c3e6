/* SIGPIPE: passes inside MPI, and nowhere else. */
#include "base/pipe.h"
#include "unit/suite.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static int broken(void)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    return ends[1];
}

static int is_broken(int fd)
{
    return write(fd, "x", 1) < 0 && errno == EPIPE;
}

START_TEST(inside_it_is_an_error_of_write)
{
    int fd = broken();
    ppi_pipe_guard();
    ppi_pipe_enter();
    ck_assert(is_broken(fd));
    ppi_pipe_enter(); /* one call of MPI may call us back, and we MPI */
    ppi_pipe_leave();
    ck_assert(is_broken(fd));
    ppi_pipe_leave();
}
END_TEST

START_TEST(outside_it_ends_the_program)
{
    int fd = broken();
    ppi_pipe_guard();
    ppi_pipe_enter();
    ck_assert(is_broken(fd));
    ppi_pipe_leave();
    is_broken(fd);
    ck_abort_msg("still here");
}
END_TEST

START_TEST(without_guard_it_ends_the_program)
{
    ppi_pipe_enter();
    is_broken(broken());
    ck_abort_msg("still here");
}
END_TEST

static void *write_there(void *fd)
{
    return is_broken(*(int *)fd) ? fd : NULL;
}

START_TEST(on_another_thread_it_ends_the_program)
{
    int fd = broken();
    pthread_t thread;
    ppi_pipe_guard();
    ppi_pipe_enter();
    ck_assert_int_eq(pthread_create(&thread, NULL, write_there, &fd), 0);
    pthread_join(thread, NULL);
    ck_abort_msg("still here");
}
END_TEST

static volatile sig_atomic_t seen;

static void see(int signal_number)
{
    seen = signal_number;
}

START_TEST(what_the_program_has_set_stays)
{
    int fd = broken();
    signal(SIGPIPE, see);
    ppi_pipe_guard();
    ppi_pipe_enter();
    ck_assert(is_broken(fd));
    ck_assert_int_eq(seen, SIGPIPE);
    ppi_pipe_leave();
    signal(SIGPIPE, SIG_IGN);
    ppi_pipe_guard();
    ck_assert(is_broken(fd));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipe");
    TCase *tcase = tcase_create("pipe");
    tcase_add_test(tcase, inside_it_is_an_error_of_write);
    tcase_add_test_raise_signal(tcase, outside_it_ends_the_program, SIGPIPE);
    tcase_add_test_raise_signal(tcase, without_guard_it_ends_the_program, SIGPIPE);
    tcase_add_test_raise_signal(tcase, on_another_thread_it_ends_the_program, SIGPIPE);
    tcase_add_test(tcase, what_the_program_has_set_stays);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
