#include "server/wait.h"

#include "base/status.h"
#include "server/callbacks.h"

#include <stdlib.h>

int ppi_wait_bad_handle(pp_future f, const char *call, const size_t *index)
{
    if (index)
        return ppi_error(PP_ERR_HANDLE, "%s: future %zu of the array (id 0x%llx) is stale or of another server", call, *index,
                         (unsigned long long)f.id);
    if (f.id == 0) return ppi_error(PP_ERR_HANDLE, "%s: the future is null%s", call, ppi_error_before());
    return ppi_error(PP_ERR_HANDLE, "%s: the future (id 0x%llx) is stale or of another server", call, (unsigned long long)f.id);
}

struct one {
    struct pp_server *s;
    uint64_t id;
};

int ppi_task_is_ready(const struct pp_server *s, const struct ppi_task *t)
{
    if (t->state != PPI_TASK_FINISHED) return 0;
    return !(t->flags & PPI_TASK_CALLING) || ppi_task_extra_of(&s->store, t)->told || ppi_callbacks_here();
}

int ppi_task_is_held(const struct ppi_task *t)
{
    if (t->flags & PPI_TASK_HELD) return 1;
    /* A callback may use its future, although the program has released it. */
    return t->flags & PPI_TASK_CALLING && !(t->flags & PPI_TASK_TAKEN) && ppi_callbacks_here();
}

/* A future that another thread gives up meanwhile ends the wait too. */
static int one_finished(void *arg)
{
    const struct one *one = arg;
    uint32_t index;
    const struct ppi_task *t = ppi_store_find(&one->s->store, one->id, &index);
    return !t || !ppi_task_is_held(t) || ppi_task_is_ready(one->s, t);
}

int ppi_wait_one(struct pp_server *s, pp_future f, uint64_t deadline_ns, const char *call, struct ppi_task **task, uint32_t *index)
{
    struct ppi_task *t = ppi_store_find(&s->store, f.id, index);
    if (!t || !ppi_task_is_held(t)) return ppi_wait_bad_handle(f, call, NULL);
    if (!ppi_task_is_ready(s, t)) {
        struct one one = {s, f.id};
        int status = ppi_server_wait(s, one_finished, &one, deadline_ns);
        if (status != PP_OK) return status;
        t = ppi_store_find(&s->store, f.id, index);
        if (!t || !ppi_task_is_held(t)) return ppi_wait_bad_handle(f, call, NULL);
    }
    *task = t;
    return PP_OK;
}

static int check_all(struct pp_server *s, const pp_future *f, size_t n, const char *call)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t index;
        if (f[i].id == 0) continue;
        const struct ppi_task *t = ppi_store_find(&s->store, f[i].id, &index);
        if (!t || !ppi_task_is_held(t)) return ppi_wait_bad_handle(f[i], call, &i);
    }
    return PP_OK;
}

int ppi_wait_all(struct pp_server *s, const pp_future *f, size_t n, uint64_t deadline_ns, const char *call)
{
    int status = check_all(s, f, n, call);
    for (size_t i = 0; i < n && status == PP_OK; i++) {
        struct one one = {s, f[i].id};
        if (f[i].id && !one_finished(&one)) status = ppi_server_wait(s, one_finished, &one, deadline_ns);
    }
    return status;
}

/* ---- any, failed: each unfinished task tells the watch when it finishes */

struct ppi_watch {
    int only_failed, hit, on_callback_thread;
    size_t open; /* watched tasks that have not finished */
    size_t found;
};

struct ppi_watcher {
    struct ppi_watch *watch;
    size_t index;
    struct ppi_watcher *next, **previous;
};

static void unlink_watcher(struct ppi_watcher *w)
{
    if (!w->previous) return;
    *w->previous = w->next;
    if (w->next) w->next->previous = w->previous;
    w->previous = NULL;
}

void ppi_watchers_tell(struct ppi_task_extra *extra, int status, int only_on_callback_thread)
{
    for (struct ppi_watcher *w = extra->watchers, *next; w; w = next) {
        struct ppi_watch *watch = w->watch;
        next = w->next;
        if (only_on_callback_thread && !watch->on_callback_thread) continue;
        unlink_watcher(w);
        watch->open--;
        if (watch->hit || (watch->only_failed && status == PP_OK)) continue;
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
    for (size_t i = 0; i < n; i++) unlink_watcher(&watchers[i]);
}

int ppi_wait_some(struct pp_server *s, const pp_future *f, size_t n, uint64_t deadline_ns, int only_failed, size_t *index,
                  const char *call)
{
    int status = check_all(s, f, n, call);
    if (status != PP_OK) return status;
    struct ppi_watch watch = {.only_failed = only_failed, .on_callback_thread = ppi_callbacks_here()};
    struct ppi_watcher *watchers = NULL;
    size_t used = 0;
    for (size_t i = 0; i < n && !watch.hit; i++) {
        uint32_t at;
        struct ppi_task *t = f[i].id ? ppi_store_find(&s->store, f[i].id, &at) : NULL;
        if (!t) continue;
        if (ppi_task_is_ready(s, t)) {
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
    return status != PP_OK ? status : PP_END;
}

/* ---- groups */

struct group_wait {
    struct pp_server *s;
    const char *name;
};

static int group_finished(void *arg)
{
    const struct group_wait *w = arg;
    int callbacks_too = !ppi_callbacks_here(), group = w->name ? ppi_groups_find(&w->s->groups, w->name) : -1;
    if (!w->name) return w->s->unfinished == 0 && !(callbacks_too && w->s->calling);
    if (group < 0) return 1;
    const struct ppi_group *g = &w->s->groups.groups[group];
    return g->tasks == 0 && !(callbacks_too && g->callbacks);
}

int ppi_wait_group(struct pp_server *s, const char *name, uint64_t deadline_ns)
{
    struct group_wait w = {s, name};
    return ppi_server_wait(s, group_finished, &w, deadline_ns);
}

struct next_wait {
    struct pp_server *s;
    const char *name;
    int ended;
    uint32_t task;
};

static int next_found(void *arg)
{
    struct next_wait *w = arg;
    struct ppi_groups *g = &w->s->groups;
    if (w->ended || w->task != PPI_TASK_NONE) return 1; /* asked again after a yes: it must not take another */
    int group = w->name ? ppi_groups_find(g, w->name) : -1;
    if (w->name && group < 0) {
        w->ended = 1;
        return 1;
    }
    w->task = ppi_groups_next(g, group);
    if (w->task != PPI_TASK_NONE) return 1;
    if (ppi_callbacks_here()) {
        /* Tasks whose callbacks have not run are not waited for: this callback is one of them. */
        w->ended = (w->name ? g->groups[group].tasks : w->s->unfinished) == 0;
        return w->ended;
    }
    uint64_t open = w->name ? g->groups[group].tasks + g->groups[group].callbacks : w->s->unfinished + w->s->calling;
    w->ended = open == (w->name ? g->groups[group].hidden : g->hidden);
    return w->ended;
}

int ppi_wait_next(struct pp_server *s, const char *name, uint64_t deadline_ns, pp_future *f)
{
    struct next_wait w = {.s = s, .name = name, .task = PPI_TASK_NONE};
    int status = ppi_server_wait(s, next_found, &w, deadline_ns);
    if (status != PP_OK) return status;
    if (w.ended) return PP_END;
    f->id = ppi_task_id_of(ppi_store_at(&s->store, w.task), w.task);
    return PP_OK;
}
