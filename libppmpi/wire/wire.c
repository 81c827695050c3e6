#include "wire/wire.h"

#include "base/status.h"

#include <stdlib.h>
#include <string.h>

struct header {
    uint32_t magic, order; /* order: 0x01020304 as the sender stores it */
};

struct record_header {
    uint16_t kind, flags;
    uint32_t bytes; /* of what follows the fixed struct, before padding */
};

#define ORDER 0x01020304u
#define UNITS_MAX (int)(8 * sizeof ((struct ppi_wire_hello *)0)->allowed)

static const struct {
    const char *name;
    size_t fixed;
} kinds[PPI_WIRE_KINDS] = {
#define X(name, type) [PPI_WIRE_##name] = {#name, sizeof(struct type)},
    PPI_WIRE_RECORDS(X)
#undef X
};

#define X(name, type) _Static_assert(sizeof(struct type) % 8 == 0, "records keep each other aligned");
PPI_WIRE_RECORDS(X)
#undef X

const char *ppi_wire_name(enum ppi_wire_kind kind)
{
    return kind > PPI_WIRE_NONE && kind < PPI_WIRE_KINDS ? kinds[kind].name : "unknown";
}

static size_t pad8(size_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

int ppi_wire_put(struct ppi_wire_writer *writer, enum ppi_wire_kind kind, unsigned flags, const void *fixed,
                 const void *data, size_t bytes)
{
    size_t whole = sizeof(struct record_header) + kinds[kind].fixed + pad8(bytes);
    size_t begin = writer->bytes ? writer->bytes : sizeof(struct header);
    if (begin + whole > writer->room) {
        size_t room = writer->room ? writer->room : 4096;
        while (room < begin + whole) room *= 2;
        char *grown = realloc(writer->message, room);
        if (!grown) return ppi_error(PP_ERR_NOMEM, "no memory for a message of %zu bytes", room);
        writer->message = grown;
        writer->room = room;
    }
    if (writer->bytes == 0) memcpy(writer->message, &(struct header){PPI_WIRE_MAGIC, ORDER}, sizeof(struct header));
    char *to = writer->message + begin;
    struct record_header h = {(uint16_t)kind, (uint16_t)flags, (uint32_t)bytes};
    memcpy(to, &h, sizeof h);
    to += sizeof h;
    memcpy(to, fixed, kinds[kind].fixed);
    to += kinds[kind].fixed;
    if (bytes) memcpy(to, data, bytes);
    memset(to + bytes, 0, pad8(bytes) - bytes);
    writer->bytes = begin + whole;
    return PP_OK;
}

int ppi_wire_open(struct ppi_wire_reader *reader, const void *message, size_t bytes)
{
    struct header h;
    if (bytes < sizeof h) return ppi_error(PP_ERR_MPI, "a message of %zu bytes is too short to be one", bytes);
    memcpy(&h, message, sizeof h);
    if (h.magic != PPI_WIRE_MAGIC || h.order != ORDER)
        return ppi_error(PP_ERR_MPI, "a message begins with 0x%08x 0x%08x: sent by another version of libppmpi or another kind of machine",
                         h.magic, h.order);
    *reader = (struct ppi_wire_reader){message, bytes, sizeof h};
    return PP_OK;
}

static int text_ends(const char *text, size_t room)
{
    return memchr(text, '\0', room) != NULL;
}

static int status_is_known(int status)
{
    return status <= PP_OK && status >= PP_ERR_INTERNAL;
}

static int can_be_streamed(enum ppi_wire_kind kind)
{
    return kind == PPI_WIRE_TASK || kind == PPI_WIRE_RESULT || kind == PPI_WIRE_SHARE || kind == PPI_WIRE_IMAGE;
}

static int function_is_sane(const struct ppi_wire_function *f, const struct ppi_wire_record *r)
{
    if (f->build_id_bytes < 1 || f->build_id_bytes > (int)sizeof f->build_id || r->bytes >= 1024) return 0;
    if (f->module > PPI_WIRE_MODULES_MAX || f->need_count > PPI_WIRE_NEEDS_MAX) return 0;
    for (uint32_t i = 0; i < f->need_count; i++)
        if (f->needs[i] >= PPI_WIRE_MODULES_MAX) return 0;
    return 1;
}

static int module_is_sane(const struct ppi_wire_module *m, const struct ppi_wire_record *r)
{
    if (m->number >= PPI_WIRE_MODULES_MAX || m->linked < 0 || m->linked > 1) return 0;
    if (m->build_id_bytes < 1 || m->build_id_bytes > (int)sizeof m->build_id || m->bytes > INT64_MAX) return 0;
    return m->path_bytes < 1024 && m->alias_bytes < 128 && m->path_bytes + m->alias_bytes == r->bytes;
}

/* What the fixed part says must agree with itself and with the bytes behind it. */
static int sane(const struct ppi_wire_record *r)
{
    int streamed = (r->flags & PPI_WIRE_STREAMED) != 0;
    if (streamed && (r->bytes != 0 || !can_be_streamed(r->kind))) return 0;
    int elsewhere = streamed;
    if (r->flags & PPI_WIRE_IN_PLACE) {
        if (streamed || r->bytes != sizeof(struct ppi_wire_place) || (r->kind != PPI_WIRE_TASK && r->kind != PPI_WIRE_RESULT))
            return 0;
        elsewhere = 1;
    }
    switch (r->kind) {
    case PPI_WIRE_HELLO:
        return text_ends(r->as.HELLO.host, sizeof r->as.HELLO.host) && r->as.HELLO.limit >= 1 &&
               r->as.HELLO.limit <= UNITS_MAX && r->as.HELLO.cores >= 0 && r->as.HELLO.allowed_cores >= 0 &&
               r->as.HELLO.quota >= 0 && (r->as.HELLO.is_worker == 0 || r->as.HELLO.is_worker == 1);
    case PPI_WIRE_WELCOME:
        return r->as.WELCOME.workers >= 1 && r->as.WELCOME.first_number >= 0 && r->as.WELCOME.cores_per_worker >= 1 &&
               r->as.WELCOME.extra_number >= 0 && r->as.WELCOME.extra_gap >= 0 && r->as.WELCOME.spin_below >= 0 && r->as.WELCOME.hold_us >= 0;
    case PPI_WIRE_READY: return status_is_known(r->as.READY.status) && r->as.READY.workers >= 0 &&
                                 (r->as.READY.is_holder == 0 || r->as.READY.is_holder == 1) &&
                                 (r->as.READY.reads_arguments == 0 || r->as.READY.reads_arguments == 1);
    case PPI_WIRE_FUNCTION: return function_is_sane(&r->as.FUNCTION, r);
    case PPI_WIRE_MODULE: return module_is_sane(&r->as.MODULE, r);
    case PPI_WIRE_WANT: return r->as.WANT.number < PPI_WIRE_MODULES_MAX;
    case PPI_WIRE_IMAGE:
        if (r->as.IMAGE.number >= PPI_WIRE_MODULES_MAX || !status_is_known(r->as.IMAGE.status)) return 0;
        if (r->as.IMAGE.status != PP_OK) return !streamed;
        return streamed ? r->as.IMAGE.bytes > PPI_WIRE_INLINE_MAX && r->as.IMAGE.bytes <= INT64_MAX : r->as.IMAGE.bytes == r->bytes;
    case PPI_WIRE_INIT: return r->as.INIT.bytes == r->bytes;
    case PPI_WIRE_TASK:
        return (elsewhere ? r->as.TASK.bytes > PPI_WIRE_INLINE_MAX : r->as.TASK.bytes == r->bytes) &&
               (r->as.TASK.avoid <= PPI_WIRE_WORKERS_MAX || r->as.TASK.avoid == PPI_WIRE_FAILED_ELSEWHERE);
    case PPI_WIRE_SHARE:
        if (r->as.SHARE.id == 0 || r->as.SHARE.elsewhere > 1) return 0;
        if (r->as.SHARE.elsewhere) return !streamed && r->bytes == 0;
        return streamed ? r->as.SHARE.bytes > PPI_WIRE_INLINE_MAX : r->as.SHARE.bytes == r->bytes;
    case PPI_WIRE_UNSHARE: return r->as.UNSHARE.id != 0;
    case PPI_WIRE_DROP: return r->as.DROP.id != 0;
    case PPI_WIRE_RESULT:
        return (elsewhere ? r->as.RESULT.bytes > PPI_WIRE_INLINE_MAX : r->as.RESULT.bytes == r->bytes) && status_is_known(r->as.RESULT.status);
    case PPI_WIRE_RESIZE: return r->as.RESIZE.workers >= 0 && r->as.RESIZE.workers <= PPI_WIRE_WORKERS_MAX;
    case PPI_WIRE_SEGMENT: return r->as.SEGMENT.fd >= 0;
    case PPI_WIRE_MAPPED: return r->as.MAPPED.mapped == 0 || r->as.MAPPED.mapped == 1;
    case PPI_WIRE_STARTED: return r->as.STARTED.worker >= 0;
    case PPI_WIRE_OUTPUT: return r->as.OUTPUT.stream == 0 || r->as.OUTPUT.stream == 1;
    case PPI_WIRE_BEAT:
    case PPI_WIRE_CANCEL:
    case PPI_WIRE_GIVE_BACK:
    case PPI_WIRE_GONE:
    case PPI_WIRE_RECALL:
    case PPI_WIRE_RETURNED:
    case PPI_WIRE_STOP:
    case PPI_WIRE_BYE: return 1;
    default: return 0;
    }
}

int ppi_wire_next(struct ppi_wire_reader *reader, struct ppi_wire_record *out)
{
    size_t left = reader->bytes - reader->at;
    if (left == 0) return 0;
    struct record_header h;
    if (left < sizeof h) goto wrong;
    memcpy(&h, reader->message + reader->at, sizeof h);
    if (h.kind <= PPI_WIRE_NONE || h.kind >= PPI_WIRE_KINDS) goto wrong;
    size_t fixed = kinds[h.kind].fixed;
    left -= sizeof h;
    if (left < fixed || left - fixed < pad8(h.bytes)) goto wrong;
    const char *from = reader->message + reader->at + sizeof h;
    struct ppi_wire_record r = {.kind = (enum ppi_wire_kind)h.kind, .flags = h.flags};
    memcpy(&r.as, from, fixed);
    r.data = from + fixed;
    r.bytes = h.bytes;
    if (!sane(&r)) goto wrong;
    *out = r;
    reader->at += sizeof h + fixed + pad8(h.bytes);
    return 1;
wrong:
    return ppi_error(PP_ERR_MPI, "a message is damaged at byte %zu of %zu", reader->at, reader->bytes);
}
