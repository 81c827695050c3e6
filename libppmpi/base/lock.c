#include "base/lock.h"

#include "base/futex.h"

#include <linux/membarrier.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENOUGH_FIRST 256u /* times in a row; a preference that ends has cost as much as some hundred mutexes */
#define ENOUGH_MOST 8192u

#if defined(__SANITIZE_THREAD__)
#define KNOWS_THE_BARRIER 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KNOWS_THE_BARRIER 0
#endif
#endif
#ifndef KNOWS_THE_BARRIER
#define KNOWS_THE_BARRIER 1
#endif

enum preparation { NOT_ASKED, NEEDED, DONE, REFUSED };

static _Atomic int preparation;

static int membarrier(int command)
{
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

/* Of /proc/self/task there are two links, and one more for each thread. */
static int has_other_threads(void)
{
    struct stat s;
    return stat("/proc/self/task", &s) != 0 || s.st_nlink != 3;
}

void ppi_lock_prepare(int in_time)
{
    int state = atomic_load(&preparation);
    if (!KNOWS_THE_BARRIER || state == DONE || state == REFUSED || (in_time && has_other_threads())) return;
    atomic_store(&preparation, membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 ? DONE : REFUSED);
}

int ppi_lock_needs_preparation(void)
{
    return atomic_load_explicit(&preparation, memory_order_relaxed) == NEEDED;
}

void ppi_lock_init(struct ppi_lock *lock)
{
    memset(lock, 0, sizeof *lock);
    pthread_mutex_init(&lock->mutex, NULL);
    lock->enough = ENOUGH_FIRST;
}

void ppi_lock_fini(struct ppi_lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

void ppi_lock_tell_outside(struct ppi_lock_preference *p)
{
    atomic_store(&p->inside, 0);
    ppi_futex_wake(&p->inside, 1);
}

/* With the mutex. When this returns, nobody has the lock without it, or will. */
static void end_preference(struct ppi_lock *lock, struct ppi_lock_preference *p)
{
    atomic_store(&lock->preferred, NULL);
    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    while (atomic_load(&p->inside)) ppi_futex_wait(&p->inside, 1, PPI_FOREVER);
    lock->in_a_row = 0;
    if (lock->enough < ENOUGH_MOST) lock->enough *= 2;
}

/* With the mutex, by a thread that has earned it. */
static void prefer(struct ppi_lock *lock, pthread_t self)
{
    int i = 0;
    lock->in_a_row = 0;
    if (atomic_load(&preparation) != DONE) {
        int not_asked = NOT_ASKED;
        atomic_compare_exchange_strong(&preparation, &not_asked, NEEDED);
        return;
    }
    while (i < lock->known && !pthread_equal(lock->preferences[i].thread, self)) i++;
    if (i == PPI_LOCK_PREFERENCES) return;
    if (i == lock->known) lock->preferences[lock->known++].thread = self;
    atomic_store(&lock->preferred, &lock->preferences[i]);
}

/* Who has the mutex gets the lock. */
static void enter(struct ppi_lock *lock)
{
    pthread_t self = pthread_self();
    struct ppi_lock_preference *p = atomic_load_explicit(&lock->preferred, memory_order_relaxed);
    if (p) end_preference(lock, p);
    lock->held = NULL;
    if (!KNOWS_THE_BARRIER) return;
    if (!pthread_equal(lock->last, self)) {
        lock->last = self;
        lock->in_a_row = 0;
    } else if (++lock->in_a_row >= lock->enough) {
        prefer(lock, self);
    }
}

void ppi_lock_take_mutex(struct ppi_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
    enter(lock);
}

void ppi_lock_wait(struct ppi_lock *lock, pthread_cond_t *condition, const struct timespec *until)
{
    struct ppi_lock_preference *p = lock->held;
    if (p) {
        /* The condition needs the mutex. Who has that one already waits until we are outside: then what the caller has seen
         * may not hold any more. */
        if (pthread_mutex_trylock(&lock->mutex) != 0) {
            ppi_lock_give(lock);
            ppi_lock_take_mutex(lock);
            return;
        }
        atomic_store(&lock->preferred, NULL);
        lock->held = NULL;
        lock->in_a_row = 0;
        atomic_store(&p->inside, 0);
    }
    if (until)
        pthread_cond_timedwait(condition, &lock->mutex, until);
    else
        pthread_cond_wait(condition, &lock->mutex);
    enter(lock);
}
