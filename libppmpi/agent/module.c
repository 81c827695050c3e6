/* Code that travels, in a rank other than 0: what the server says of it. */
#include "agent/serving.h"

#include "base/log.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

void ppi_serving_on_module(struct ppi_serving *s, const struct ppi_wire_record *record)
{
    const struct ppi_wire_module *w = &record->as.MODULE;
    _Static_assert(PPI_WIRE_MODULES_MAX == PPI_MODULES_MAX, "what the decoder lets through fits");
    struct ppi_module_info info = {.build_id_bytes = w->build_id_bytes, .linked = w->linked, .bytes = w->bytes};
    if (!s->shared.is_holder) return; /* the node's holder hears of it, too */
    memcpy(info.build_id, w->build_id, sizeof info.build_id);
    memcpy(info.path, record->data, w->path_bytes);
    memcpy(info.alias, (const char *)record->data + w->path_bytes, w->alias_bytes);
    if (ppi_module_offer(&s->modules, w->number, &info) == 0)
        ppi_serving_post(s, PPI_WIRE_WANT, 0, &(struct ppi_wire_want){.number = w->number}, NULL, 0);
}

struct incoming { /* an image that is too large for a message */
    struct ppi_module_store *store;
    uint32_t number;
    int wanted;
};

static void arrived(void *ctx)
{
    struct incoming *in = ctx;
    if (in->wanted) ppi_module_arrived(in->store, in->number);
    free(in);
}

void ppi_serving_on_image(struct ppi_serving *s, const struct ppi_wire_record *record)
{
    const struct ppi_wire_image *w = &record->as.IMAGE;
    struct ppi_module_entry *entry = ppi_module_entry(s->workspace, w->number);
    int streamed = record->flags & PPI_WIRE_STREAMED;
    /* Once: while it arrives, and after it has, there is memory for it. */
    int wanted = s->shared.is_holder && ppi_module_state(entry) == PPI_MODULE_ARRIVING &&
                 !ppi_module_is_arriving(&s->modules, w->number);
    char *to = NULL;
    if (wanted && w->status != PP_OK) {
        char why[sizeof entry->why];
        size_t n = record->bytes < sizeof why ? record->bytes : sizeof why - 1;
        memcpy(why, record->data, n);
        why[n] = '\0';
        ppi_module_fail(&s->modules, w->number, w->status, why);
    } else if (wanted && w->bytes == entry->info.bytes) {
        to = ppi_module_receive(&s->modules, w->number);
    } else if (wanted) {
        ppi_module_fail(&s->modules, w->number, PP_ERR_MODULE, "its file has changed its size");
    }
    if (to && !streamed) {
        memcpy(to, record->data, w->bytes);
        ppi_module_arrived(&s->modules, w->number);
    }
    if (!streamed) return;
    struct incoming *in = calloc(1, sizeof *in);
    if (!in) abort(); /* what follows on the stream could not be told apart any more */
    *in = (struct incoming){&s->modules, w->number, to != NULL};
    s->transport->ops->stream(s->transport, 0, 0, to, w->bytes, arrived, in);
}
