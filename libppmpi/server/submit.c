#include "server/callbacks.h"
#include "server/server.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/memory.h"
#include "base/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(PPI_FUNCTIONS_MAX <= UINT16_MAX + 1, "a function's number fits into the record");

#define LOOK_EVERY 64     /* submissions, */
#define LOOK_NS 20000     /* … or after so long */
#define BURST_NS 2000     /* a submission that comes so soon after another will be followed by more */
#define KICK_BYTES 3840   /* so much for other ranks is sent at once: what MPI sends in one piece; less waits for company */
#define ROUSE_BYTES ((size_t)512 << 10)  /* when so much is left to be copied, a sleeping worker is woken */

/* Puts what differs from the server's defaults into the task. */
static int apply_options(struct pp_server *s, struct ppi_task *task, const pp_submit_options *o)
{
    if (!o) return PP_OK;
    int has_timeout = o->timeout != PP_INHERIT && o->timeout != s->options.timeout;
    int has_retries = o->retries != PP_INHERIT && o->retries != s->options.retries;
    if (!o->name && !has_timeout && !has_retries && o->priority == 0) return PP_OK;
    struct ppi_task_extra *extra = ppi_server_extra(s, task);
    if (!extra) return ppi_error(PP_ERR_NOMEM, "no memory for the options of a task");
    extra->timeout_ns = ppi_timeout_ns(o->timeout == PP_INHERIT ? s->options.timeout : o->timeout);
    extra->retries = o->retries == PP_INHERIT ? s->options.retries : o->retries;
    extra->priority = o->priority;
    if (o->name && !(extra->name = strndup(o->name, sizeof(((pp_task_info *)0)->name) - 1)))
        return ppi_error(PP_ERR_NOMEM, "no memory for the name of a task");
    return PP_OK;
}

static int check_options(const pp_submit_options *o)
{
    if (!o) return PP_OK;
    if (o->size != sizeof *o)
        return ppi_error(PP_ERR_ARG, "submit options: size is %zu instead of %zu: start from PP_SUBMIT_OPTIONS_INIT",
                         o->size, sizeof *o);
    if (o->timeout != PP_INHERIT && !(o->timeout >= 0 && !isinf(o->timeout)))
        return ppi_error(PP_ERR_ARG, "submit options: timeout is %g; seconds from 0 (none) on, or PP_INHERIT", o->timeout);
    if (o->retries != PP_INHERIT && (o->retries < 0 || o->retries > 60000))
        return ppi_error(PP_ERR_ARG, "submit options: retries is %d; 0 to 60000, or PP_INHERIT", o->retries);
    return PP_OK;
}

static int below_limit(void *arg)
{
    const struct pp_server *s = arg;
    return s->unfinished < s->options.queue_limit;
}

/* With the lock held, which is released meanwhile. */
static int copy_unlocked(struct pp_server *s, char *to, const char *args, size_t bytes, int fresh)
{
    const _Atomic uint64_t *promised = s->workspace.arena.promised;
    size_t first = bytes > ROUSE_BYTES ? (bytes - ROUSE_BYTES) / ROUSE_BYTES * ROUSE_BYTES : 0;
    int copied = 1;
    if (first) {
        ppi_lock_give(&s->lock);
        copied = ppi_memory_copy(to, args, first, fresh, promised);
        ppi_lock_take(&s->lock);
    }
    int rank = ppi_scheduler_idle_agent(&s->scheduler);
    _Atomic uint32_t *asleep = rank > 0 ? NULL : ppi_agent_rouse(&s->agent);
    struct ppi_doorbell *bell = rank > 0 ? s->ranks[rank].bell : NULL;
    ppi_lock_give(&s->lock);
    if (asleep) ppi_futex_wake(asleep, 1);
    if (bell) ppi_doorbell_ring(bell);
    copied = copied && ppi_memory_copy(to + first, args + first, bytes - first, fresh, promised);
    ppi_lock_take(&s->lock);
    return copied;
}

