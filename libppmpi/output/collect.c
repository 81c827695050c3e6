#include "output/collect.h"

#include "base/clock.h"
#include "base/futex.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* libgfortran's buffers, where the program has any: the argument NULL means all units. */
extern void _gfortran_flush_i4(int *unit) __attribute__((weak));
/* … but for the units of newunit=, which the Fortran module finds, slowly. */
extern void pp_fortran_flush(void) __attribute__((weak));

void ppi_collector_flush(void)
{
    fflush(NULL);
    if (_gfortran_flush_i4) _gfortran_flush_i4(NULL);
}

void ppi_collector_flush_files(void)
{
    ppi_collector_flush();
    if (pp_fortran_flush) pp_fortran_flush();
}

#define LEAVING_PATIENCE_NS 500000000ull

static _Atomic uint32_t flushing;

static void *flush_fortran(void *unused)
{
    int standard_output = 6; /* on its own and first: all units stop at the one that is locked */
    _gfortran_flush_i4(&standard_output);
    _gfortran_flush_i4(NULL);
    if (pp_fortran_flush) pp_fortran_flush();
    atomic_store(&flushing, 0);
    ppi_futex_wake(&flushing, 1);
    return unused;
}

void ppi_collector_flush_leaving(void)
{
    pthread_t thread;
    fflush(NULL);
    if (!_gfortran_flush_i4) return;
    uint64_t now = ppi_now_ns(), deadline = now + LEAVING_PATIENCE_NS;
    atomic_store(&flushing, 1);
    if (pthread_create(&thread, NULL, flush_fortran, NULL) != 0) return;
    while (atomic_load(&flushing) && now < deadline) {
        ppi_futex_wait(&flushing, 1, deadline - now);
        now = ppi_now_ns();
    }
}

static uint64_t inode_of(int fd)
{
    struct stat s;
    return fstat(fd, &s) == 0 ? (uint64_t)s.st_ino : 0;
}

void ppi_collector_init(struct ppi_collector *collector, const int fds[2])
{
    memset(collector, 0, sizeof *collector);
    collector->fastest_ns = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
        collector->read_fd[i] = fds ? fds[i] : -1;
        if (fds) collector->inodes[i] = inode_of(fds[i]);
    }
    if (!fds) return;
    /* In a pipe of our own: from stdout's the agent, which has handed out jobs already, might read what we write. */
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) ends[0] = ends[1] = -1;
    for (int i = 0; i < 8 && ends[0] >= 0; i++) {
        char byte = 0;
        uint64_t before = ppi_now_ns();
        if (write(ends[1], &byte, 1) != 1) break;
        uint64_t took = ppi_now_ns() - before;
        if (read(ends[0], &byte, 1) != 1) break;
        if (took < collector->fastest_ns) collector->fastest_ns = took;
    }
    if (ends[0] >= 0) close(ends[0]), close(ends[1]);
    collector->fastest_ns = collector->fastest_ns == UINT64_MAX ? 0 : collector->fastest_ns / 2;
}

void ppi_collector_fini(struct ppi_collector *collector)
{
    for (int i = 0; i < 2; i++) free(collector->text[i]);
}

int ppi_collector_suspects(const struct ppi_collector *collector, uint64_t duration_ns)
{
    if (collector->read_fd[0] < 0) return 0;
    return collector->look_again || duration_ns >= collector->fastest_ns || __fpending(stdout) > 0 || __fpending(stderr) > 0;
}

size_t ppi_output_drain(int fd, char **text, size_t *bytes, size_t *room, size_t most)
{
    size_t before = *bytes;
    while (*bytes < most) {
        if (*room - *bytes < 4096) {
            size_t grown = *room ? *room * 2 : 16384;
            char *moved = realloc(*text, grown);
            if (!moved) break;
            *text = moved;
            *room = grown;
        }
        ssize_t n = read(fd, *text + *bytes, *room - *bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        *bytes += (size_t)n;
    }
    return *bytes - before;
}

int ppi_collector_read(struct ppi_collector *collector)
{
    int any = 0;
    collector->look_again = 0;
    for (int i = 0; i < 2; i++) {
        int waiting = 0;
        collector->bytes[i] = 0;
        if (ioctl(collector->read_fd[i], FIONREAD, &waiting) != 0) return -1;
        if (waiting == 0) continue;
        if (inode_of(collector->read_fd[i]) != collector->inodes[i]) return -1;
        if (ppi_output_drain(collector->read_fd[i], &collector->text[i], &collector->bytes[i], &collector->room[i],
                             SIZE_MAX))
            any = 1;
    }
    return any;
}

static int take(_Atomic uint32_t *lock)
{
    uint32_t free = 0;
    return atomic_compare_exchange_strong(lock, &free, 1);
}

int ppi_output_lock(_Atomic uint32_t *lock, const _Atomic uint32_t *readings)
{
    /* The agent holds it for the time of a read, and never waits for it. All of this is seq_cst: what is seen between two
     * equal, even counts was not the agent's. */
    for (;;) {
        uint32_t before = atomic_load(readings);
        if (take(lock)) return 1;
        if (before % 2 == 0 && atomic_load(readings) == before) return 0;
        sched_yield();
    }
}

void ppi_output_unlock(_Atomic uint32_t *lock)
{
    atomic_store(lock, 0);
}

int ppi_output_try_lock(_Atomic uint32_t *lock, _Atomic uint32_t *readings)
{
    atomic_fetch_add(readings, 1);
    return take(lock);
}

void ppi_output_let_go(_Atomic uint32_t *lock, _Atomic uint32_t *readings, int had)
{
    if (had) atomic_store(lock, 0);
    atomic_fetch_add(readings, 1);
}
