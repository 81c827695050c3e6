/* Moving the threads of another process to other processing units. Needs two of them. */
#include "topology/limits.h"
#include "topology/topology.h"
#include "unit/suite.h"

#include <check.h>
#include <ppmpi.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ppi_topology machine;
static struct ppi_cpus first, others; /* of those that we may use */
static int is_large_enough;

struct threads {
    pid_t main, follower, free;
};

/* A process in which one thread has done nothing about where it runs, and another has bound itself to all there are. */
static struct child {
    pid_t pid;
    struct threads threads;
    int end; /* closed: it ends */
} child;

static struct {
    const struct ppi_cpus *bind; /* NULL: does not */
    pid_t tid;
    int ready[2];
} starts;

static void *wait_for_the_end(void *arg)
{
    char c;
    starts.tid = (pid_t)syscall(SYS_gettid);
    if (starts.bind) ppi_topology_bind(starts.bind);
    if (write(starts.ready[1], "", 1) != 1) _exit(1);
    while (read(*(int *)arg, &c, 1) > 0) continue;
    _exit(0);
}

static pid_t start_thread(const struct ppi_cpus *bind, int *end)
{
    pthread_t thread;
    char c;
    starts.bind = bind;
    if (pthread_create(&thread, NULL, wait_for_the_end, end) != 0 || read(starts.ready[0], &c, 1) != 1) _exit(1);
    return starts.tid;
}

static void start_child(const struct ppi_cpus *bound)
{
    int end[2], told[2];
    ck_assert(pipe(end) == 0 && pipe(told) == 0);
    child.pid = fork();
    ck_assert_int_ge(child.pid, 0);
    if (child.pid == 0) {
        char c;
        close(end[1]);
        if (ppi_topology_bind(bound) != PP_OK || pipe(starts.ready) != 0) _exit(1);
        struct threads t = {.main = getpid()};
        t.follower = start_thread(NULL, &end[0]);
        t.free = start_thread(&machine.allowed, &end[0]);
        if (write(told[1], &t, sizeof t) != sizeof t) _exit(1);
        while (read(end[0], &c, 1) > 0) continue;
        _exit(0);
    }
    close(end[0]);
    close(told[1]);
    ck_assert_int_eq(read(told[0], &child.threads, sizeof child.threads), sizeof child.threads);
    close(told[0]);
    child.end = end[1];
}

static void end_child(void)
{
    close(child.end);
    waitpid(child.pid, NULL, 0);
}

static int is_on(pid_t thread, const struct ppi_cpus *cpus)
{
    struct ppi_cpus now;
    memset(&now, 0, sizeof now);
    ck_assert_int_eq(sched_getaffinity(thread, sizeof now.bits, (cpu_set_t *)(void *)now.bits), 0);
    return ppi_cpus_equal(&now, cpus);
}

START_TEST(threads_follow_but_for_those_that_have_bound_themselves_elsewhere)
{
    if (!is_large_enough) return;
    start_child(&first);
    ck_assert(is_on(child.threads.main, &first) && is_on(child.threads.follower, &first));
    ck_assert_int_eq(ppi_topology_move_process(child.pid, &first, &others), 1);
    ck_assert(is_on(child.threads.main, &others));
    ck_assert(is_on(child.threads.follower, &others));
    ck_assert(is_on(child.threads.free, &machine.allowed));
    ck_assert_int_eq(ppi_topology_move_process(child.pid, &others, &first), 1);
    ck_assert(is_on(child.threads.main, &first) && is_on(child.threads.free, &machine.allowed));
    end_child();
}
END_TEST

START_TEST(process_that_is_elsewhere_stays_as_it_is)
{
    if (!is_large_enough) return;
    start_child(&machine.allowed);
    ck_assert_int_eq(ppi_topology_move_process(child.pid, &first, &others), 0);
    ck_assert(is_on(child.threads.main, &machine.allowed) && is_on(child.threads.follower, &machine.allowed));
    end_child();
    ck_assert_int_eq(ppi_topology_move_process(child.pid, &machine.allowed, &others), 0); /* nor is there one any more */
}
END_TEST

int main(void)
{
    unsetenv("HWLOC_SYNTHETIC");
    if (ppi_topology_load(&machine) != PP_OK) return 1;
    for (int cpu = 0; cpu < PPI_CPUS_MAX; cpu++)
        if (ppi_cpus_has(&machine.allowed, cpu)) ppi_cpus_add(ppi_cpus_count(&first) ? &others : &first, cpu);
    is_large_enough = ppi_cpus_count(&others) > 0;

    Suite *suite = suite_create("topology_move");
    TCase *c = tcase_create("move");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, threads_follow_but_for_those_that_have_bound_themselves_elsewhere);
    tcase_add_test(c, process_that_is_elsewhere_stays_as_it_is);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
