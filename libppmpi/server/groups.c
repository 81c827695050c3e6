#include "server/groups.h"

#include "base/status.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT "default"

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
    for (int i = 0; i < g->count; i++) free(g->groups[i].name);
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
        g->groups[i] = (struct ppi_group){.name = copy, .first = PPI_TASK_NONE, .last = PPI_TASK_NONE,
                                          .next_in_bucket = g->buckets[bucket]};
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
    it->name = NULL;
    it->next_in_bucket = g->free;
    g->free = group;
}

void ppi_groups_submitted(struct ppi_groups *g, int group)
{
    g->groups[group].tasks++;
}

void ppi_groups_finished(struct ppi_groups *g, int group)
{
    g->groups[group].tasks--;
    g->groups[group].callbacks++;
}

void ppi_groups_called(struct ppi_groups *g, int group)
{
    g->groups[group].callbacks--;
    drop_if_empty(g, group);
}

void ppi_groups_hide(struct ppi_groups *g, int group)
{
    g->groups[group].hidden++;
    g->hidden++;
}

void ppi_groups_unhide(struct ppi_groups *g, int group)
{
    g->groups[group].hidden--;
    g->hidden--;
}

/* The records' links: function is free for the previous one once a task has finished. */
void ppi_groups_list(struct ppi_groups *g, struct ppi_task *t, uint32_t index)
{
    struct ppi_group *it = &g->groups[t->group];
    t->flags |= PPI_TASK_LISTED;
    t->function = it->last;
    t->list_next = PPI_TASK_NONE;
    if (it->last != PPI_TASK_NONE)
        ppi_store_at(g->store, it->last)->list_next = index;
    else
        it->first = index;
    it->last = index;
    if (it->listed++) return;
    it->previous_busy = -1;
    it->next_busy = g->busy;
    if (g->busy >= 0) g->groups[g->busy].previous_busy = t->group;
    g->busy = t->group;
}

void ppi_groups_unlist(struct ppi_groups *g, struct ppi_task *t)
{
    if (!(t->flags & PPI_TASK_LISTED)) return;
    struct ppi_group *it = &g->groups[t->group];
    t->flags &= (uint8_t)~PPI_TASK_LISTED;
    if (t->function != PPI_TASK_NONE)
        ppi_store_at(g->store, t->function)->list_next = t->list_next;
    else
        it->first = t->list_next;
    if (t->list_next != PPI_TASK_NONE)
        ppi_store_at(g->store, t->list_next)->function = t->function;
    else
        it->last = t->function;
    if (--it->listed) return;
    if (it->previous_busy >= 0)
        g->groups[it->previous_busy].next_busy = it->next_busy;
    else
        g->busy = it->next_busy;
    if (it->next_busy >= 0) g->groups[it->next_busy].previous_busy = it->previous_busy;
    drop_if_empty(g, t->group);
}

uint32_t ppi_groups_next(struct ppi_groups *g, int group)
{
    uint32_t task = PPI_TASK_NONE;
    if (group >= 0) {
        task = g->groups[group].first;
    } else {
        /* The one that finished first of the groups' firsts: a step for each group that has one. */
        for (int i = g->busy; i >= 0; i = g->groups[i].next_busy) {
            uint32_t first = g->groups[i].first;
            if (task == PPI_TASK_NONE || ppi_store_at(g->store, first)->u.result.finished_ns <
                                             ppi_store_at(g->store, task)->u.result.finished_ns)
                task = first;
        }
    }
    if (task != PPI_TASK_NONE) ppi_groups_unlist(g, ppi_store_at(g->store, task));
    return task;
}
