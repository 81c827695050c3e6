/* Messages for the tests of the decoder. Each test uses some of this. */
#ifndef TEST_UNIT_WIRE_SAMPLES_H
#define TEST_UNIT_WIRE_SAMPLES_H

#include "wire/wire.h"

#include "unit/random.h"

#include <check.h>
#include <ppmpi.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 8
#define RECORD_HEADER 8

union fixed {
#define X(name, type) struct type name;
    PPI_WIRE_RECORDS(X)
#undef X
    unsigned char bytes[2048];
};

__attribute__((unused)) static const size_t fixed_bytes[] = {
#define X(name, type) [PPI_WIRE_##name] = sizeof(struct type),
    PPI_WIRE_RECORDS(X)
#undef X
};

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

/* A record of each kind that says something true, with n bytes behind it. Random where anything goes. */
static inline union fixed sample(struct random *r, enum ppi_wire_kind kind, size_t n)
{
    union fixed f;
    memset(&f, 0, sizeof f);
    switch (kind) {
    case PPI_WIRE_HELLO:
        strcpy(f.HELLO.host, "node-1");
        f.HELLO.pid = (int64_t)random_next(r);
        f.HELLO.bell_nonce = random_next(r);
        f.HELLO.bell_fd = (int32_t)random_next(r);
        f.HELLO.shared_fd = (int32_t)random_next(r);
        f.HELLO.limit = 1 + (int32_t)random_below(r, 1000);
        f.HELLO.cores = f.HELLO.allowed_cores = f.HELLO.limit;
        for (int i = 0; i < 64; i++) f.HELLO.allowed[i] = random_next(r);
        break;
    case PPI_WIRE_WELCOME:
        f.WELCOME.workers = 1 + (int32_t)random_below(r, 1000);
        f.WELCOME.first_number = (int32_t)random_below(r, 1000);
        f.WELCOME.cores_per_worker = 1;
        f.WELCOME.extra_number = (int32_t)random_below(r, 1000);
        f.WELCOME.extra_gap = (int32_t)random_below(r, 100);
        f.WELCOME.spin_below = (int32_t)random_below(r, 100);
        f.WELCOME.bell_nonce = random_next(r);
        f.WELCOME.holder_pid = (int64_t)random_next(r);
        f.WELCOME.holder_fd = (int32_t)random_next(r);
        break;
    case PPI_WIRE_READY:
        f.READY.workers = (int32_t)random_below(r, 1000);
        f.READY.is_holder = (int32_t)random_below(r, 2);
        f.READY.reads_arguments = (int32_t)random_below(r, 2);
        break;
    case PPI_WIRE_RESIZE: f.RESIZE.workers = (int32_t)random_below(r, PPI_WIRE_WORKERS_MAX + 1); break;
    case PPI_WIRE_FUNCTION:
        f.FUNCTION.index = (uint32_t)random_next(r);
        f.FUNCTION.offset = random_next(r);
        f.FUNCTION.build_id_bytes = 1 + (int32_t)random_below(r, 32);
        for (int i = 0; i < 32; i++) f.FUNCTION.build_id[i] = (unsigned char)random_next(r);
        f.FUNCTION.module = (uint32_t)random_below(r, PPI_WIRE_MODULES_MAX + 1);
        f.FUNCTION.need_count = (uint32_t)random_below(r, PPI_WIRE_NEEDS_MAX + 1);
        for (int i = 0; i < PPI_WIRE_NEEDS_MAX; i++) f.FUNCTION.needs[i] = (uint16_t)random_below(r, PPI_WIRE_MODULES_MAX);
        break;
    case PPI_WIRE_MODULE:
        f.MODULE.number = (uint32_t)random_below(r, PPI_WIRE_MODULES_MAX);
        f.MODULE.build_id_bytes = 1 + (int32_t)random_below(r, 32);
        f.MODULE.linked = (int32_t)random_below(r, 2);
        f.MODULE.bytes = random_next(r) / 2;
        f.MODULE.alias_bytes = n > 1 ? (uint32_t)random_below(r, n < 128 ? n : 128) : 0;
        f.MODULE.path_bytes = (uint32_t)(n - f.MODULE.alias_bytes);
        break;
    case PPI_WIRE_WANT: f.WANT.number = (uint32_t)random_below(r, PPI_WIRE_MODULES_MAX); break;
    case PPI_WIRE_IMAGE:
        f.IMAGE.number = (uint32_t)random_below(r, PPI_WIRE_MODULES_MAX);
        f.IMAGE.bytes = n;
        break;
    case PPI_WIRE_INIT:
        f.INIT.function = (uint32_t)random_next(r);
        f.INIT.bytes = n;
        break;
    case PPI_WIRE_TASK:
        f.TASK.id = random_next(r);
        f.TASK.number = random_next(r);
        f.TASK.timeout_ns = random_next(r);
        f.TASK.function = (uint32_t)random_next(r);
        f.TASK.attempt = (uint16_t)random_next(r);
        f.TASK.avoid = (uint16_t)random_below(r, PPI_WIRE_WORKERS_MAX + 1);
        f.TASK.bytes = n;
        break;
    case PPI_WIRE_SHARE:
        f.SHARE.id = 1 + random_next(r) / 2;
        f.SHARE.bytes = n;
        break;
    case PPI_WIRE_UNSHARE:
        f.UNSHARE.id = 1 + random_next(r) / 2;
        f.UNSHARE.until = random_next(r);
        break;
    case PPI_WIRE_DROP: f.DROP.id = 1 + random_next(r) / 2; break;
    case PPI_WIRE_RESULT:
        f.RESULT.id = random_next(r);
        f.RESULT.duration_ns = random_next(r);
        f.RESULT.age_ns = random_next(r);
        f.RESULT.status = -(int32_t)random_below(r, 18);
        f.RESULT.code = (int32_t)random_next(r);
        f.RESULT.worker = (int32_t)random_next(r);
        f.RESULT.bytes = n;
        break;
    case PPI_WIRE_SEGMENT:
        f.SEGMENT.device = random_next(r);
        f.SEGMENT.inode = random_next(r);
        f.SEGMENT.id = (uint32_t)random_next(r);
        f.SEGMENT.fd = (int32_t)random_below(r, 1000);
        break;
    case PPI_WIRE_MAPPED:
        f.MAPPED.segment = (uint32_t)random_next(r);
        f.MAPPED.mapped = (int32_t)random_below(r, 2);
        break;
    case PPI_WIRE_GIVE_BACK: f.GIVE_BACK.loan = (uint32_t)random_next(r); break;
    case PPI_WIRE_GONE: f.GONE.segment = (uint32_t)random_next(r); break;
    case PPI_WIRE_OUTPUT: f.OUTPUT.stream = (int32_t)random_below(r, 2); break;
    default: break;
    }
    return f;
}

