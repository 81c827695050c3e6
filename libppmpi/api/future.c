/* Submission and futures. */
#include "api/check.h"

#include "base/clock.h"
#include "base/status.h"
#include "server/callbacks.h"
#include "server/wait.h"

#include <math.h>
#include <ppmpi_binding.h>
#include <string.h>

#define SMALLEST_INFO (offsetof(pp_task_info, message) + sizeof ((pp_task_info *)0)->message) /* of the first version */
#define COPY_UNLOCKED ((uint64_t)64 << 10) /* larger results are copied without the lock */

pp_future pp_submit(pp_server *server, pp_function fn, const void *args, size_t bytes)
{
    return pp_submit_with(server, fn, args, bytes, NULL);
}

pp_future pp_submit_with(pp_server *server, pp_function fn, const void *args, size_t bytes,
                         const pp_submit_options *options)
{
    return pp_binding_submit(server, fn, args, bytes, 0, options);
}

pp_future pp_binding_submit(pp_server *server, pp_function fn, const void *args, size_t bytes, uint32_t tag,
                            const pp_submit_options *options)
{
    pp_future f = {0};
    if (ppi_check_server(server, "pp_submit") != PP_OK) return f;
    if (!fn) {
        ppi_error(PP_ERR_ARG, "pp_submit: the function is NULL");
        return f;
    }
    if (!args && bytes) {
        ppi_error(PP_ERR_ARG, "pp_submit: args is NULL, but bytes is %zu", bytes);
        return f;
    }
    if (tag > PP_BINDING_TAG_MAX) {
        ppi_error(PP_ERR_ARG, "pp_binding_submit: tag is %u; at most %u", tag, PP_BINDING_TAG_MAX);
        return f;
    }
    ppi_server_submit(server, fn, args, bytes, tag, options, 0, &f);
    return f;
}

/* The text of a failed task becomes this thread's last error. */
static int failure(const struct pp_server *s, const struct ppi_task *t)
{
    const struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
    const char *message = extra ? extra->message : NULL;
    if (message && *message) return ppi_error(t->status, "task %llu: %s", (unsigned long long)t->number, message);
    return ppi_error(t->status, "task %llu: %s", (unsigned long long)t->number, pp_strerror(t->status));
}

int pp_fetch(pp_future f, void *result, size_t bytes)
{
    pp_server *s;
    struct ppi_task *t;
    uint32_t index;
    int status = ppi_check_open(&s, "pp_fetch");
    if (status != PP_OK) return status;
    if (!result && bytes) return ppi_error(PP_ERR_ARG, "pp_fetch: result is NULL, but bytes is %zu", bytes);
    ppi_lock_take(&s->lock);
    ppi_server_called(s);
    status = ppi_wait_one(s, f, UINT64_MAX, "pp_fetch", &t, &index);
    if (status == PP_OK && t->status != PP_OK) status = failure(s, t);
    if (status == PP_OK && ppi_server_result_bytes(t) != bytes)
        status = ppi_error(PP_ERR_SIZE, "pp_fetch: the result of task %llu has %llu bytes, not %zu",
                           (unsigned long long)t->number, (unsigned long long)ppi_server_result_bytes(t), bytes);
    if (status == PP_OK) {
        const void *data = ppi_server_result_data(s, t);
        /* Not while its callbacks run on another thread: that would dispose of a future that is given up. */
        if (bytes > COPY_UNLOCKED && !(t->flags & PPI_TASK_CALLING)) {
            ppi_server_give_up(s, t); /* nobody else can have it any more */
            ppi_groups_unlist(&s->groups, t, index);
            t->flags |= PPI_TASK_TAKEN;
            ppi_lock_give(&s->lock);
            memcpy(result, data, bytes);
            ppi_lock_take(&s->lock);
        } else if (bytes) {
            memcpy(result, data, bytes);
        }
        t->flags |= PPI_TASK_TAKEN;
        ppi_server_dispose(s, t, index);
        ppi_server_purge(s);
    }
    ppi_lock_give(&s->lock);
    return status;
}

int pp_result(pp_future f, const void **data, size_t *bytes)
{
    pp_server *s;
    struct ppi_task *t;
    uint32_t index;
    int status = ppi_check_open(&s, "pp_result");
    if (status != PP_OK) return status;
    ppi_lock_take(&s->lock);
    ppi_server_called(s);
    status = ppi_wait_one(s, f, UINT64_MAX, "pp_result", &t, &index);
    if (status == PP_OK && t->status != PP_OK) status = failure(s, t);
    if (status == PP_OK) {
        if (data) *data = ppi_server_result_data(s, t);
        if (bytes) *bytes = ppi_server_result_bytes(t);
    }
    ppi_lock_give(&s->lock);
    return status;
}

