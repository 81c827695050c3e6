/* expect: PP_TASK: tick has no result; write PP_TASK_VOID(tick */
#include <ppmpi.h>
void tick(int i);
PP_TASK(void, tick, int)
