/* An initializer that crashes, on several ranks: every task fails with its message, soon. ranks: 2 4 */
#include "farm/test_futures.h"

static void initialize(pp_task *task)
{
    (void)task;
    abort();
}

#define STATUS PP_ERR_CRASHED
#define TEXT "initializer"
#include "farm/initializer.h"
