/* Comes before everything else in each file of the simulated build: what the processor and the kernel do there is done in
 * simulated time. All ranks are fibres of one process (SimGrid SMPI), and time goes on only where one of them sleeps. */
#ifndef TEST_SMPI_SIMULATED_H
#define TEST_SMPI_SIMULATED_H

#define SMPI_NO_OVERRIDE_MALLOC
#include <smpi/smpi_helpers.h> /* clocks, usleep, nanosleep, getpid */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* What SimGrid has for clocks reads two real ones, too. */
struct timespec;
int simulated_clock(struct timespec *out);
#undef clock_gettime
#define clock_gettime(which, out) simulated_clock(out)
#undef usleep
#define usleep(us) simulated_use((double)(us) / 1e6)

/* base/clock.c and base/futex.h ask for it. */
#define PPI_SIMULATED 1

/* In the place of ppi_cpu_relax: sixteen of them, as many as there are between two looks, take some microseconds. */
void simulated_pause(void);

/* So much simulated time is used by the calling rank. */
void simulated_use(double seconds);

/* Each rank is on a node of its own. */
int simulated_hostname(char *name, size_t room);
#define gethostname simulated_hostname

/* Threads of the library do not run, see simulated.c: they have ended at once. */
static inline int simulated_join(pthread_t thread, void **result)
{
    (void)thread, (void)result;
    return 0;
}
#define pthread_join simulated_join

/* Where the workers are simulated too: has those of the calling rank do what they have done until now, and says when one of them
 * has news next, in nanoseconds of the clock; 0 = none is at work. NULL where there are none. */
extern uint64_t (*simulated_workers)(void);

#endif
