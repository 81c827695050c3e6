/* expect: PP_TASK: a task has at most 12 parameters; put some of them into a struct */
#include <ppmpi.h>
int many(int, int, int, int, int, int, int, int, int, int, int, int, int);
PP_TASK(int, many, int, int, int, int, int, int, int, int, int, int, int, int, int)
