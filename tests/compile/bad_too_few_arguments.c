/* expect: too few arguments to function */
#include <ppmpi.h>
int add(int a, int b);
PP_TASK(int, add, int, int)
pp_future use(pp_server *server);
pp_future use(pp_server *server)
{
    return PP_SUBMIT(server, add, 1);
}
