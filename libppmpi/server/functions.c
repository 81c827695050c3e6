/* Functions get numbers: small ones travel in tasks, the description travels once. */
#include "server/server.h"

#include "base/status.h"

#include <stdlib.h>

#define BUCKETS (4 * PPI_FUNCTIONS_MAX)

struct ppi_function_table {
    struct {
        pp_function fn;
        uint32_t number;
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

int ppi_functions_number(struct ppi_function_table *table, pp_function fn, uint32_t *number, int *is_new)
{
    *is_new = 0;
    if (fn == table->last && fn) {
        *number = table->last_number;
        return PP_OK;
    }
    size_t at = ((uintptr_t)fn >> 4) * 0x9E3779B97F4A7C15u % BUCKETS;
    while (table->bucket[at].fn && table->bucket[at].fn != fn) at = (at + 1) % BUCKETS;
    if (!table->bucket[at].fn) {
        if (table->count == PPI_FUNCTIONS_MAX)
            return ppi_error(PP_ERR_LIMIT, "more than %d different functions have been submitted", PPI_FUNCTIONS_MAX);
        struct ppi_function_ref *ref = malloc(sizeof *ref);
        if (!ref) return ppi_error(PP_ERR_NOMEM, "no memory for the description of a function");
        int status = ppi_function_describe(fn, ref);
        if (status != PP_OK) {
            free(ref);
            return status;
        }
        table->refs[table->count] = ref;
        table->bucket[at].fn = fn;
        table->bucket[at].number = table->count++;
        *is_new = 1;
    }
    table->last = fn;
    *number = table->last_number = table->bucket[at].number;
    return PP_OK;
}

const struct ppi_function_ref *ppi_functions_ref(const struct ppi_function_table *table, uint32_t number)
{
    return table->refs[number];
}
