/* expect: PP_TASK_is_missing_for_add */
#include <ppmpi.h>
int add(int a, int b);
pp_future use(pp_server *server);
pp_future use(pp_server *server)
{
    return PP_SUBMIT_WITH(server, NULL, add, 1, 2);
}
