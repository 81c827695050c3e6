/* The header for typed tasks may be the one that is included. */
#include <ppmpi_typed.h>

int f(void);
PP_TASK(int, f)
