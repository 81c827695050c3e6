/* expect: too many arguments to function */
#include <ppmpi.h>
int now(void);
PP_TASK(int, now)
pp_future use(pp_server *server);
pp_future use(pp_server *server)
{
    return PP_SUBMIT(server, now, 1);
}
