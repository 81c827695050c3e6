/* A lock that is nearly free while one thread alone takes it, which is how most programs use the library.
 *
 * It is a mutex that may lean towards a thread: one that has taken it many times in a row, with nobody in between, takes it from
 * then on by ordinary loads and stores. Whoever else wants it takes the mutex, ends the preference, and makes the processors of
 * all threads see that by membarrier(2), some microseconds, before it looks whether the preferred thread is inside. (Kawachiya,
 * Koseki & Onodera, "Lock Reservation: Java Locks Can Mostly Do Without Atomic Operations", OOPSLA 2002; the barrier that only
 * the rare side pays: Dice, Huang & Yang, "Asymmetric Dekker Synchronization", 2001.) Each end of a preference doubles what the
 * next one takes to earn. Where the kernel has no membarrier, and under ThreadSanitizer, which does not know it, it is the
 * mutex. */
#ifndef PPI_BASE_LOCK_H
#define PPI_BASE_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define PPI_LOCK_PREFERENCES 8 /* threads that one lock can ever prefer */

struct ppi_lock_preference {
    pthread_t thread; /* the same for ever: nobody else writes to `inside`, however late this thread comes */
    _Atomic uint32_t inside; /* it has the lock, or is finding out whether it may */
};

struct ppi_lock {
    _Atomic(struct ppi_lock_preference *) preferred; /* NULL = nobody is */
    struct ppi_lock_preference *held; /* by whom who has the lock has it without the mutex; NULL = with the mutex */
    pthread_mutex_t mutex;
    /* with the mutex: */
    pthread_t last; /* who took it, */
    uint32_t in_a_row, enough; /* … how many times, and how many earn the preference */
    int known;
    struct ppi_lock_preference preferences[PPI_LOCK_PREFERENCES];
};

void ppi_lock_init(struct ppi_lock *lock);
void ppi_lock_fini(struct ppi_lock *lock);

/* Asks the kernel for its part, once in a process; without it nobody is preferred. That takes tens of milliseconds where the
 * process has several threads already: in_time does nothing then. */
void ppi_lock_prepare(int in_time);

/* Somebody has earned the preference, and the kernel has not been asked. */
int ppi_lock_needs_preparation(void);

/* Waits for the condition until that time of its clock, NULL = for ever; may return early. With the lock, which is released
 * meanwhile. */
void ppi_lock_wait(struct ppi_lock *lock, pthread_cond_t *condition, const struct timespec *until);

void ppi_lock_take_mutex(struct ppi_lock *lock);
void ppi_lock_tell_outside(struct ppi_lock_preference *p); /* who ends the preference may wait for it */

static inline void ppi_lock_take(struct ppi_lock *lock)
{
    struct ppi_lock_preference *p = atomic_load_explicit(&lock->preferred, memory_order_relaxed);
    if (p && pthread_equal(p->thread, pthread_self())) {
        atomic_store_explicit(&p->inside, 1, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst); /* a real one on the other side, for both */
        if (atomic_load_explicit(&lock->preferred, memory_order_acquire) == p) {
            lock->held = p;
            return;
        }
        ppi_lock_tell_outside(p);
    }
    ppi_lock_take_mutex(lock);
}

static inline void ppi_lock_give(struct ppi_lock *lock)
{
    struct ppi_lock_preference *p = lock->held;
    if (!p) {
        pthread_mutex_unlock(&lock->mutex);
        return;
    }
    atomic_store_explicit(&p->inside, 0, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&lock->preferred, memory_order_relaxed) != p) ppi_lock_tell_outside(p);
}

#endif
