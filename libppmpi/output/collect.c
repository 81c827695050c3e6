#include "output/collect.h"

#include "base/clock.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void ppi_collector_flush(void)
{
    fflush(NULL);
    ppi_units_flush();
}

void ppi_collector_flush_files(void)
{
    fflush(NULL);
    ppi_units_flush_files();
}

void ppi_collector_flush_leaving(void)
{
    fflush(NULL);
    ppi_units_flush_leaving();
}

#define HIGH_FD 200       /* out of the way of the numbers that programs expect */
#define CERTAIN_NS 20000u /* after tasks of that length the streams' inodes are looked at, */
#define UNSEEN_MOST 32    /* … and after so many shorter ones */

static uint64_t inode_of(int fd)
{
    struct stat s;
    return fstat(fd, &s) == 0 ? (uint64_t)s.st_ino : 0;
}

/* Half of what the fastest write to a pipe takes, or the fastest dup2, which is about as fast as close. */
static uint64_t measure(void)
{
    /* In a pipe of our own: from stdout's the agent, which has handed out jobs already, might read what we write. */
    uint64_t fastest = UINT64_MAX;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return 0;
    int spare = fcntl(ends[1], F_DUPFD_CLOEXEC, 0);
    for (int i = 0; i < 8 && spare >= 0; i++) {
        char byte = 0;
        uint64_t begun = ppi_now_ns();
        if (write(ends[1], &byte, 1) != 1) break;
        uint64_t written = ppi_now_ns();
        if (dup2(ends[1], spare) < 0) break;
        uint64_t done = ppi_now_ns();
        if (read(ends[0], &byte, 1) != 1) break;
        if (written - begun < fastest) fastest = written - begun;
        if (done - written < fastest) fastest = done - written;
    }
    close(ends[0]);
    close(ends[1]);
    if (spare >= 0) close(spare);
    return fastest == UINT64_MAX ? 0 : fastest / 2;
}

void ppi_collector_init(struct ppi_collector *collector, const int fds[2])
{
    memset(collector, 0, sizeof *collector);
    for (int i = 0; i < 2; i++) {
        collector->read_fd[i] = fds ? fds[i] : -1;
        collector->write_fd[i] = -1;
        if (!fds) continue;
        collector->inodes[i] = inode_of(fds[i]);
        collector->write_fd[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, HIGH_FD);
        if (collector->write_fd[i] < 0) collector->write_fd[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    }
    if (!fds) return;
    ppi_units_watch();
    collector->fastest_ns = measure();
}

void ppi_collector_fini(struct ppi_collector *collector)
{
    for (int i = 0; i < 2; i++) {
        free(collector->text[i]);
        if (collector->write_fd[i] >= 0) close(collector->write_fd[i]);
    }
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

static FILE *stream_of(int i)
{
    return i ? stderr : stdout;
}

static int stream_is_there(int i)
{
    return stream_of(i) && fileno(stream_of(i)) == STDOUT_FILENO + i;
}

/* 0 when that cannot be done: without a stream, or without our own end. */
static int put_back(const struct ppi_collector *collector, int i)
{
    if (!stream_is_there(i) || inode_of(collector->write_fd[i]) != collector->inodes[i] ||
        dup2(collector->write_fd[i], STDOUT_FILENO + i) < 0)
        return 0;
    clearerr(stream_of(i));
    return 1;
}

static int see_streams(struct ppi_collector *collector)
{
    collector->unseen = 0;
    for (int i = 0; i < 2; i++)
        if (!collector->elsewhere[i] && inode_of(STDOUT_FILENO + i) != collector->inodes[i] && !put_back(collector, i)) return 0;
    return 1;
}

int ppi_collector_read(struct ppi_collector *collector, uint64_t duration_ns)
{
    /* Of the writing ends of pipes nothing can be read; files and devices are always ready for it. */
    struct pollfd look[4];
    int any = 0;
    collector->look_again = 0;
    for (int i = 0; i < 2; i++) {
        collector->bytes[i] = 0;
        look[i] = (struct pollfd){.fd = collector->read_fd[i], .events = POLLIN};
        look[2 + i] = (struct pollfd){.fd = collector->elsewhere[i] ? -1 : STDOUT_FILENO + i, .events = POLLIN};
        if (!collector->elsewhere[i] && !stream_is_there(i)) return -1;
    }
    int seen = poll(look, 4, 0), certain = seen < 0 || duration_ns >= CERTAIN_NS || ++collector->unseen >= UNSEEN_MOST;
    if (certain || look[2].revents || look[3].revents)
        if (!see_streams(collector)) return -1;
    if (seen == 0) return 0;
    for (int i = 0; i < 2; i++)
        if ((seen < 0 || look[i].revents) && inode_of(collector->read_fd[i]) != collector->inodes[i]) return -1;
    for (int i = 0; i < 2; i++)
        if ((seen < 0 || look[i].revents) &&
            ppi_output_drain(collector->read_fd[i], &collector->text[i], &collector->bytes[i], &collector->room[i], SIZE_MAX))
            any = 1;
    return any;
}

void ppi_collector_rest(struct ppi_collector *collector)
{
    if (see_streams(collector)) return;
    collector->look_again = 1; /* the next task is the last one here */
    collector->unseen = UNSEEN_MOST;
}

void ppi_collector_accept(struct ppi_collector *collector)
{
    for (int i = 0; i < 2 && collector->read_fd[0] >= 0; i++)
        collector->elsewhere[i] = !stream_is_there(i) || inode_of(STDOUT_FILENO + i) != collector->inodes[i];
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
