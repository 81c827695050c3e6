/* expect: void value not ignored as it ought to be || incompatible type */
#include <ppmpi.h>
void tick(long n);
PP_TASK_VOID(tick, long)
int use(pp_future f);
int use(pp_future f)
{
    int i = PP_FETCH(tick, f);
    return i;
}
