/* expect: makes pointer from integer without a cast || incompatible integer to pointer conversion */
#include <ppmpi.h>
long square(long n);
PP_TASK(long, square, long)
long use(pp_future f);
long use(pp_future f)
{
    long *p = PP_FETCH(square, f);
    return *p;
}
