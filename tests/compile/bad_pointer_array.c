/* expect: PP_TASK: parameter 1 of total: pointers cannot travel to another process */
#include <ppmpi.h>
int total(int values[4]);
PP_TASK(int, total, int[4])
