/* expect: PP_TASK: parameter 2 of sum: pointers cannot travel to another process; pass a value, a struct or pp_bytes */
#include <ppmpi.h>
double sum(int n, const double *values);
PP_TASK(double, sum, int, const double *)
