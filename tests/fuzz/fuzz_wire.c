/* The decoder of messages: whatever comes in, nothing is read outside of it, and what it accepts can be written again
 * and then means the same. */
#include "fuzz/seeds.h"
#include "wire/wire.h"

#include <ppmpi.h>
#include <stdlib.h>

#define INSIST(condition) ((condition) ? (void)0 : abort())

static const size_t fixed_bytes[] = {
#define X(name, type) [PPI_WIRE_##name] = sizeof(struct type),
    PPI_WIRE_RECORDS(X)
#undef X
};

/* What the decoder has promised of a record. */
static void check(const struct ppi_wire_record *r, const char *message, size_t bytes)
{
    const unsigned char *p = r->data;
    unsigned sum = 0;
    INSIST(r->kind > PPI_WIRE_NONE && r->kind < PPI_WIRE_KINDS);
    INSIST((const char *)p >= message && (const char *)p + r->bytes <= message + bytes);
    for (size_t i = 0; i < r->bytes; i++) sum += p[i]; /* AddressSanitizer looks on */
    INSIST(sum < UINT32_MAX);
    int in_place = (r->flags & PPI_WIRE_IN_PLACE) != 0, elsewhere = in_place || r->flags & PPI_WIRE_STREAMED;
    INSIST(!in_place || ((r->kind == PPI_WIRE_TASK || r->kind == PPI_WIRE_RESULT) && r->bytes == sizeof(struct ppi_wire_place)));
    switch (r->kind) {
    case PPI_WIRE_HELLO:
        INSIST(strlen(r->as.HELLO.host) < sizeof r->as.HELLO.host);
        INSIST(r->as.HELLO.limit >= 1 && r->as.HELLO.limit <= 4096);
        break;
    case PPI_WIRE_FUNCTION: INSIST(r->bytes < 1024 && r->as.FUNCTION.build_id_bytes <= 32); break;
    case PPI_WIRE_RESIZE: INSIST(r->as.RESIZE.workers >= 0 && r->as.RESIZE.workers <= PPI_WIRE_WORKERS_MAX); break;
    case PPI_WIRE_TASK:
        INSIST(elsewhere ? r->as.TASK.bytes > PPI_WIRE_INLINE_MAX : r->as.TASK.bytes == r->bytes);
        INSIST(r->as.TASK.avoid <= PPI_WIRE_WORKERS_MAX || r->as.TASK.avoid == PPI_WIRE_FAILED_ELSEWHERE);
        break;
    case PPI_WIRE_RESULT:
        INSIST(elsewhere ? r->as.RESULT.bytes > PPI_WIRE_INLINE_MAX : r->as.RESULT.bytes == r->bytes);
        INSIST(r->as.RESULT.status <= 0 && r->as.RESULT.status >= PP_ERR_INTERNAL);
        break;
    case PPI_WIRE_OUTPUT: INSIST(r->as.OUTPUT.stream == 0 || r->as.OUTPUT.stream == 1); break;
    default: break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct ppi_wire_reader reader, again;
    struct ppi_wire_record r, r2;
    struct ppi_wire_writer writer = {0};
    const char *message = (const char *)data;
    if (ppi_wire_open(&reader, data, bytes) != PP_OK) return 0;
    int status, count = 0;
    while ((status = ppi_wire_next(&reader, &r)) > 0) {
        check(&r, message, bytes);
        INSIST(ppi_wire_put(&writer, r.kind, r.flags, &r.as, r.data, r.bytes) == PP_OK);
        count++;
    }
    INSIST(status == 0 || status == PP_ERR_MPI);
    if (count) {
        INSIST(ppi_wire_open(&reader, data, bytes) == PP_OK);
        INSIST(ppi_wire_open(&again, writer.message, writer.bytes) == PP_OK);
        while (count-- > 0) {
            INSIST(ppi_wire_next(&reader, &r) == 1 && ppi_wire_next(&again, &r2) == 1);
            INSIST(r.kind == r2.kind && r.flags == r2.flags && r.bytes == r2.bytes);
            INSIST(memcmp(&r.as, &r2.as, fixed_bytes[r.kind]) == 0);
            INSIST(r.bytes == 0 || memcmp(r.data, r2.data, r.bytes) == 0);
        }
        INSIST(ppi_wire_next(&again, &r2) == 0);
    }
    free(writer.message);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = seeds_folder(*argc, *argv);
    if (!folder) return 0;
    union {
#define X(name, type) struct type name;
        PPI_WIRE_RECORDS(X)
#undef X
    } f;
    struct ppi_wire_writer all = {0};
    for (int kind = 1; kind < PPI_WIRE_KINDS; kind++) {
        struct ppi_wire_writer one = {0};
        size_t bytes = kind == PPI_WIRE_OUTPUT || kind == PPI_WIRE_TASK || kind == PPI_WIRE_RESULT ? 5 : 0;
        memset(&f, 0, sizeof f);
        if (kind == PPI_WIRE_HELLO) f.HELLO.limit = 2;
        if (kind == PPI_WIRE_WELCOME) f.WELCOME.workers = f.WELCOME.cores_per_worker = 1;
        if (kind == PPI_WIRE_FUNCTION) f.FUNCTION.build_id_bytes = 20;
        if (kind == PPI_WIRE_TASK) f.TASK.bytes = bytes;
        if (kind == PPI_WIRE_RESULT) f.RESULT.bytes = bytes;
        if (ppi_wire_put(&one, (enum ppi_wire_kind)kind, 0, &f, "text\n", bytes) == PP_OK)
            seeds_write(folder, ppi_wire_name((enum ppi_wire_kind)kind), one.message, one.bytes);
        ppi_wire_put(&all, (enum ppi_wire_kind)kind, 0, &f, "text\n", bytes);
        free(one.message);
    }
    seeds_write(folder, "all", all.message, all.bytes);
    free(all.message);
    return 0;
}
