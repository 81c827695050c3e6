/* What there is: the notes of a rank and the entries of its node. */
#include "share/share.h"

#include "base/futex.h"
#include "base/status.h"
#include "share/layout.h"

#include <limits.h>

_Static_assert(sizeof(struct ppi_shared_note) == PPI_SHARED_NOTE_BYTES, "the workspace has room for the notes");
_Static_assert(sizeof(struct ppi_shared_entry) == 32, "entries share no cache line by halves");

static struct ppi_shared_note *note_of(const struct ppi_workspace *workspace, uint64_t id)
{
    return (struct ppi_shared_note *)(void *)workspace->shared_notes + ppi_shared_index(id);
}

static struct ppi_shared_entry *entry_of(const struct ppi_workspace *workspace, uint64_t id)
{
    return ppi_shared_head_of(workspace)->entries + ppi_shared_index(id);
}

static enum ppi_shared_state state_in(uint32_t word)
{
    return (enum ppi_shared_state)(word & 3);
}

int ppi_shared_look(const struct ppi_workspace *workspace, uint64_t id, uint64_t number, const void **data, size_t *bytes,
                    uint32_t *ticket)
{
    uint64_t serial = ppi_shared_serial(id);
    struct ppi_shared_note *note = note_of(workspace, id);
    int is_known = serial && atomic_load(&note->serial) == serial;
    uint64_t until = atomic_load(&note->until);
    if (!is_known || atomic_load(&note->serial) != serial)
        return ppi_error(PP_ERR_HANDLE, "the shared data (id 0x%llx) is null, was unshared or is of another server",
                         (unsigned long long)id);
    if (number > until)
        return ppi_error(PP_ERR_HANDLE, "the shared data (id 0x%llx) was unshared before this task was submitted",
                         (unsigned long long)id);
    struct ppi_shared_entry *entry = entry_of(workspace, id);
    uint32_t word = atomic_load(&entry->word);
    uint64_t is = atomic_load(&entry->serial), offset = atomic_load(&entry->offset), size = atomic_load(&entry->bytes);
    *ticket = word;
    /* The holder may be behind, or just changing it; to the last it has no right while this task runs. */
    if (is != serial || atomic_load(&entry->word) != word || state_in(word) < PPI_SHARED_READY) return PP_TIMEOUT;
    if (state_in(word) == PPI_SHARED_FAILED)
        return ppi_error(PP_ERR_NOMEM, "this node has no memory for %llu bytes of shared data", (unsigned long long)size);
    *data = workspace->shared.base + offset;
    if (bytes) *bytes = size;
    return PP_OK;
}

void ppi_shared_wait(const struct ppi_workspace *workspace, uint64_t id, uint32_t ticket)
{
    ppi_futex_wait(&entry_of(workspace, id)->word, ticket, PPI_FOREVER);
}

void ppi_shared_announce(struct ppi_shared_store *store, uint64_t id)
{
    struct ppi_shared_note *note = note_of(store->workspace, id);
    atomic_store(&note->serial, 0);
    atomic_store(&note->until, PPI_SHARED_ALL);
    atomic_store(&note->serial, ppi_shared_serial(id));
}

void ppi_shared_limit(struct ppi_shared_store *store, uint64_t id, uint64_t until)
{
    struct ppi_shared_note *note = note_of(store->workspace, id);
    if (atomic_load(&note->serial) == ppi_shared_serial(id)) atomic_store(&note->until, until);
}

static void change(struct ppi_shared_entry *entry, enum ppi_shared_state state)
{
    uint32_t word = atomic_load(&entry->word);
    atomic_store(&entry->word, ((word >> 2) + 1) << 2 | (uint32_t)state);
    ppi_futex_wake(&entry->word, INT_MAX);
}

void ppi_shared_publish(struct ppi_shared_store *store, uint64_t id, uint64_t offset, uint64_t bytes, enum ppi_shared_state state)
{
    struct ppi_shared_entry *entry = entry_of(store->workspace, id);
    atomic_store(&entry->offset, offset);
    atomic_store(&entry->bytes, bytes);
    atomic_store(&entry->serial, ppi_shared_serial(id));
    change(entry, state);
}

static int is_current(const struct ppi_shared_entry *entry, uint64_t id)
{
    return atomic_load(&entry->serial) == ppi_shared_serial(id);
}

void ppi_shared_arrived(struct ppi_shared_store *store, uint64_t id, uint64_t offset, uint64_t bytes)
{
    struct ppi_shared_entry *entry = entry_of(store->workspace, id);
    if (is_current(entry, id))
        change(entry, PPI_SHARED_READY);
    else
        ppi_shared_free(store, offset, bytes);
}

uint64_t ppi_shared_in_place_of(const struct ppi_shared_store *store, uint64_t id)
{
    return ppi_shared_id(atomic_load(&entry_of(store->workspace, id)->serial), ppi_shared_index(id));
}

int ppi_shared_drop(struct ppi_shared_store *store, uint64_t id, uint64_t *offset, uint64_t *bytes)
{
    struct ppi_shared_entry *entry = entry_of(store->workspace, id);
    if (!store->is_holder || ppi_shared_serial(id) == 0 || !is_current(entry, id)) return 0;
    enum ppi_shared_state state = state_in(atomic_load(&entry->word));
    *offset = atomic_load(&entry->offset);
    *bytes = atomic_load(&entry->bytes);
    atomic_store(&entry->serial, 0);
    change(entry, PPI_SHARED_NONE);
    return state == PPI_SHARED_READY;
}
