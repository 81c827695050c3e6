/* expect: PP_TASK_is_missing_for_i */
#include <ppmpi.h>
int add(int a);
PP_TASK(int, add, int)
pp_future use(int i);
pp_future use(int i)
{
    return PP_SUBMIT(add, i);
}
