/* expect: incompatible type */
#include <ppmpi.h>
double sum(pp_bytes values);
PP_TASK(double, sum, pp_bytes)
pp_future use(pp_server *server);
pp_future use(pp_server *server)
{
    double values[3] = {1, 2, 3};
    return PP_SUBMIT(server, sum, values);
}
