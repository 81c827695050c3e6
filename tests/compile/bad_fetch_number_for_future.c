/* expect: incompatible type */
#include <ppmpi.h>
long square(long n);
PP_TASK(long, square, long)
long use(void);
long use(void)
{
    return PP_FETCH(square, 5);
}
