/* expect: PP_TASK_is_missing_for_no_function */
#include <ppmpi.h>
pp_future use(pp_server *server);
pp_future use(pp_server *server)
{
    return PP_SUBMIT(server);
}
