#include "task/state.h"

#define FREE PPI_TASK_FREE
#define QUEUED PPI_TASK_QUEUED
#define ASSIGNED PPI_TASK_ASSIGNED
#define RUNNING PPI_TASK_RUNNING
#define CANCELLING PPI_TASK_CANCELLING
#define FINISHED PPI_TASK_FINISHED
#define IGNORE PPI_TASK_IGNORE
#define BROKEN PPI_TASK_BROKEN

/* Events that come from agents can be late: ignored. Events of our own making cannot. */
static const signed char table[PPI_TASK_STATE_COUNT][PPI_TASK_EVENT_COUNT] = {
    /*              SUBMIT  ASSIGN    START       FINISH    REQUEUE   CANCEL      RECYCLE */
    [FREE] =       {QUEUED, BROKEN,   IGNORE,     IGNORE,   IGNORE,   BROKEN,     BROKEN},
    [QUEUED] =     {BROKEN, ASSIGNED, IGNORE,     IGNORE,   IGNORE,   FINISHED,   BROKEN},
    [ASSIGNED] =   {BROKEN, BROKEN,   RUNNING,    FINISHED, QUEUED,   CANCELLING, BROKEN},
    [RUNNING] =    {BROKEN, BROKEN,   RUNNING,    FINISHED, QUEUED,   CANCELLING, BROKEN},
    [CANCELLING] = {BROKEN, BROKEN,   CANCELLING, FINISHED, FINISHED, CANCELLING, BROKEN},
    [FINISHED] =   {BROKEN, BROKEN,   IGNORE,     IGNORE,   IGNORE,   IGNORE,     FREE},
};

int ppi_task_next_state(enum ppi_task_state state, enum ppi_task_event event)
{
    if ((unsigned)state >= PPI_TASK_STATE_COUNT || (unsigned)event >= PPI_TASK_EVENT_COUNT) return BROKEN;
    return table[state][event];
}

const char *ppi_task_state_name(enum ppi_task_state state)
{
    static const char *const names[] = {
#define X(name) #name,
        PPI_TASK_STATES(X)
#undef X
    };
    return (unsigned)state < PPI_TASK_STATE_COUNT ? names[state] : "?";
}

const char *ppi_task_event_name(enum ppi_task_event event)
{
    static const char *const names[] = {
#define X(name) #name,
        PPI_TASK_EVENTS(X)
#undef X
    };
    return (unsigned)event < PPI_TASK_EVENT_COUNT ? names[event] : "?";
}
