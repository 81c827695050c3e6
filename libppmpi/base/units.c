#include "base/units.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/thread.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

/* What another thread does for this one, and how long this one waits for it. */
enum step { DONE, STARTING, STANDARD, FILES };
#define STARTING_NS 100000000ull         /* on a machine that is busy */
#define STANDARD_NS 5000000ull           /* a statement may have locked the unit */
#define STANDARD_LEAVING_NS 500000000ull /* a pipe may be full */
#define FILES_NS 100000000ull            /* a file takes what is in a buffer at once */

/* The argument NULL means all units … */
extern void _gfortran_flush_i4(int *unit) __attribute__((weak));
/* … but for those of newunit=, which the Fortran module finds, slowly; it returns how many there are. */
extern int pp_fortran_flush(void) __attribute__((weak));

static _Atomic uint32_t leaving, standard; /* the step, while a thread is at work */

/* In a worker: there were such units when it last looked, and the descriptor that was free then. A file that has been opened
 * since, and is open, has that one. */
static int newunits, free_fd = -1;

static int lowest_free(void)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) close(fd);
    return fd;
}

void ppi_units_watch(void)
{
    if (!pp_fortran_flush) return;
    newunits = pp_fortran_flush();
    free_fd = lowest_free();
}

void ppi_units_flush(void)
{
    if (!_gfortran_flush_i4) return;
    _gfortran_flush_i4(NULL);
    if (!pp_fortran_flush) return;
    int fd = lowest_free();
    if (!newunits && fd == free_fd) return;
    newunits = pp_fortran_flush();
    free_fd = fd;
}

void ppi_units_flush_files(void)
{
    if (!_gfortran_flush_i4) return;
    _gfortran_flush_i4(NULL);
    if (pp_fortran_flush) pp_fortran_flush();
}

static void take(_Atomic uint32_t *word, enum step step)
{
    atomic_store(word, step);
    ppi_futex_wake(word, 1);
}

static void *flush_for(void *arg)
{
    _Atomic uint32_t *word = arg;
    int output = 6, error = 0;
    take(word, STANDARD);
    _gfortran_flush_i4(&output); /* on its own and first: all units stop at the one that is locked */
    _gfortran_flush_i4(&error);
    if (word == &leaving) {
        take(word, FILES);
        ppi_units_flush_files();
    }
    take(word, DONE);
    return NULL;
}

static void flush_by_thread(_Atomic uint32_t *word, uint64_t standard_ns)
{
    const uint64_t patience_ns[] = {[STARTING] = STARTING_NS, [STANDARD] = standard_ns, [FILES] = FILES_NS};
    pthread_t thread;
    if (!_gfortran_flush_i4) return;
    uint32_t step = DONE, before = DONE;
    if (!atomic_compare_exchange_strong(word, &step, STARTING)) return; /* one that is stuck is there already */
    if (ppi_thread_start(&thread, flush_for, word) != 0) {
        atomic_store(word, DONE);
        return;
    }
    pthread_detach(thread);
    uint64_t now = ppi_now_ns(), deadline = 0;
    while ((step = atomic_load(word)) != DONE) {
        if (step != before) deadline = now + patience_ns[step];
        before = step;
        if (now >= deadline) return;
        ppi_futex_wait(word, step, deadline - now);
        now = ppi_now_ns();
    }
}

void ppi_units_flush_leaving(void)
{
    flush_by_thread(&leaving, STANDARD_LEAVING_NS);
}

void ppi_units_flush_standard(void)
{
    flush_by_thread(&standard, STANDARD_NS);
}
