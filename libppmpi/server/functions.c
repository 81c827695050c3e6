/* Functions get numbers: small ones travel in tasks, the description travels once. */
#include "server/server.h"

#include "base/status.h"
#include "function/module.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS (4 * PPI_FUNCTIONS_MAX)

struct ppi_function_table {
    struct {
        pp_function fn;
        uint32_t number;
        int may_go;       /* its module can be closed, */
        uint64_t unloads; /* … and had not been when so many had */
    } bucket[BUCKETS];
    struct ppi_function_ref *refs[PPI_FUNCTIONS_MAX];
    uint32_t count;
    pp_function last; /* most programs submit the same one again and again */
    uint32_t last_number;
};

int ppi_functions_create(struct ppi_function_table **out)
{
    struct ppi_function_table *table = calloc(1, sizeof *table);
    if (!table) return ppi_error(PP_ERR_NOMEM, "no memory for the table of functions");
    *out = table;
    return PP_OK;
}

void ppi_functions_destroy(struct ppi_function_table *table)
{
    if (!table) return;
    for (uint32_t i = 0; i < table->count; i++) free(table->refs[i]);
    free(table);
}

/* The number of a function that is described so, UINT32_MAX when it has none. */
static uint32_t find_described(const struct ppi_function_table *table, const struct ppi_function_ref *ref)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct ppi_function_ref *r = table->refs[i];
        if (r->offset == ref->offset && r->executable == ref->executable && r->build_id_bytes == ref->build_id_bytes &&
            memcmp(r->build_id, ref->build_id, sizeof r->build_id) == 0 && r->travels == ref->travels &&
            r->need_count == ref->need_count && memcmp(r->needs, ref->needs, sizeof r->needs) == 0)
            return i;
    }
    return UINT32_MAX;
}

static int add(struct pp_server *s, const struct ppi_function_ref *found, uint32_t *number)
{
    struct ppi_function_table *table = s->functions;
    struct ppi_function_ref *ref;
    if (table->count == PPI_FUNCTIONS_MAX)
        return ppi_error(PP_ERR_LIMIT, "more than %d different functions have been submitted", PPI_FUNCTIONS_MAX);
    if (!(ref = malloc(sizeof *ref))) return ppi_error(PP_ERR_NOMEM, "no memory for the description of a function");
    *ref = *found;
    table->refs[table->count] = ref;
    *number = table->count++;
    return ppi_agent_define(&s->workspace, *number, ref);
}

/* Of a function that is new, or that may be another one by now: a module that was opened after another had been closed can lie in
 * its place. */
static int describe(struct pp_server *s, pp_function fn, uint64_t unloads, size_t at)
{
    struct ppi_function_table *table = s->functions;
    struct ppi_function_ref ref;
    pp_function behind = ppi_function_behind(fn);
    int status = ppi_function_describe(behind, &ref);
    if (status != PP_OK) return status;
    if (!ref.executable && (status = ppi_modules_find(s, (uintptr_t)behind, &ref)) != PP_OK) return status;
    uint32_t number = find_described(table, &ref);
    if (number == UINT32_MAX && (status = add(s, &ref, &number)) != PP_OK) return status;
    table->bucket[at].fn = fn;
    table->bucket[at].number = number;
    table->bucket[at].may_go = table->refs[number]->travels > 0;
    table->bucket[at].unloads = unloads;
    return PP_OK;
}

int ppi_functions_number(struct pp_server *s, pp_function fn, uint32_t *number)
{
    struct ppi_function_table *table = s->functions;
    if (fn == table->last && fn) {
        *number = table->last_number;
        return PP_OK;
    }
    size_t at = ((uintptr_t)fn >> 4) * 0x9E3779B97F4A7C15u % BUCKETS;
    for (size_t tries = 1; table->bucket[at].fn && table->bucket[at].fn != fn; tries++) {
        if (tries == BUCKETS) return ppi_error(PP_ERR_LIMIT, "functions have been submitted from more than %d places", BUCKETS);
        at = (at + 1) % BUCKETS;
    }
    int is_new = !table->bucket[at].fn, may_go = table->bucket[at].may_go;
    uint64_t unloads = is_new || may_go ? ppi_module_unloads() : 0;
    if (is_new || (may_go && table->bucket[at].unloads != unloads)) {
        int status = describe(s, fn, unloads, at);
        if (status != PP_OK) return status;
    }
    *number = table->bucket[at].number;
    if (table->bucket[at].may_go) return PP_OK;
    table->last = fn;
    table->last_number = *number;
    return PP_OK;
}

const struct ppi_function_ref *ppi_functions_ref(const struct ppi_function_table *table, uint32_t number)
{
    return table->refs[number];
}
