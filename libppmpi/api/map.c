/* pp_map: a task for each item, a window of them at a time. */
#include "api/check.h"

#include "base/status.h"
#include "server/wait.h"

#include <ppmpi_binding.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW ((size_t)65536) /* tasks that wait or run: enough for every farm, and bounded memory */

/* Takes one result in; its status. The first failure's text is kept. */
static int take(pp_server *s, pp_future f, size_t item, char *to, size_t bytes, char text[512])
{
    struct ppi_task *t;
    uint32_t index;
    ppi_lock_take(&s->lock);
    int status = ppi_wait_one(s, f, UINT64_MAX, "pp_map", &t, &index);
    if (status == PP_OK) {
        const struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
        const char *message = extra && extra->message ? extra->message : "";
        uint64_t there = ppi_server_result_bytes(t);
        status = t->status;
        if (status != PP_OK)
            snprintf(text, 512, "item %zu: %s", item, *message ? message : pp_strerror(status));
        else if (there != bytes)
            snprintf(text, 512, "item %zu: the result has %llu bytes, not %zu", item, (unsigned long long)there, bytes);
        if (status == PP_OK && there != bytes) status = PP_ERR_SIZE;
        if (status == PP_OK && bytes) memcpy(to, ppi_server_result_data(s, t), bytes);
        ppi_server_dispose(s, t, index);
    } else {
        snprintf(text, 512, "item %zu: %s", item, pp_last_error());
    }
    ppi_lock_give(&s->lock);
    return status;
}

int pp_map(pp_server *server, pp_function fn, const void *items, size_t item_bytes, size_t n, void *results,
           size_t result_bytes)
{
    return pp_binding_map(server, fn, items, item_bytes, 0, n, results, result_bytes);
}

int pp_binding_map(pp_server *server, pp_function fn, const void *items, size_t item_bytes, uint32_t tag, size_t n,
                   void *results, size_t result_bytes)
{
    int status = ppi_check_server(server, "pp_map");
    if (status != PP_OK) return status;
    if (!fn) return ppi_error(PP_ERR_ARG, "pp_map: the function is NULL");
    if (!items && n && item_bytes) return ppi_error(PP_ERR_ARG, "pp_map: items is NULL, but there are %zu of %zu bytes", n, item_bytes);
    if (!results && n && result_bytes)
        return ppi_error(PP_ERR_ARG, "pp_map: results is NULL, but each has %zu bytes", result_bytes);
    if (tag > PP_BINDING_TAG_MAX) return ppi_error(PP_ERR_ARG, "pp_binding_map: tag is %u; at most %u", tag, PP_BINDING_TAG_MAX);
    if (n == 0) return PP_OK;
    size_t window = n < WINDOW ? n : WINDOW, begun = 0;
    pp_future *futures = malloc(window * sizeof *futures);
    if (!futures) return ppi_error(PP_ERR_NOMEM, "pp_map: no memory for %zu futures", window);
    char text[512], first_text[512] = "";
    int first = PP_OK, refused = PP_OK;
    for (size_t taken = 0; taken < n; taken++) {
        /* Submission goes half a window ahead at a time, so that it has company. */
        if (begun == taken || begun - taken < window / 2)
            for (; refused == PP_OK && begun < n && begun - taken < window; begun++) {
                refused = ppi_server_submit(server, fn, (const char *)items + begun * item_bytes, item_bytes, tag, NULL,
                                            1, &futures[begun % window]);
                if (refused != PP_OK) {
                    snprintf(text, sizeof text, "item %zu: %s", begun, pp_last_error());
                    break;
                }
            }
        if (taken == begun) {
            /* Nothing more can be submitted: the rest has no result. */
            status = refused;
            if (first == PP_OK) first = status, memcpy(first_text, text, sizeof text);
            break;
        }
        char unused[512];
        status = take(server, futures[taken % window], taken, result_bytes ? (char *)results + taken * result_bytes : NULL,
                      result_bytes, first == PP_OK ? first_text : unused);
        if (status != PP_OK && first == PP_OK) first = status;
    }
    free(futures);
    return first == PP_OK ? PP_OK : ppi_error(first, "pp_map: %s", first_text);
}
