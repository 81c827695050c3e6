#include "channel/segment.h"

#include "base/status.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define VALGRIND_BYTES ((size_t)256 << 20)

/* Valgrind's leak check reads all memory that can be written, and so takes every page of what was only address space. It shows
 * itself by the libraries that it preloads. */
static size_t what_valgrind_stands(size_t wanted, size_t needed)
{
    const char *preloaded = getenv("LD_PRELOAD");
    if (!preloaded || !strstr(preloaded, "vgpreload") || wanted <= VALGRIND_BYTES) return wanted;
    return needed > VALGRIND_BYTES ? needed : VALGRIND_BYTES;
}

/* As ftruncate, but beyond ulimit -f an error and no signal, which would end the program. */
static int grow(int fd, size_t bytes)
{
    sigset_t too_large, before, pending;
    sigemptyset(&too_large);
    sigaddset(&too_large, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &too_large, &before);
    int failed = ftruncate(fd, (off_t)bytes), error = errno;
    if (failed && error == EFBIG && !sigismember(&before, SIGXFSZ) && sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ))
        sigtimedwait(&too_large, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return !failed;
}

int ppi_segment_create(struct ppi_segment *out, const char *name, size_t wanted, size_t needed)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) return ppi_error_errno(PP_ERR_SYSTEM, errno, "cannot create shared memory (memfd_create)");
    int error = 0;
    wanted = what_valgrind_stands(wanted, needed);
    for (size_t bytes = wanted; bytes >= needed; bytes = bytes / 2 >= needed ? bytes / 2 : needed - 1) {
        /* ftruncate fails beyond RLIMIT_FSIZE, mmap beyond RLIMIT_AS: smaller may do. */
        if (grow(fd, bytes)) {
            void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
            if (base != MAP_FAILED) {
                madvise(base, bytes, MADV_DONTDUMP);
                out->base = base;
                out->bytes = bytes;
                out->fd = fd;
                return PP_OK;
            }
        }
        error = errno;
    }
    close(fd);
    return ppi_error_errno(PP_ERR_NOMEM, error, "cannot map %zu bytes of shared memory%s", needed,
                           error == ENOMEM ? " (see ulimit -v)" : error == EFBIG ? " (see ulimit -f)" : "");
}

void ppi_segment_close_fd(struct ppi_segment *segment)
{
    if (segment->fd >= 0) close(segment->fd);
    segment->fd = -1;
}

void ppi_segment_destroy(struct ppi_segment *segment)
{
    if (!segment->base) return;
    munmap(segment->base, segment->bytes);
    ppi_segment_close_fd(segment);
    segment->base = NULL;
}
