/* expect: PP_TASK: square is declared with another result type or other parameters */
#include <ppmpi.h>
long square(long n);
PP_TASK(long, square, int)
