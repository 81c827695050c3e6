#include "channel/peer_bell.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BELL_BYTES 4096

uint64_t ppi_bell_nonce(const struct ppi_workspace *workspace)
{
    return workspace->bell->nonce;
}

struct ppi_doorbell *ppi_bell_open(long pid, int fd, uint64_t nonce)
{
    char path[64];
    if (pid <= 0 || fd < 0) return NULL;
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", pid, fd);
    int file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
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

void ppi_bell_close(struct ppi_doorbell *bell)
{
    if (bell) munmap(bell, BELL_BYTES);
}
