/* expect: incompatible pointer type */
#include <ppmpi.h>
void tick(long n);
PP_TASK_VOID(tick, long)
int use(pp_future f);
int use(pp_future f)
{
    int r;
    return PP_TRY_FETCH(tick, f, &r);
}
