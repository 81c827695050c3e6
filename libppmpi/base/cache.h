/* Hints to the processor: what will be used soon is fetched meanwhile. They have no other effect, on any address. */
#ifndef PPI_BASE_CACHE_H
#define PPI_BASE_CACHE_H

static inline void ppi_will_read(const void *at)
{
    __builtin_prefetch(at);
}

/* Takes the line away from the processor that has it. */
static inline void ppi_will_write(void *at)
{
#if defined(__x86_64__)
    /* What the builtin gives without -mprfchw leaves the line shared. Processors without this instruction do nothing. */
    __asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)at));
#else
    __builtin_prefetch(at, 1);
#endif
}

#endif
