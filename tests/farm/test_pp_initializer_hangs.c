/* An initializer that does not return, on several ranks: the server's time-out ends it, and every task fails. ranks: 2 4 */
#include "farm/test_futures.h"

static void initialize(pp_task *task)
{
    (void)task;
    for (;;) pause();
}

#define STATUS PP_ERR_TIMEOUT
#define TEXT "the initializer ran past"
#define TIMEOUT 0.5
#include "farm/initializer.h"
