/* An initializer that fails, on several ranks: every task fails with its message, soon. ranks: 2 4 */
#include "farm/test_futures.h"

static void initialize(pp_task *task)
{
    pp_task_fail(task, 77, "no table");
}

#define STATUS PP_ERR_TASK
#define TEXT "no table"
#include "farm/initializer.h"
