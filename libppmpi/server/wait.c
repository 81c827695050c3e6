#include "server/wait.h"

#include "base/status.h"

#include <stdlib.h>

static int bad_handle(pp_future f, const size_t *index)
{
    if (index)
        return ppi_error(PP_ERR_HANDLE, "future %zu of the array (id 0x%llx) is stale or of another server", *index,
                         (unsigned long long)f.id);
    if (f.id == 0)
        return ppi_error(PP_ERR_HANDLE, "the future is null%s%s", *pp_last_error() ? "; the last error was: " : "",
                         pp_last_error());
    return ppi_error(PP_ERR_HANDLE, "the future (id 0x%llx) is stale or of another server", (unsigned long long)f.id);
}

struct one {
    struct pp_server *s;
    uint64_t id;
};

/* A future that another thread gives up meanwhile ends the wait too. */
static int one_finished(void *arg)
{
    const struct one *one = arg;
    uint32_t index;
    const struct ppi_task *t = ppi_store_find(&one->s->store, one->id, &index);
    return !t || t->state == PPI_TASK_FINISHED;
}

int ppi_wait_one(struct pp_server *s, pp_future f, uint64_t deadline_ns, struct ppi_task **task, uint32_t *index)
{
    struct ppi_task *t = ppi_store_find(&s->store, f.id, index);
    if (!t || !(t->flags & PPI_TASK_HELD)) return bad_handle(f, NULL);
    if (t->state != PPI_TASK_FINISHED) {
        struct one one = {s, f.id};
        int status = ppi_server_wait(s, one_finished, &one, deadline_ns);
        if (status != PP_OK) return status;
        t = ppi_store_find(&s->store, f.id, index);
        if (!t || !(t->flags & PPI_TASK_HELD)) return bad_handle(f, NULL);
    }
    *task = t;
    return PP_OK;
}

static int check_all(struct pp_server *s, const pp_future *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t index;
        if (f[i].id == 0) continue;
        const struct ppi_task *t = ppi_store_find(&s->store, f[i].id, &index);
        if (!t || !(t->flags & PPI_TASK_HELD)) return bad_handle(f[i], &i);
    }
    return PP_OK;
}

int ppi_wait_all(struct pp_server *s, const pp_future *f, size_t n, uint64_t deadline_ns)
{
    int status = check_all(s, f, n);
    for (size_t i = 0; i < n && status == PP_OK; i++) {
        struct one one = {s, f[i].id};
        if (f[i].id && !one_finished(&one)) status = ppi_server_wait(s, one_finished, &one, deadline_ns);
    }
    return status;
}

/* ---- any, failed: each unfinished task tells the watch when it finishes */

struct ppi_watch {
    int only_failed, hit;
    size_t open; /* watched tasks that have not finished */
    size_t found;
};

struct ppi_watcher {
    struct ppi_watch *watch;
    size_t index;
    struct ppi_watcher *next, **previous;
};

void ppi_watchers_tell(struct pp_server *s, struct ppi_task *task)
{
    (void)s;
    struct ppi_watcher *w = task->extra->watchers;
    task->extra->watchers = NULL;
    for (; w; w = w->next) {
        struct ppi_watch *watch = w->watch;
        w->previous = NULL;
        watch->open--;
        if (watch->hit || (watch->only_failed && task->status == PP_OK)) continue;
        watch->hit = 1;
        watch->found = w->index;
    }
}

static int watch_over(void *arg)
{
    const struct ppi_watch *watch = arg;
    return watch->hit || watch->open == 0;
}

static void unwatch(struct ppi_watcher *watchers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct ppi_watcher *w = &watchers[i];
        if (!w->previous) continue;
        *w->previous = w->next;
        if (w->next) w->next->previous = w->previous;
    }
}

int ppi_wait_some(struct pp_server *s, const pp_future *f, size_t n, uint64_t deadline_ns, int only_failed, size_t *index)
{
    int status = check_all(s, f, n);
    if (status != PP_OK) return status;
    struct ppi_watch watch = {.only_failed = only_failed};
    struct ppi_watcher *watchers = NULL;
    size_t used = 0;
    for (size_t i = 0; i < n && !watch.hit; i++) {
        uint32_t at;
        struct ppi_task *t = f[i].id ? ppi_store_find(&s->store, f[i].id, &at) : NULL;
        if (!t) continue;
        if (t->state == PPI_TASK_FINISHED) {
            if (only_failed && t->status == PP_OK) continue;
            watch.hit = 1;
            watch.found = i;
            break;
        }
        struct ppi_task_extra *extra = ppi_server_extra(s, t);
        if (!watchers) watchers = calloc(n - i, sizeof *watchers);
        if (!extra || !watchers) {
            unwatch(watchers, used);
            free(watchers);
            return ppi_error(PP_ERR_NOMEM, "no memory to wait for %zu futures", n);
        }
        struct ppi_watcher *w = &watchers[used++];
        *w = (struct ppi_watcher){&watch, i, extra->watchers, &extra->watchers};
        if (w->next) w->next->previous = &w->next;
        extra->watchers = w;
        watch.open++;
    }
    if (!watch.hit && watch.open) status = ppi_server_wait(s, watch_over, &watch, deadline_ns);
    unwatch(watchers, used);
    free(watchers);
    if (watch.hit) {
        if (index) *index = watch.found;
        return PP_OK;
    }
    if (status != PP_OK) return status;
    return PP_END;
}
