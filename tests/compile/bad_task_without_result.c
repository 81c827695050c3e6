/* expect: PP_TASK needs a result type and a function */
#include <ppmpi.h>
int f(void);
PP_TASK(f)
