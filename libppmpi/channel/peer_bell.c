#include "channel/peer_bell.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BELL_BYTES 4096

uint64_t ppi_bell_nonce(const struct ppi_workspace *workspace)
{
    return workspace->bell->nonce;
}

int ppi_peer_open(long pid, int fd, int how)
{
    char path[64];
    if (pid <= 0 || fd < 0) return -1;
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", pid, fd);
    return open(path, how | O_CLOEXEC | O_NONBLOCK);
}

int ppi_peer_is_marked(int file, off_t at, uint64_t nonce)
{
    uint64_t there;
    return pread(file, &there, sizeof there, at) == (ssize_t)sizeof there && there == nonce;
}

struct ppi_doorbell *ppi_bell_open(long pid, int fd, uint64_t nonce)
{
    int file = ppi_peer_open(pid, fd, O_RDWR);
    if (file < 0) return NULL;
    void *p = lseek(file, 0, SEEK_END) == BELL_BYTES
                  ? mmap(NULL, BELL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                  : MAP_FAILED;
    close(file);
    if (p == MAP_FAILED) return NULL;
    struct ppi_doorbell *bell = p;
    if (bell->nonce == nonce) return bell;
    munmap(p, BELL_BYTES);
    return NULL;
}

int ppi_bell_pidfd(long pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    return -1;
#endif
}

int ppi_bell_has_ended(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    return pidfd >= 0 && poll(&end, 1, 0) == 1;
}

void ppi_bell_close(struct ppi_doorbell *bell)
{
    if (bell) munmap(bell, BELL_BYTES);
}
