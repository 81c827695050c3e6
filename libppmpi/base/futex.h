/* Sleeping on a word of (possibly shared) memory. See futex(2). */
#ifndef PPI_BASE_FUTEX_H
#define PPI_BASE_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

#define PPI_FOREVER UINT64_MAX

/* Sleeps while *word == value, at most timeout_ns; may return early. Works between processes. */
void ppi_futex_wait(const _Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns);
void ppi_futex_wake(_Atomic uint32_t *word, int how_many);

/* Tells the processor that this is a spin loop. In tests/smpi there is none, and time is simulated. */
static inline void ppi_cpu_relax(void)
{
#if defined(PPI_SIMULATED)
    simulated_pause();
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

#endif