pp_future pp_template_submit(pp_server *server, const pp_template *task_template, const void *args, size_t bytes)
{
    if (!task_template) {
        pp_future f = {0};
        if (ppi_check_server(server, "pp_template_submit") == PP_OK)
            ppi_error(PP_ERR_ARG, "pp_template_submit: the template is NULL");
        return f;
    }
    return pp_submit_with(server, task_template->function, args, bytes, &task_template->options);
}

/* Finds the task of a future that need not be finished. The lock is held on PP_OK. look: where nobody but the program's
 * threads receives messages, what has come is looked at first. */
static int find(pp_future f, const char *call, int look, pp_server **s, struct ppi_task **t, uint32_t *index)
{
    int status = ppi_check_open(s, call);
    if (status != PP_OK) return status;
    ppi_lock_take(&(*s)->lock);
    if (look && (*s)->callers_only) ppi_server_look(*s, PPI_STEP_MPI);
    *t = ppi_store_find(&(*s)->store, f.id, index);
    if (*t && ppi_task_is_held(*t)) return PP_OK;
    ppi_lock_give(&(*s)->lock);
    return ppi_wait_bad_handle(f, call, NULL);
}

int pp_release(pp_future f)
{
    pp_server *s;
    struct ppi_task *t;
    uint32_t index;
    int status = find(f, "pp_release", 0, &s, &t, &index);
    if (status != PP_OK) return status;
    if (t->state == PPI_TASK_FINISHED)
        ppi_server_dispose(s, t, index);
    else
        ppi_server_give_up(s, t);
    if (s->waiting) s->wake_waiters = 1, pthread_cond_broadcast(&s->changed);
    ppi_server_purge(s);
    ppi_lock_give(&s->lock);
    return PP_OK;
}

int pp_done(pp_future f)
{
    pp_server *s;
    struct ppi_task *t;
    uint32_t index;
    int status = find(f, "pp_done", 0, &s, &t, &index);
    if (status != PP_OK) return status;
    int done = ppi_task_is_ready(s, t);
    if (!done) {
        /* A program that asks in a loop is inside the library all the time: let it do the work. */
        ppi_server_look(s, PPI_STEP_ALL);
        t = ppi_store_find(&s->store, f.id, &index);
        done = t && ppi_task_is_ready(s, t);
    }
    ppi_lock_give(&s->lock);
    return done;
}

static int check_seconds(double seconds, const char *call)
{
    if (!isnan(seconds)) return PP_OK;
    return ppi_error(PP_ERR_ARG, "%s: seconds is not a number", call);
}

static int wait_for(pp_future f, double seconds, const char *call)
{
    pp_server *s;
    struct ppi_task *t;
    uint32_t index;
    int status = ppi_check_open(&s, call);
    if (status == PP_OK) status = check_seconds(seconds, call);
    if (status != PP_OK) return status;
    ppi_lock_take(&s->lock);
    ppi_server_called(s);
    status = ppi_wait_one(s, f, ppi_deadline_ns(seconds), call, &t, &index);
    ppi_lock_give(&s->lock);
    return status;
}

int pp_wait(pp_future f)
{
    return wait_for(f, -1, "pp_wait");
}

int pp_wait_for(pp_future f, double seconds)
{
    return wait_for(f, seconds, "pp_wait_for");
}

/* Null futures belong to no server: with only such ones *s is NULL, and there is nothing to wait for. */
static int check_array(const pp_future *f, size_t n, double seconds, pp_server **s, const char *call)
{
    int status = ppi_check_place(call);
    size_t first = 0;
    *s = NULL;
    if (status == PP_OK) status = check_seconds(seconds, call);
    if (status == PP_OK && !f && n) status = ppi_error(PP_ERR_ARG, "%s: the array is NULL, but n is %zu", call, n);
    if (status != PP_OK) return status;
    while (first < n && f[first].id == 0) first++;
    return first < n ? ppi_check_open(s, call) : PP_OK;
}

int pp_wait_all(const pp_future *f, size_t n, double seconds)
{
    pp_server *s;
    int status = check_array(f, n, seconds, &s, "pp_wait_all");
    if (status != PP_OK || !s) return status;
    ppi_lock_take(&s->lock);
    status = ppi_wait_all(s, f, n, ppi_deadline_ns(seconds), "pp_wait_all");
    ppi_lock_give(&s->lock);
    return status;
}

static int wait_some(const pp_future *f, size_t n, double seconds, size_t *index, int only_failed, const char *call)
{
    pp_server *s;
    int status = check_array(f, n, seconds, &s, call);
    if (status != PP_OK || !s) return status != PP_OK ? status : PP_END;
    ppi_lock_take(&s->lock);
    status = ppi_wait_some(s, f, n, ppi_deadline_ns(seconds), only_failed, index, call);
    ppi_lock_give(&s->lock);
    return status;
}

int pp_wait_any(const pp_future *f, size_t n, double seconds, size_t *index)
{
    return wait_some(f, n, seconds, index, 0, "pp_wait_any");
}

