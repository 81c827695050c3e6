/* expect: incompatible type */
#include <ppmpi.h>
struct point {
    double x;
};
int add(int a, int b);
PP_TASK(int, add, int, int)
pp_future use(pp_server *server);
pp_future use(pp_server *server)
{
    struct point p = {1};
    return PP_SUBMIT(server, add, 1, p);
}