static inline size_t most_bytes(enum ppi_wire_kind kind)
{
    return kind == PPI_WIRE_FUNCTION || kind == PPI_WIRE_MODULE ? 1023 : kind == PPI_WIRE_OUTPUT ? PPI_WIRE_TEXT_MAX : PPI_WIRE_INLINE_MAX;
}

static inline size_t padded(size_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

static unsigned char data[PPI_WIRE_INLINE_MAX + 8];

static inline void fill_data(struct random *r)
{
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)random_next(r);
}

/* A copy in a block of its own. */
static inline char *exactly(const void *message, size_t bytes)
{
    char *copy = malloc(bytes ? bytes : 1);
    ck_assert_ptr_nonnull(copy);
    if (bytes) memcpy(copy, message, bytes);
    return copy;
}

/* Reads the whole message and touches every byte that a record promises. Returns the records, or the error. */
static inline int read_all(const void *message, size_t bytes)
{
    struct ppi_wire_reader reader;
    struct ppi_wire_record record;
    int status = ppi_wire_open(&reader, message, bytes), count = 0;
    if (status != PP_OK) return status;
    while ((status = ppi_wire_next(&reader, &record)) > 0) {
        const unsigned char *p = record.data;
        unsigned sum = 0;
        INSIST(record.kind > PPI_WIRE_NONE && record.kind < PPI_WIRE_KINDS);
        INSIST(record.bytes == 0 || ((const char *)p >= (const char *)message &&
                                     (const char *)p + record.bytes <= (const char *)message + bytes));
        for (size_t i = 0; i < record.bytes; i++) sum += p[i];
        INSIST(sum < UINT32_MAX);
        INSIST(ppi_wire_name(record.kind)[0] != 'u');
        if (record.kind == PPI_WIRE_HELLO) INSIST(strlen(record.as.HELLO.host) < sizeof record.as.HELLO.host);
        if (record.kind == PPI_WIRE_RESIZE)
            INSIST(record.as.RESIZE.workers >= 0 && record.as.RESIZE.workers <= PPI_WIRE_WORKERS_MAX);
        if (record.kind == PPI_WIRE_TASK) INSIST(record.as.TASK.avoid <= 0xfff);
        if (record.kind == PPI_WIRE_OUTPUT) INSIST(record.as.OUTPUT.stream == 0 || record.as.OUTPUT.stream == 1);
        if (record.flags & PPI_WIRE_IN_PLACE) {
            INSIST(record.kind == PPI_WIRE_TASK || record.kind == PPI_WIRE_RESULT);
            INSIST(record.bytes == sizeof(struct ppi_wire_place));
            INSIST((record.kind == PPI_WIRE_TASK ? record.as.TASK.bytes : record.as.RESULT.bytes) > PPI_WIRE_INLINE_MAX);
        } else if (record.kind == PPI_WIRE_TASK && !(record.flags & PPI_WIRE_STREAMED))
            INSIST(record.as.TASK.bytes == record.bytes);
        if (record.kind == PPI_WIRE_SHARE) {
            INSIST(record.as.SHARE.id != 0);
            if (record.as.SHARE.elsewhere)
                INSIST(record.bytes == 0);
            else if (!(record.flags & PPI_WIRE_STREAMED))
                INSIST(record.as.SHARE.bytes == record.bytes);
        }
        if (record.kind == PPI_WIRE_MODULE) {
            INSIST(record.as.MODULE.number < PPI_WIRE_MODULES_MAX && record.as.MODULE.build_id_bytes >= 1 && record.as.MODULE.build_id_bytes <= 32);
            INSIST(record.as.MODULE.path_bytes + record.as.MODULE.alias_bytes == record.bytes && record.as.MODULE.alias_bytes < 128);
        }
        if (record.kind == PPI_WIRE_WANT) INSIST(record.as.WANT.number < PPI_WIRE_MODULES_MAX);
        if (record.kind == PPI_WIRE_IMAGE) {
            INSIST(record.as.IMAGE.number < PPI_WIRE_MODULES_MAX);
            if (record.as.IMAGE.status == PP_OK && !(record.flags & PPI_WIRE_STREAMED)) INSIST(record.as.IMAGE.bytes == record.bytes);
        }
        if (record.kind == PPI_WIRE_RESULT) {
            INSIST(record.as.RESULT.status <= 0 && record.as.RESULT.status >= PP_ERR_INTERNAL);
            if (!(record.flags & (PPI_WIRE_STREAMED | PPI_WIRE_IN_PLACE))) INSIST(record.as.RESULT.bytes == record.bytes);
        }
        if (record.kind == PPI_WIRE_FUNCTION)
            INSIST(record.as.FUNCTION.build_id_bytes >= 1 && record.as.FUNCTION.build_id_bytes <= 32 && record.bytes < 1024 &&
                   record.as.FUNCTION.module <= PPI_WIRE_MODULES_MAX && record.as.FUNCTION.need_count <= PPI_WIRE_NEEDS_MAX);
        count++;
    }
    if (status == 0) INSIST(reader.at == bytes);
    return status < 0 ? status : count;
}

/* Of a block of exactly that size. */
static inline int read_exactly(const void *message, size_t bytes)
{
    char *copy = exactly(message, bytes);
    int status = read_all(copy, bytes);
    free(copy);
    return status;
}

static inline struct ppi_wire_writer message_of(struct random *r, enum ppi_wire_kind kind, size_t n)
{
    struct ppi_wire_writer w = {0};
    union fixed f = sample(r, kind, n);
    ck_assert_int_eq(ppi_wire_put(&w, kind, 0, &f, data, n), PP_OK);
    return w;
}

static inline struct ppi_wire_writer message_of_each(struct random *r, size_t most)
{
    struct ppi_wire_writer w = {0};
    for (int kind = 1; kind < PPI_WIRE_KINDS; kind++) {
        size_t n = random_below(r, most);
        if (n > most_bytes((enum ppi_wire_kind)kind)) n = most_bytes((enum ppi_wire_kind)kind);
        union fixed f = sample(r, (enum ppi_wire_kind)kind, n);
        ck_assert_int_eq(ppi_wire_put(&w, (enum ppi_wire_kind)kind, 0, &f, data, n), PP_OK);
    }
    return w;
}

#endif
