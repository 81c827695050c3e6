/* A scheduler over a task store, for the tests of it. */
#ifndef PPI_TESTS_UNIT_SCHEDULER_H
#define PPI_TESTS_UNIT_SCHEDULER_H

#include "scheduler/scheduler.h"

#include <check.h>
#include <ppmpi.h>

static struct ppi_task_store store;

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))
static struct ppi_scheduler s;

static void begin(int agents)
{
    ppi_store_init(&store);
    ck_assert_int_eq(ppi_scheduler_init(&s, &store, agents), PP_OK);
}

static void end(void)
{
    ppi_scheduler_fini(&s);
    ppi_store_fini(&store);
}

static uint32_t push(int priority, int in_front)
{
    uint32_t task = ppi_store_new(&store);
    INSIST(task != PPI_TASK_NONE);
    INSIST(ppi_scheduler_push(&s, task, priority, in_front) == PP_OK);
    ppi_task_apply(ppi_store_at(&store, task), PPI_EVENT_SUBMIT);
    return task;
}

#endif
