/* expect: incompatible pointer type */
#include <ppmpi.h>
long square(long n);
PP_TASK(long, square, long)
int use(pp_future f);
int use(pp_future f)
{
    int r;
    return PP_TRY_FETCH(square, f, &r) == PP_OK ? r : 0;
}
