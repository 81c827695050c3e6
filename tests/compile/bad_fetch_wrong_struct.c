/* expect: incompatible type || invalid initializer */
#include <ppmpi.h>
struct point {
    double x;
};
long square(long n);
PP_TASK(long, square, long)
double use(pp_future f);
double use(pp_future f)
{
    struct point p = PP_FETCH(square, f);
    return p.x;
}
