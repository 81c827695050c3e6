#include "server/callbacks.h"

#include "base/status.h"
#include "base/thread.h"

#include <stdlib.h>

struct ppi_callback {
    ppi_callback_fn fn;
    void *arg;
    struct ppi_callback *next;
};

struct ppi_callback_thread {
    pthread_t thread;
    pthread_cond_t work;
    uint32_t *tasks; /* whose callbacks are due: a ring buffer */
    size_t first, count, room;
    int stop;
};

static _Thread_local int here __attribute__((tls_model("initial-exec")));

int ppi_callbacks_here(void)
{
    return here;
}

/* Runs all callbacks of a task, those too that are added meanwhile. The lock is held between them. */
static void run_callbacks(struct pp_server *s, uint32_t index)
{
    struct ppi_task *t = ppi_store_at(&s->store, index);
    pp_future f = {ppi_task_id_of(t, index)};
    struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
    while (extra->callbacks) {
        struct ppi_callback *c = extra->callbacks;
        extra->callbacks = c->next;
        ppi_lock_give(&s->lock);
        c->fn(f, c->arg);
        free(c);
        ppi_lock_take(&s->lock);
    }
    t->flags &= (uint8_t)~PPI_TASK_CALLING;
    s->calling--;
    if (!extra->told) ppi_groups_called(&s->groups, t->group);
    ppi_server_tell(s, t, index);
}

static void *body(void *arg)
{
    struct pp_server *s = arg;
    here = 1;
    ppi_lock_take(&s->lock);
    struct ppi_callback_thread *c = s->callbacks;
    for (;;) {
        while (c->count == 0 && !c->stop) ppi_lock_wait(&s->lock, &c->work, NULL);
        if (c->count == 0) break;
        uint32_t index = c->tasks[c->first];
        c->first = (c->first + 1) % c->room;
        c->count--;
        run_callbacks(s, index);
        if (s->wake_waiters) {
            s->wake_waiters = 0;
            pthread_cond_broadcast(&s->changed);
        }
        /* A driver that sleeps waits perhaps for just this. */
        if (s->driving) ppi_doorbell_ring(s->workspace.bell);
    }
    ppi_lock_give(&s->lock);
    return NULL;
}

static int start(struct pp_server *s)
{
    struct ppi_callback_thread *c = calloc(1, sizeof *c);
    if (!c) return ppi_error(PP_ERR_NOMEM, "no memory for the callback thread");
    pthread_cond_init(&c->work, NULL);
    s->callbacks = c;
    int error = ppi_thread_start(&c->thread, body, s);
    if (!error) return PP_OK;
    s->callbacks = NULL;
    pthread_cond_destroy(&c->work);
    free(c);
    return ppi_error_errno(PP_ERR_SYSTEM, error, "cannot start the callback thread");
}

/* Room for one more, so that a task that finishes needs no memory for its callbacks. */
static int reserve(struct pp_server *s)
{
    struct ppi_callback_thread *c = s->callbacks;
    if (s->with_callbacks + c->count < c->room) return PP_OK;
    size_t room = c->room ? 2 * c->room : 64;
    uint32_t *tasks = malloc(room * sizeof *tasks);
    if (!tasks) return ppi_error(PP_ERR_NOMEM, "no memory for a callback");
    for (size_t i = 0; i < c->count; i++) tasks[i] = c->tasks[(c->first + i) % c->room];
    free(c->tasks);
    c->tasks = tasks;
    c->first = 0;
    c->room = room;
    return PP_OK;
}

int ppi_callbacks_add(struct pp_server *s, uint32_t index, ppi_callback_fn fn, void *arg)
{
    struct ppi_task *t = ppi_store_at(&s->store, index);
    struct ppi_task_extra *extra = ppi_server_extra(s, t);
    struct ppi_callback *c = calloc(1, sizeof *c);
    int status = !extra || !c ? ppi_error(PP_ERR_NOMEM, "no memory for a callback") : PP_OK;
    if (status == PP_OK && !s->callbacks) status = start(s);
    if (status == PP_OK) status = reserve(s);
    if (status != PP_OK) {
        free(c);
        return status;
    }
    c->fn = fn;
    c->arg = arg;
    struct ppi_callback **end = &extra->callbacks;
    int is_first = !*end && !(t->flags & PPI_TASK_CALLING);
    while (*end) end = &(*end)->next;
    *end = c;
    if (is_first) s->with_callbacks++;
    if (is_first && t->state == PPI_TASK_FINISHED) {
        extra->told = 1; /* the others know already, and do not wait for this one */
        ppi_callbacks_due(s, index);
    }
    return PP_OK;
}

void ppi_callbacks_due(struct pp_server *s, uint32_t index)
{
    struct ppi_callback_thread *c = s->callbacks;
    ppi_store_at(&s->store, index)->flags |= PPI_TASK_CALLING;
    s->calling++;
    s->with_callbacks--;
    c->tasks[(c->first + c->count++) % c->room] = index;
    pthread_cond_signal(&c->work);
}

void ppi_callbacks_stop(struct pp_server *s)
{
    struct ppi_callback_thread *c = s->callbacks;
    if (!c) return;
    ppi_lock_take(&s->lock);
    c->stop = 1;
    pthread_cond_signal(&c->work);
    ppi_lock_give(&s->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->work);
    free(c->tasks);
    free(c);
    s->callbacks = NULL;
}

void ppi_callbacks_drop(struct ppi_task_extra *extra)
{
    while (extra && extra->callbacks) {
        struct ppi_callback *c = extra->callbacks;
        extra->callbacks = c->next;
        free(c);
    }
}
