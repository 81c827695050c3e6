#include "server/groups.h"

#include "base/status.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT "default"
#define ROOM_LEAST 16
#define ROOM_KEPT ((size_t)1 << 21) /* entries: what a group may keep after it has had so many tasks, 16 MiB */

static unsigned hash(const char *name)
{
    unsigned h = 2166136261u; /* FNV-1a */
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 16777619u;
    return h % (sizeof ((struct ppi_groups *)0)->buckets / sizeof(int));
}

int ppi_groups_init(struct ppi_groups *g, struct ppi_task_store *store)
{
    memset(g, 0, sizeof *g);
    g->store = store;
    g->free = g->busy = -1;
    for (size_t i = 0; i < sizeof g->buckets / sizeof *g->buckets; i++) g->buckets[i] = -1;
    int group;
    return ppi_groups_make(g, DEFAULT, &group);
}

void ppi_groups_fini(struct ppi_groups *g)
{
    for (int i = 0; i < g->count; i++) {
        free(g->groups[i].name);
        free(g->groups[i].finished);
    }
    free(g->groups);
    memset(g, 0, sizeof *g);
}

int ppi_groups_find(const struct ppi_groups *g, const char *name)
{
    if (!name) return 0;
    int i = g->buckets[hash(name)];
    while (i >= 0 && strcmp(g->groups[i].name, name) != 0) i = g->groups[i].next_in_bucket;
    return i;
}

int ppi_groups_make(struct ppi_groups *g, const char *name, int *group)
{
    int i = g->count ? ppi_groups_find(g, name) : -1;
    if (i < 0) {
        char *copy = strdup(name);
        if (!copy) return ppi_error(PP_ERR_NOMEM, "no memory for group \"%.64s\"", name);
        if (g->free >= 0) {
            i = g->free;
            g->free = g->groups[i].next_in_bucket;
        } else {
            if (g->count == g->room) {
                int room = g->room ? 2 * g->room : 8;
                struct ppi_group *grown = room <= PPI_GROUPS_MAX + 1 ? realloc(g->groups, (size_t)room * sizeof *grown) : NULL;
                if (!grown) {
                    free(copy);
                    return ppi_error(room > PPI_GROUPS_MAX + 1 ? PP_ERR_LIMIT : PP_ERR_NOMEM,
                                     "group \"%.64s\" would be one of more than %d groups with unfinished tasks", name, g->count);
                }
                g->groups = grown;
                g->room = room;
            }
            i = g->count++;
        }
        unsigned bucket = hash(name);
        g->groups[i] = (struct ppi_group){.name = copy, .next_in_bucket = g->buckets[bucket]};
        g->buckets[bucket] = i;
    }
    *group = i;
    return PP_OK;
}

static void drop_if_empty(struct ppi_groups *g, int group)
{
    struct ppi_group *it = &g->groups[group];
    if (group == 0 || it->tasks || it->callbacks || it->listed) return;
    int *at = &g->buckets[hash(it->name)];
    while (*at != group) at = &g->groups[*at].next_in_bucket;
    *at = it->next_in_bucket;
    free(it->name);
    free(it->finished);
    it->name = NULL;
    it->finished = NULL;
    it->next_in_bucket = g->free;
    g->free = group;
}

__attribute__((noinline)) static int grow(struct ppi_group *it)
{
    size_t room = it->room ? 2 * it->room : ROOM_LEAST;
    struct ppi_finished *grown = realloc(it->finished, room * sizeof *grown);
    if (!grown) return 0;
    it->finished = grown;
    it->room = room;
    return 1;
}

/* Most of a large array, where it is not needed any more. */
__attribute__((noinline)) static void shrink(struct ppi_group *it)
{
    size_t room = ROOM_KEPT;
    if (it->room <= ROOM_KEPT || it->room / 16 < it->wanted) return;
    while (room < 4 * it->wanted) room *= 2;
    struct ppi_finished *shrunk = realloc(it->finished, room * sizeof *shrunk);
    if (!shrunk) return;
    it->finished = shrunk;
    it->room = room;
}

int ppi_groups_submitted(struct ppi_groups *g, int group)
{
    struct ppi_group *it = &g->groups[group];
    if (2 * (it->wanted + 1) > it->room && !grow(it)) {
        drop_if_empty(g, group);
        return ppi_error(PP_ERR_NOMEM, "no memory for a task that will have finished");
    }
    it->wanted++;
    it->tasks++;
    return PP_OK;
}

