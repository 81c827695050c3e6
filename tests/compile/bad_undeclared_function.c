/* expect: nowhere */
#include <ppmpi.h>
PP_TASK(long, nowhere, long)
