/* expect: makes integer from pointer without a cast || incompatible pointer to integer conversion */
#include <ppmpi.h>
int add(int a, int b);
PP_TASK(int, add, int, int)
pp_future use(pp_server *server);
pp_future use(pp_server *server)
{
    int i = 0;
    return PP_SUBMIT(server, add, 1, &i);
}
