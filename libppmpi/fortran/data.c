#include "fortran/data.h"

#include <stdarg.h>
#include <string.h>

int ppf_error(int status, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return pp_binding_error(status, text);
}

int ppf_data_look(const CFI_cdesc_t *descriptor, struct ppf_data *out)
{
    const CFI_cdesc_t *d = descriptor;
    if (!d || !d->base_addr) return 0;
    struct ppf_data data = {d, d->base_addr, d->elem_len, 1, 0, 1};
    CFI_index_t expected = (CFI_index_t)d->elem_len;
    for (int i = 0; i < d->rank; i++) {
        if (d->dim[i].extent < 0) return PP_ERR_ARG;
        if (d->dim[i].extent > 1 && d->dim[i].sm != expected) data.contiguous = 0;
        expected *= d->dim[i].extent;
        data.elements *= (size_t)d->dim[i].extent;
    }
    data.bytes = data.elements * data.element_bytes;
    if (data.bytes == 0) data.contiguous = 1;
    *out = data;
    if (d->rank == 0) ppf_data_split(out);
    return 1;
}

void ppf_data_split(struct ppf_data *scalar)
{
    CFI_type_t type = scalar->descriptor->type;
    if (type != CFI_type_char && type != CFI_type_ucs4_char) return;
    scalar->element_bytes = type == CFI_type_char ? 1 : 4;
    scalar->elements = scalar->bytes / scalar->element_bytes;
}

/* One row of n runs: `array` goes on by `stride` bytes, `flat` by the length of a run. */
static inline void copy_row(unsigned char *array, CFI_index_t stride, unsigned char *flat, size_t run, CFI_index_t n,
                            int pack)
{
    for (CFI_index_t i = 0; i < n; i++) {
        if (pack)
            memcpy(flat, array, run);
        else
            memcpy(array, flat, run);
        array += stride;
        flat += run;
    }
}

static void copy(const struct ppf_data *data, unsigned char *flat, int pack)
{
    const CFI_cdesc_t *d = data->descriptor;
    if (data->bytes == 0) return;
    /* The leading dimensions that are consecutive in memory are copied as one run; most often that is one element. */
    size_t run = d->elem_len;
    int k = 0;
    while (k < d->rank && (d->dim[k].extent == 1 || d->dim[k].sm == (CFI_index_t)run))
        run *= (size_t)d->dim[k++].extent;
    if (k == d->rank) {
        copy_row(data->base, 0, flat, run, 1, pack);
        return;
    }
    CFI_index_t at[CFI_MAX_RANK] = {0}, n = d->dim[k].extent, stride = d->dim[k].sm;
    unsigned char *array = data->base;
    for (;;) {
        switch (run) { /* sizes that the compiler knows are one move each */
        case 4: copy_row(array, stride, flat, 4, n, pack); break;
        case 8: copy_row(array, stride, flat, 8, n, pack); break;
        case 16: copy_row(array, stride, flat, 16, n, pack); break;
        default: copy_row(array, stride, flat, run, n, pack); break;
        }
        flat += run * (size_t)n;
        int i = k + 1;
        for (; i < d->rank; i++) {
            array += d->dim[i].sm;
            if (++at[i] < d->dim[i].extent) break;
            array -= at[i] * d->dim[i].sm;
            at[i] = 0;
        }
        if (i >= d->rank) return;
    }
}

void ppf_data_pack(const struct ppf_data *data, void *to)
{
    copy(data, to, 1);
}

void ppf_data_unpack(const struct ppf_data *data, const void *from)
{
    copy(data, (unsigned char *)(uintptr_t)from, 0);
}

int ppf_data_look_all(const CFI_cdesc_t *const *descriptors, struct ppf_data *out, const char *call)
{
    int n = 0;
    for (int i = 0; i < PPF_ARGS_MAX; i++) {
        int there = ppf_data_look(descriptors[i], &out[i]);
        if (there < 0)
            return ppf_error(PP_ERR_ARG, "%s: argument %d is an assumed-size array; pass a section, with its size",
                             call, i + 1);
        if (!there) continue;
        if (n != i)
            return ppf_error(PP_ERR_ARG, "%s: argument %d is missing, or not allocated, but argument %d is there", call,
                             n + 1, i + 1);
        n = i + 1;
    }
    return n;
}

/* ---- Argument lists */

static size_t align_up(size_t bytes)
{
    return (bytes + PPF_LIST_ALIGN - 1) / PPF_LIST_ALIGN * PPF_LIST_ALIGN;
}

static size_t head_bytes(int n)
{
    return offsetof(struct ppf_list, item) + (size_t)n * sizeof(struct ppf_list_item);
}

size_t ppf_list_bytes(const struct ppf_data *args, int n)
{
    size_t bytes = head_bytes(n);
    for (int i = 0; i < n; i++)
        bytes = align_up(bytes) + args[i].bytes;
    return bytes;
}

void ppf_list_write(const struct ppf_data *args, int n, void *to)
{
    struct ppf_list list = {.magic = PPF_LIST_MAGIC, .count = (uint32_t)n};
    for (int i = 0; i < n; i++)
        list.item[i] = (struct ppf_list_item){args[i].elements, args[i].element_bytes};
    unsigned char *out = to;
    memcpy(out, &list, head_bytes(n));
    size_t end = head_bytes(n);
    for (int i = 0; i < n; i++) {
        size_t start = align_up(end);
        memset(out + end, 0, start - end);
        ppf_data_pack(&args[i], out + start);
        end = start + args[i].bytes;
    }
}

int ppf_list_read(const void *from, size_t bytes, struct ppf_list *list, size_t offset[PPF_ARGS_MAX])
{
    if (bytes < head_bytes(2)) return 0;
    memcpy(list, from, offsetof(struct ppf_list, item));
    int n = (int)list->count;
    if (list->magic != PPF_LIST_MAGIC || n < 2 || n > PPF_ARGS_MAX || bytes < head_bytes(n)) return 0;
    memcpy(list, from, head_bytes(n));
    size_t end = head_bytes(n);
    for (int i = 0; i < n; i++) {
        const struct ppf_list_item *item = &list->item[i];
        offset[i] = align_up(end);
        if (offset[i] > bytes) return 0;
        if (item->element_bytes && item->elements > (bytes - offset[i]) / item->element_bytes) return 0;
        end = offset[i] + item->elements * item->element_bytes;
    }
    return end == bytes;
}
