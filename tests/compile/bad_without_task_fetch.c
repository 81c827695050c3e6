/* expect: PP_TASK_is_missing_for_add */
#include <ppmpi.h>
int add(int a, int b);
int use(pp_future f);
int use(pp_future f)
{
    return PP_FETCH(add, f);
}
