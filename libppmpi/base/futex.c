#include "base/futex.h"
#include "base/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void ppi_futex_wait(const _Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
    struct timespec timeout = {(time_t)(timeout_ns / PPI_NS_PER_S), (long)(timeout_ns % PPI_NS_PER_S)};
    int saved_errno = errno;
    syscall(SYS_futex, (const void *)word, FUTEX_WAIT, value, timeout_ns == PPI_FOREVER ? NULL : &timeout, NULL, 0);
    errno = saved_errno;
}

void ppi_futex_wake(_Atomic uint32_t *word, int how_many)
{
    int saved_errno = errno;
    syscall(SYS_futex, (void *)word, FUTEX_WAKE, how_many, NULL, NULL, 0);
    errno = saved_errno;
}
