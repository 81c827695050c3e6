/* The store of task records. */
#include "task/task.h"

#include "base/memory.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void ppi_store_init(struct ppi_task_store *store)
{
    /* Futures of an earlier server of this process must not be mistaken for ours. */
    static _Atomic uint32_t generations;
    memset(store, 0, sizeof *store);
    store->free = PPI_TASK_NONE;
    store->generation = 1 + (atomic_fetch_add(&generations, 1) & 0xff) * 0x01000193u;
}

static void free_extra(struct ppi_task_extra *extra)
{
    if (!extra) return;
    free(extra->name);
    free(extra->message);
    free(extra);
}

void ppi_store_fini(struct ppi_task_store *store)
{
    for (uint32_t i = 0; i < store->extra_count; i++) free_extra(store->extras[i].extra);
    free(store->extras);
    for (uint32_t i = 0; i < store->slab_count; i++) free(store->slabs[i]);
    free(store->slabs);
    free(store->ahead);
    memset(store, 0, sizeof *store);
}

/* But a small program's first page shall not be huge: clearing it would take longer than its tasks. */
static struct ppi_task *make_slab(int is_first)
{
    char *slab = aligned_alloc(PPI_TASK_HUGE_PAGE, PPI_TASK_SLAB_BYTES);
    size_t plain = is_first ? PPI_TASK_HUGE_PAGE : 0;
    if (slab) madvise(slab + plain, PPI_TASK_SLAB_BYTES - plain, MADV_HUGEPAGE);
    return (struct ppi_task *)(void *)slab;
}

static int add_slab(struct ppi_task_store *store)
{
    if (store->slab_count == store->slab_room) {
        uint32_t room = store->slab_room ? 2 * store->slab_room : 64;
        struct ppi_task **grown = realloc(store->slabs, room * sizeof *grown);
        if (!grown) return 0;
        store->slabs = grown;
        store->slab_room = room;
    }
    struct ppi_task *slab = store->ahead ? store->ahead : make_slab(store->slab_count == 0);
    store->ahead = NULL;
    if (!slab) return 0;
    store->slabs[store->slab_count++] = slab;
    return 1;
}

/* Somebody else has time to get it while this slab is being filled. */
static void look_ahead(struct ppi_task_store *store)
{
    if (!store->ahead && (store->ahead = make_slab(0))) atomic_store(&store->fresh, store->ahead);
}

void ppi_store_prepare(struct ppi_task_store *store)
{
    char *slab = (char *)atomic_exchange(&store->fresh, NULL);
    for (size_t at = 0; slab && at < PPI_TASK_SLAB_BYTES; at += PPI_TASK_HUGE_PAGE)
        ppi_memory_populate(slab + at, PPI_TASK_HUGE_PAGE, NULL);
}

uint32_t ppi_store_new(struct ppi_task_store *store)
{
    uint32_t index = store->free;
    struct ppi_task *task;
    if (index != PPI_TASK_NONE) {
        task = ppi_store_at(store, index);
        store->free = task->next;
    } else {
        if (store->used == PPI_TASK_NONE) return PPI_TASK_NONE;
        if (store->used == store->slab_count * PPI_TASK_SLAB && !add_slab(store)) return PPI_TASK_NONE;
        index = store->used++;
        if (index % PPI_TASK_SLAB == PPI_TASK_SLAB / 4) look_ahead(store);
        task = ppi_store_at(store, index);
        task->generation = store->generation;
    }
    task->state = PPI_TASK_FREE;
    task->flags = 0;
    task->attempts = 0;
    ppi_task_set_number(task, 0, 0);
    task->next = 0;
    task->extra = 0;
    task->agent = 0;
    task->function = 0;
    ppi_task_set_tag(task, 0, 0);
    return index;
}

/* The task's place in the table is another's from now on. */
__attribute__((noinline)) static void drop_extra(struct ppi_task_store *store, struct ppi_task *task)
{
    struct ppi_extra_place *place = &store->extras[task->extra - 1];
    free_extra(place->extra);
    *place = (struct ppi_extra_place){NULL, store->free_extra};
    store->free_extra = task->extra;
    task->extra = 0;
}

static void put_among_free(struct ppi_task_store *store, struct ppi_task *task, uint32_t index)
{
    task->next = store->free;
    store->free = index;
}

void ppi_store_recycle(struct ppi_task_store *store, uint32_t index)
{
    struct ppi_task *task = ppi_store_at(store, index);
    assert(task->state == PPI_TASK_FREE);
    if (task->extra) drop_extra(store, task);
    uint32_t generation = task->generation + 1;
    task->generation = generation ? generation : 1; /* the null future stays null */
    if (!(task->flags & PPI_TASK_LINKED)) put_among_free(store, task, index);
}

void ppi_store_unlinked(struct ppi_task_store *store, uint32_t index)
{
    struct ppi_task *task = ppi_store_at(store, index);
    task->flags &= (uint8_t)~PPI_TASK_LINKED;
    if (task->state == PPI_TASK_FREE)
        put_among_free(store, task, index);
    else
        task->pid = 0; /* it is no link any more */
}

struct ppi_task *ppi_store_find(const struct ppi_task_store *store, uint64_t id, uint32_t *index)
{
    uint32_t i = (uint32_t)id;
    if (i >= store->used) return NULL;
    struct ppi_task *task = ppi_store_at(store, i);
    if (task->generation != (uint32_t)(id >> 32) || task->state == PPI_TASK_FREE) return NULL;
    *index = i;
    return task;
}

int ppi_task_apply(struct ppi_task *task, enum ppi_task_event event)
{
    int next = ppi_task_next_state((enum ppi_task_state)task->state, event);
    assert(next != PPI_TASK_BROKEN);
    if (next < 0) return 0;
    task->state = (uint8_t)next;
    return 1;
}

/* 1 + index of a place that is nobody's; 0 without memory. */
static uint32_t find_place(struct ppi_task_store *store)
{
    if (store->free_extra) return store->free_extra;
    if (store->extra_count == store->extra_room) {
        uint32_t room = store->extra_room < PPI_TASK_NONE / 2 ? 2 * store->extra_room : PPI_TASK_NONE;
        if (room == 0) room = 64;
        struct ppi_extra_place *grown = realloc(store->extras, room * sizeof *grown);
        if (!grown) return 0;
        store->extras = grown;
        store->extra_room = room;
    }
    store->extras[store->extra_count] = (struct ppi_extra_place){NULL, 0};
    store->free_extra = ++store->extra_count;
    return store->free_extra;
}

struct ppi_task_extra *ppi_task_extra(struct ppi_task_store *store, struct ppi_task *task, uint64_t timeout_ns,
                                      int retries)
{
    if (task->extra) return ppi_task_extra_of(store, task);
    uint32_t at = find_place(store);
    struct ppi_task_extra *extra = at ? calloc(1, sizeof *extra) : NULL;
    if (!extra) return NULL;
    extra->timeout_ns = timeout_ns;
    extra->retries = retries;
    extra->worker = PPI_TASK_NO_WORKER;
    store->free_extra = store->extras[at - 1].next_free;
    store->extras[at - 1].extra = extra;
    task->extra = at;
    return extra;
}
