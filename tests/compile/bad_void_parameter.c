/* expect: PP_TASK: parameter 1 of tock is void; without parameters write PP_TASK(R, tock) */
#include <ppmpi.h>
int tock(void);
PP_TASK(int, tock, void)