int ppi_server_submit(struct pp_server *s, pp_function fn, const void *args, size_t bytes, uint32_t tag,
                      const pp_submit_options *options, int mapped, pp_future *out)
{
    int status = check_options(options);
    if (status != PP_OK) return status;
    uint64_t offset = 0;
    uint32_t function, index = PPI_TASK_NONE;
    _Atomic uint32_t *wake[PPI_WORKERS_MAX];
    int wakes = 0, kick = 0, group = 0, fresh = 0, fill_rank = 0;

    ppi_lock_take(&s->lock);
    ppi_server_called(s);
    uint64_t now = ppi_recent_ns(&s->recent) - s->opened_ns;
    if (s->options.queue_limit && !below_limit(s)) ppi_server_wait(s, below_limit, s, UINT64_MAX);
    if ((status = ppi_functions_number(s, fn, &function)) != PP_OK) goto out;
    if (bytes > PPI_TASK_INLINE_ARGS && !(offset = ppi_arena_alloc(&s->workspace.arena, bytes, &fresh))) {
        status = ppi_error(PP_ERR_NOMEM, "no memory for arguments of %zu bytes", bytes);
        goto out;
    }
    if ((index = ppi_store_new(&s->store)) == PPI_TASK_NONE) {
        status = ppi_error(PP_ERR_NOMEM, "no memory for task number %llu", (unsigned long long)s->store.submitted + 1);
        goto out;
    }
    struct ppi_task *task = ppi_store_at(&s->store, index);
    task->submitted_ns = now;
    task->function = (uint16_t)function;
    ppi_task_set_tag(task, tag, bytes);
    task->flags = PPI_TASK_HELD;
    if (offset) {
        task->flags |= PPI_TASK_BLOCK;
        task->u.args.offset = offset;
        task->u.args.bytes = bytes;
        void *to = s->workspace.segment.base + offset;
        fill_rank = fresh ? 0 : ppi_fill_rank(s, bytes);
        if (bytes <= PPI_COPY_UNLOCKED) {
            memcpy(to, args, bytes);
        } else if (!fill_rank && !copy_unlocked(s, to, args, bytes, fresh)) {
            status = ppi_error(PP_ERR_NOMEM, "no memory for arguments of %zu bytes", bytes);
            goto out;
        }
    } else if (bytes) {
        memcpy(task->u.args.in, args, bytes);
    }
    if (*s->nobody_left) { /* from here on the lock is not released before the task is in the queue, where a loss finds it */
        status = ppi_error(PP_ERR_LOST, "%s", s->nobody_left);
        goto out;
    }
    if ((status = apply_options(s, task, options)) != PP_OK) goto out;
    if (options && options->callback &&
        (status = ppi_callbacks_add(s, index, options->callback, options->callback_arg)) != PP_OK)
        goto out;
    if (options && options->group && (status = ppi_groups_make(&s->groups, options->group, &group)) != PP_OK) goto out;
    if ((status = ppi_groups_submitted(&s->groups, group)) != PP_OK) goto out;
    /* In a crowd the queue must grow while tasks are handed out, or each leaves alone as soon as it is there. */
    int only_queue = s->scheduler.crowded && !s->callers_only && now + s->opened_ns < s->pause_ns;
    int rank = fill_rank || only_queue ? -1 : ppi_server_direct(s);
    if (!fill_rank && rank < 0 && (status = ppi_scheduler_push(&s->scheduler, index, ppi_task_priority(&s->store, task), 0)) != PP_OK) {
        ppi_groups_undone(&s->groups, group);
        goto out;
    }
    ppi_task_apply(task, PPI_EVENT_SUBMIT);
    ppi_task_set_number(task, ++s->store.submitted, group); /* only now: nothing can fail, and the lock is not released any more */
    if (mapped) {
        task->flags |= PPI_TASK_MAPPED;
        ppi_groups_hide(&s->groups, group);
    }
    s->unfinished++;
    s->bytes_in += bytes;
    s->agent.unwatched = s->driving;
    s->agent.program_busy = !s->driving && now < s->submitted_ns + BURST_NS;
    s->submitted_ns = now;
    out->id = ppi_task_id_of(task, index);
    if (fill_rank) ppi_fill(s, index, fill_rank, args);
    if (rank >= 0) ppi_server_assign(s, task, index, rank);
    if (only_queue) {
        ppi_background_heed(s);
        goto out;
    }
    /* A program that only submits keeps its farm going. */
    if (s->calls % LOOK_EVERY == 0 || (s->unfinished > 1 && now + s->opened_ns > s->now_ns + LOOK_NS)) ppi_server_look(s, PPI_STEP_MPI);
    ppi_server_dispatch(s);
    if (ppi_agent_flush_due(&s->agent)) wakes = ppi_agent_flush(&s->agent, wake);
    kick = s->outbox_urgent || s->outbox_bytes >= KICK_BYTES;
    /* Where the program's own threads run the tasks, the one that waits for them may sleep. */
    if (s->callers_only && s->driving && ppi_agent_next_job(&s->agent)) kick = 1;
    if (s->unfinished == 1 || s->agent.unpublished || (s->outbox_count && !kick)) ppi_background_heed(s);
out:
    if (status != PP_OK) {
        if (offset) ppi_arena_free(&s->workspace.arena, offset, bytes);
        if (index != PPI_TASK_NONE) {
            struct ppi_task *undone = ppi_store_at(&s->store, index);
            struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, undone);
            if (extra && extra->callbacks) s->with_callbacks--;
            ppi_callbacks_drop(extra);
            ppi_store_recycle(&s->store, index);
        }
        ppi_server_purge(s);
    }
    ppi_lock_give(&s->lock);
    for (int i = 0; i < wakes; i++) ppi_futex_wake(wake[i], 1);
    if (kick) ppi_server_kick(s);
    return status;
}