int pp_wait_failed(const pp_future *f, size_t n, double seconds, size_t *index)
{
    return wait_some(f, n, seconds, index, 1, "pp_wait_failed");
}

int pp_wait_group(pp_server *server, const char *group, double seconds)
{
    int status = ppi_check_server(server, "pp_wait_group");
    if (status == PP_OK) status = check_seconds(seconds, "pp_wait_group");
    if (status != PP_OK) return status;
    ppi_lock_take(&server->lock);
    status = ppi_wait_group(server, group, ppi_deadline_ns(seconds));
    ppi_lock_give(&server->lock);
    return status;
}

int pp_next(pp_server *server, const char *group, double seconds, pp_future *f)
{
    int status = ppi_check_server(server, "pp_next");
    if (status == PP_OK) status = check_seconds(seconds, "pp_next");
    if (status == PP_OK && !f) status = ppi_error(PP_ERR_ARG, "pp_next: the address for the future is NULL");
    if (status != PP_OK) return status;
    ppi_lock_take(&server->lock);
    status = ppi_wait_next(server, group, ppi_deadline_ns(seconds), f);
    ppi_lock_give(&server->lock);
    return status;
}

int pp_add_callback(pp_future f, void (*callback)(pp_future f, void *arg), void *arg)
{
    pp_server *s;
    struct ppi_task *t;
    uint32_t index;
    if (!callback) return ppi_error(PP_ERR_ARG, "pp_add_callback: the callback is NULL");
    int status = find(f, "pp_add_callback", 0, &s, &t, &index);
    if (status != PP_OK) return status;
    status = ppi_callbacks_add(s, index, callback, arg);
    ppi_lock_give(&s->lock);
    return status;
}

int pp_cancel(pp_future f)
{
    pp_server *s;
    struct ppi_task *t;
    uint32_t index;
    int status = find(f, "pp_cancel", 1, &s, &t, &index);
    if (status != PP_OK) return status;
    status = ppi_server_cancel(s, index);
    ppi_lock_give(&s->lock);
    if (status == PP_OK) ppi_server_kick(s);
    return status;
}

static void copy_text(char *to, size_t room, const char *from)
{
    size_t n = from ? strnlen(from, room - 1) : 0;
    if (n) memcpy(to, from, n);
    to[n] = '\0';
}

int pp_info(pp_future f, pp_task_info *info)
{
    pp_server *s;
    struct ppi_task *t;
    uint32_t index;
    if (!info) return ppi_error(PP_ERR_ARG, "pp_info: info is NULL");
    if (info->size < SMALLEST_INFO || info->size > sizeof *info)
        return ppi_error(PP_ERR_ARG, "pp_info: info->size is %zu; set it to sizeof(pp_task_info), %zu", info->size,
                         sizeof *info);
    int status = find(f, "pp_info", 1, &s, &t, &index);
    if (status != PP_OK) return status;
    pp_task_info i = {.size = sizeof i, .state = PP_QUEUED, .rank = -1, .worker = -1, .attempts = t->attempts,
                      .submitted = (double)t->submitted_ns / 1e9, .task = t->number};
    const struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
    uint64_t started_ns = 0;
    if (t->state == PPI_TASK_FINISHED) {
        i.state = PP_FINISHED;
        i.status = t->status;
        i.started = (double)ppi_task_started_ns(t) / 1e9;
        i.finished = (double)ppi_task_finished_ns(t) / 1e9;
        i.result_bytes = t->status == PP_OK ? ppi_server_result_bytes(t) : 0;
        if (t->attempts) {
            i.rank = (int)t->agent;
            i.worker = t->worker == PPI_TASK_NO_WORKER ? -1 : (int)t->worker;
            i.pid = (long)ppi_task_pid(t);
        }
        if (extra) {
            i.code = extra->code;
            i.signal = extra->signal;
            copy_text(i.message, sizeof i.message, extra->message);
        }
        if (t->status != PP_OK && !*i.message) copy_text(i.message, sizeof i.message, pp_strerror(t->status));
    } else if (t->state != PPI_TASK_QUEUED && ppi_server_find_running(s, t, index, &i.worker, &i.pid, &started_ns)) {
        i.state = PP_RUNNING;
        i.rank = (int)t->agent;
        i.started = started_ns > s->opened_ns ? (double)(started_ns - s->opened_ns) / 1e9 : 0;
    } else if (t->state != PPI_TASK_QUEUED) {
        i.attempts--; /* an agent has it, but it has not begun */
    }
    if (i.rank >= 0) copy_text(i.host, sizeof i.host, s->ranks[i.rank].host);
    if (extra) copy_text(i.name, sizeof i.name, extra->name);
    ppi_lock_give(&s->lock);
    i.size = info->size; /* a program that was compiled against an older header gets the fields that it knows */
    memcpy(info, &i, i.size);
    return PP_OK;
}