void ppi_groups_undone(struct ppi_groups *g, int group)
{
    g->groups[group].wanted--;
    g->groups[group].tasks--;
    drop_if_empty(g, group);
}

void ppi_groups_calls(struct ppi_groups *g, int group)
{
    g->groups[group].tasks--;
    g->groups[group].callbacks++;
}

void ppi_groups_called(struct ppi_groups *g, int group)
{
    g->groups[group].tasks++;
    g->groups[group].callbacks--;
}

void ppi_groups_hide(struct ppi_groups *g, int group)
{
    g->groups[group].hidden++;
    g->groups[group].wanted--;
    g->hidden++;
}

void ppi_groups_ended(struct ppi_groups *g, int group)
{
    g->groups[group].tasks--;
    g->groups[group].hidden--;
    g->hidden--;
    drop_if_empty(g, group);
}

static int is_listed(const struct ppi_groups *g, struct ppi_finished f)
{
    const struct ppi_task *t = ppi_store_at(g->store, f.index);
    return t->generation == f.generation && t->flags & PPI_TASK_LISTED;
}

/* The array has come to its end: what is still listed moves to its beginning. That is half of it at most: for every two
 * entries that are looked at here a task has been listed since the last time. */
__attribute__((noinline)) static void compact(const struct ppi_groups *g, struct ppi_group *it)
{
    size_t kept = 0;
    for (size_t i = it->first; i < it->end; i++)
        if (is_listed(g, it->finished[i])) it->finished[kept++] = it->finished[i];
    it->first = 0;
    it->end = kept;
    shrink(it);
}

void ppi_groups_list(struct ppi_groups *g, struct ppi_task *t, uint32_t index)
{
    struct ppi_group *it = &g->groups[t->group];
    if (it->end == it->room) compact(g, it);
    it->tasks--;
    t->flags |= PPI_TASK_LISTED;
    it->finished[it->end++] = (struct ppi_finished){index, t->generation};
    if (it->listed++) return;
    it->previous_busy = -1;
    it->next_busy = g->busy;
    if (g->busy >= 0) g->groups[g->busy].previous_busy = t->group;
    g->busy = t->group;
}

static void became_idle(struct ppi_groups *g, int group)
{
    struct ppi_group *it = &g->groups[group];
    it->first = it->end = 0;
    shrink(it);
    if (it->previous_busy >= 0)
        g->groups[it->previous_busy].next_busy = it->next_busy;
    else
        g->busy = it->next_busy;
    if (it->next_busy >= 0) g->groups[it->next_busy].previous_busy = it->previous_busy;
    drop_if_empty(g, group);
}

void ppi_groups_unlist(struct ppi_groups *g, struct ppi_task *t, uint32_t index)
{
    if (!(t->flags & PPI_TASK_LISTED)) return;
    struct ppi_group *it = &g->groups[t->group];
    t->flags &= (uint8_t)~PPI_TASK_LISTED;
    it->wanted--;
    if (--it->listed == 0)
        became_idle(g, t->group);
    else if (it->finished[it->first].index == index)
        it->first++; /* this task, or one that had its record before */
}

/* The first of a group that has one. */
static uint32_t first_of(const struct ppi_groups *g, struct ppi_group *it)
{
    while (!is_listed(g, it->finished[it->first])) it->first++;
    return it->finished[it->first].index;
}

uint32_t ppi_groups_next(struct ppi_groups *g, int group)
{
    uint32_t task = PPI_TASK_NONE;
    uint64_t earliest_ns = UINT64_MAX;
    if (group >= 0) {
        if (g->groups[group].listed) task = first_of(g, &g->groups[group]);
    } else {
        /* The one that finished first of the groups' firsts: a step for each group that has one. */
        for (int i = g->busy; i >= 0; i = g->groups[i].next_busy) {
            uint32_t first = first_of(g, &g->groups[i]);
            uint64_t finished_ns = ppi_task_finished_ns(ppi_store_at(g->store, first));
            if (finished_ns >= earliest_ns) continue;
            earliest_ns = finished_ns;
            task = first;
        }
    }
    if (task != PPI_TASK_NONE) ppi_groups_unlist(g, ppi_store_at(g->store, task), task);
    return task;
}
