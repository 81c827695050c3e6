/* The life of a task. One table says what each event does in each state; ppi_task_apply is the only place where a task's state
 * changes.
 *
 *     FREE ── submit ──▶ QUEUED ── assign ──▶ ASSIGNED ── start ──▶ RUNNING
 *                        QUEUED ◀──────── requeue ── ASSIGNED, RUNNING
 *                        QUEUED ── cancel ──▶ FINISHED
 *            ASSIGNED, RUNNING ── cancel ──▶ CANCELLING ── requeue ──▶ FINISHED
 *     ASSIGNED, RUNNING, CANCELLING ── finish ──▶ FINISHED ── recycle ──▶ FREE
 *
 * (tests/unit/test_state.c reads these arrows.)
 */
#ifndef PPI_TASK_STATE_H
#define PPI_TASK_STATE_H

#define PPI_TASK_STATES(X)                                               \
    X(FREE)       /* the record is not in use */                         \
    X(QUEUED)     /* waits to be given to an agent */                    \
    X(ASSIGNED)   /* an agent has it, and may have begun it */           \
    X(RUNNING)    /* an agent has said that it runs */                   \
    X(CANCELLING) /* an agent has it and was told to end it */           \
    X(FINISHED)   /* has its outcome, until the future is given up */

#define PPI_TASK_EVENTS(X)                                               \
    X(SUBMIT)                                                            \
    X(ASSIGN)                                                            \
    X(START)                                                             \
    X(FINISH)  /* an outcome that counts has come */                     \
    X(REQUEUE) /* another try, or given back without one */              \
    X(CANCEL)                                                            \
    X(RECYCLE) /* nobody holds the future any more */

enum ppi_task_state {
#define X(name) PPI_TASK_##name,
    PPI_TASK_STATES(X)
#undef X
        PPI_TASK_STATE_COUNT
};

enum ppi_task_event {
#define X(name) PPI_EVENT_##name,
    PPI_TASK_EVENTS(X)
#undef X
        PPI_TASK_EVENT_COUNT
};

/* What the table can say instead of a state. */
enum {
    PPI_TASK_IGNORE = -1, /* comes late: leave the task as it is */
    PPI_TASK_BROKEN = -2  /* cannot happen in a correct library */
};

/* The state after the event, or PPI_TASK_IGNORE or PPI_TASK_BROKEN. */
int ppi_task_next_state(enum ppi_task_state state, enum ppi_task_event event);

const char *ppi_task_state_name(enum ppi_task_state state);
const char *ppi_task_event_name(enum ppi_task_event event);

#endif
