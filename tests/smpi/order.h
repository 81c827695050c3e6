/* What the tasks of the simulated farm are. */
#ifndef TEST_SMPI_ORDER_H
#define TEST_SMPI_ORDER_H

#include <stdint.h>

struct order {
    uint64_t x;
    double seconds; /* that it takes */
};

static inline uint64_t order_result(const struct order *o)
{
    uint64_t x = o->x ^ o->x >> 31;
    x *= 0x9e3779b97f4a7c15u;
    return x ^ x >> 29;
}

#endif
