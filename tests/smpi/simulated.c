/* In the place of base/futex.c and base/thread.c: one process, one thread, simulated time.
 *
 * Nobody sleeps until he is woken: with a rank on each node nobody could ring either, and all who wait look again by
 * themselves. Threads are not started: the background thread drives while the program does something else than wait, and
 * the simulated program does nothing else. */
#include "base/clock.h"
#include "base/futex.h"
#include "base/thread.h"

#include <mpi.h>
#include <simgrid/actor.h>
#include <simgrid/engine.h>
#include <stdio.h>
#include <time.h>

#define PAUSES_PER_LOOK 16
#define LOOK_S 4e-6 /* some more than on a real machine: each look costs the simulation time */
#define SLEEP_MOST_NS 10000000ull

uint64_t (*simulated_workers)(void);

void simulated_use(double seconds)
{
    if (seconds > 0) sg_actor_sleep_for(seconds);
}

int simulated_clock(struct timespec *out)
{
    double now = simgrid_get_clock();
    out->tv_sec = (time_t)now;
    out->tv_nsec = (long)((now - (double)out->tv_sec) * 1e9);
    return 0;
}

void simulated_pause(void)
{
    static unsigned pauses; /* those who wait pause sixteen times in a row, and only a sleep lets another rank go on */
    if (++pauses % PAUSES_PER_LOOK) return;
    simulated_use(LOOK_S);
    if (simulated_workers) simulated_workers();
}

int simulated_hostname(char *name, size_t room)
{
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    snprintf(name, room, "node-%d", rank);
    return 0;
}

void ppi_futex_wait(const _Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
    if (*word != value) return;
    uint64_t most = timeout_ns < SLEEP_MOST_NS ? timeout_ns : SLEEP_MOST_NS, now = ppi_now_ns();
    uint64_t news = simulated_workers ? simulated_workers() : 0;
    if (news && news < now + most) most = news > now ? news - now : 1; /* whoever has some rings */
    simulated_use((double)most / 1e9);
    if (simulated_workers) simulated_workers();
}

void ppi_futex_wake(_Atomic uint32_t *word, int how_many)
{
    (void)word, (void)how_many;
}

int ppi_thread_start(pthread_t *thread, void *(*body)(void *arg), void *arg)
{
    (void)body, (void)arg;
    *thread = pthread_self();
    return 0;
}
