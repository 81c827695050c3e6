/* expect: PP_TASK: parameter 2 of integrate: pointers cannot travel to another process */
#include <ppmpi.h>
double integrate(double a, double (*f)(double));
PP_TASK(double, integrate, double, double (*)(double))
