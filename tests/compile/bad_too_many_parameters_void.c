/* expect: PP_TASK: a task has at most 12 parameters; put some of them into a struct */
#include <ppmpi.h>
void many(int, int, int, int, int, int, int, int, int, int, int, int, int);
PP_TASK_VOID(many, int, int, int, int, int, int, int, int, int, int, int, int, int)
