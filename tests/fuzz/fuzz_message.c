/* A server to which a rank speaks nonsense: a real one, over the in-process transport, with the fuzzer as rank 1. Each
 * input is a message, as bytes or as a list of records about tasks that rank 1 really has. Whatever is said, every
 * task reaches one outcome when rank 1 then answers properly. */
#include "fuzz/seeds.h"
#include "thread/farm.h"

#include "base/log.h"

#define TASKS 6 /* some go to rank 1, some to our own workers */
#define STREAM_MOST ((uint64_t)1 << 20)
#define KINDS 10 /* of records in a list */

static pp_server *s;
static struct ppi_transport *peer;
static struct ppi_topology topology;
static struct ppi_workspace workspace;
static char zeros[STREAM_MOST];

static void nothing(pp_task *task)
{
    (void)task;
}

static void say(struct ppi_wire_writer *w)
{
    REQUIRE(peer->ops->send(peer, 0, w->message, w->bytes) == PP_OK);
    memset(w, 0, sizeof *w);
}

static void open_server(void)
{
    struct ppi_transport *ends[2];
    struct ppi_wire_writer w = {0};
    struct ppi_wire_hello hello = {.host = "elsewhere", .pid = 1, .bell_fd = -1, .cores = 2, .limit = 2, .allowed_cores = 2};
    struct ppi_wire_ready ready = {.status = PP_OK, .workers = 2, .is_holder = 1};
    pp_options o = PP_OPTIONS_INIT;
    o.workers = 2;
    ppi_log_init(-1);
    REQUIRE(ppi_topology_load(&topology) == PP_OK);
    REQUIRE(ppi_transport_loopback(ends, 2) == PP_OK);
    REQUIRE(ppi_workspace_create(&workspace, FARM_ARENA_BYTES) == PP_OK);
    struct ppi_server_setup setup = {.topology = topology, .workspace = workspace, .transport = ends[0]};
    REQUIRE(ppi_pool_open(&setup.pool, PPI_POOL_THREADS, &workspace) == PP_OK);
    REQUIRE(ppi_options_resolve(&o, &setup.options) == PP_OK);
    peer = ends[1];
    REQUIRE(ppi_wire_put(&w, PPI_WIRE_HELLO, 0, &hello, NULL, 0) == PP_OK);
    REQUIRE(ppi_wire_put(&w, PPI_WIRE_READY, 0, &ready, NULL, 0) == PP_OK);
    say(&w);
    REQUIRE(ppi_server_create(&s, &setup) == PP_OK);
    ppi_server_adopt(s);
}

/* A list of records: 12 bytes each. */
static void build(struct ppi_wire_writer *w, const pp_future *f, const uint8_t *data, size_t bytes)
{
    for (; bytes >= 12; data += 12, bytes -= 12) {
        uint64_t id = f[data[1] % TASKS].id;
        uint16_t attempt = (uint16_t)(data[2] % 4);
        size_t n = data[3];
        if (data[4] & 1) id ^= (uint64_t)1 << (data[5] % 64);
        switch (data[0] % KINDS) {
        case 0:
        case 1:
        case 2: {
            struct ppi_wire_result r = {.id = id, .bytes = n, .status = -(int)(data[6] % 18), .attempt = attempt,
                                        .duration_ns = (uint64_t)data[7] << (data[8] % 64), .age_ns = (uint64_t)data[9] << (data[10] % 64),
                                        .worker = data[11] - 3, .code = data[5]};
            int streamed = data[0] % KINDS == 2;
            if (streamed) r.bytes = PPI_WIRE_INLINE_MAX + 1 + ((uint64_t)n << 10);
            ppi_wire_put(w, PPI_WIRE_RESULT, streamed ? PPI_WIRE_STREAMED : 0, &r, zeros, streamed ? 0 : n);
            break;
        }
        case 3: {
            struct ppi_wire_started r = {.id = id, .age_ns = (uint64_t)data[6] << (data[7] % 64), .worker = data[8],
                                         .attempt = attempt};
            ppi_wire_put(w, PPI_WIRE_STARTED, 0, &r, NULL, 0);
            break;
        }
        case 4: {
            struct ppi_wire_output r = {data[6] % 2, 0};
            ppi_wire_put(w, PPI_WIRE_OUTPUT, 0, &r, zeros, n);
            break;
        }
        case 5: { /* as if it had been asked to be more or fewer */
            s->ranks[1].resizing = data[8] % 3;
            struct ppi_wire_ready r = {.status = -(int)(data[6] % 18), .workers = data[7], .is_holder = data[8] % 3};
            ppi_wire_put(w, PPI_WIRE_READY, 0, &r, zeros, n);
            break;
        }
        case 6: {
            struct ppi_wire_hello r = {.limit = 1 + data[6], .bell_fd = data[7], .pid = data[8]};
            ppi_wire_put(w, PPI_WIRE_HELLO, 0, &r, NULL, 0);
            break;
        }
        case 7: { /* of a segment that it has told of, or not: none of them can be mapped */
            struct ppi_wire_result r = {.id = id, .bytes = PPI_WIRE_INLINE_MAX + 1 + ((uint64_t)n << data[6] % 40), .attempt = attempt};
            struct ppi_wire_place place = {.offset = (uint64_t)data[7] << (data[8] % 64), .segment = data[9], .loan = data[10]};
            ppi_wire_put(w, PPI_WIRE_RESULT, PPI_WIRE_IN_PLACE, &r, &place, sizeof place);
            break;
        }
        case 8: {
            struct ppi_wire_segment r = {.device = data[6], .inode = data[7], .id = data[9], .fd = data[8]};
            struct ppi_wire_gone gone = {data[9], 0};
            if (data[10] % 2)
                ppi_wire_put(w, PPI_WIRE_SEGMENT, 0, &r, NULL, 0);
            else
                ppi_wire_put(w, PPI_WIRE_GONE, 0, &gone, NULL, 0);
            break;
        }
        default: {
            struct ppi_wire_want want = {.number = (uint32_t)(data[6] | data[7] << 8)};
            struct ppi_wire_bye r = {0, 0};
            if (data[6] & 1) ppi_wire_put(w, PPI_WIRE_WANT, 0, &want, NULL, 0);
            ppi_wire_put(w, PPI_WIRE_BYE, 0, &r, NULL, 0);
        }
        }
    }
}

static void count_sent(void *ctx)
{
    --*(int *)ctx;
}

/* Offers the streams that the message announces. 0 when one is too large for a test. */
static int offer_streams(const char *message, size_t bytes, int *open)
{
    struct ppi_wire_reader reader;
    struct ppi_wire_record r;
    for (int pass = 0; pass < 2; pass++) {
        if (ppi_wire_open(&reader, message, bytes) != PP_OK) return 1;
        while (ppi_wire_next(&reader, &r) > 0) {
            if (r.kind != PPI_WIRE_RESULT || !(r.flags & PPI_WIRE_STREAMED)) continue;
            if (pass == 0 && r.as.RESULT.bytes > STREAM_MOST) return 0;
            if (pass == 0) continue;
            ++*open;
            REQUIRE(peer->ops->stream(peer, 0, 1, zeros, r.as.RESULT.bytes, count_sent, open) == PP_OK);
        }
    }
    return 1;
}

static void look(void)
{
    ppi_lock_take(&s->lock);
    ppi_server_look(s, PPI_STEP_MPI);
    ppi_lock_give(&s->lock);
    peer->ops->progress(peer);
    int from;
    char *message;
    size_t bytes;
    while (peer->ops->receive(peer, &from, &message, &bytes)) free(message);
}

/* What rank 1 should have said. */
static void answer(pp_future f)
{
    uint32_t index;
    struct ppi_wire_writer w = {0};
    ppi_lock_take(&s->lock);
    const struct ppi_task *t = ppi_store_find(&s->store, f.id, &index);
    REQUIRE(t);
    if (t->state == PPI_TASK_ASSIGNED || t->state == PPI_TASK_RUNNING || t->state == PPI_TASK_CANCELLING) {
        struct ppi_wire_result r = {.id = f.id, .attempt = t->attempts};
        REQUIRE(ppi_wire_put(&w, PPI_WIRE_RESULT, 0, &r, NULL, 0) == PP_OK);
        ppi_ranks_message(s, 1, w.message, w.bytes);
        free(w.message);
    }
    ppi_lock_give(&s->lock);
}

/* A rank that says that it can have no workers any more gets no tasks: for the next input it has some again. */
static void restore(void)
{
    ppi_lock_take(&s->lock);
    s->ranks[1].workers = 2;
    s->ranks[1].barren = s->ranks[1].resizing = 0;
    ppi_scheduler_set_workers(&s->scheduler, 1, 2);
    ppi_lock_give(&s->lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    pp_future f[TASKS];
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    struct ppi_wire_writer w = {0};
    int open = 0;
    if (!s) open_server();
    if (bytes == 0) return 0;
    for (int i = 0; i < TASKS; i++) {
        o.retries = i % 2;
        o.priority = i % 3;
        REQUIRE((f[i] = pp_submit_with(s, nothing, zeros, i == 2 ? 200 : (size_t)i, &o)).id);
    }
    if (data[0] & 2) REQUIRE(pp_cancel(f[0]) >= 0);
    if (data[0] & 1)
        build(&w, f, data + 1, bytes - 1);
    else if ((w.message = malloc(bytes)))
        memcpy(w.message, data + 1, w.bytes = bytes - 1);
    if (w.bytes && offer_streams(w.message, w.bytes, &open)) {
        char *exact = malloc(w.bytes); /* AddressSanitizer sees a byte too far */
        REQUIRE(exact);
        memcpy(exact, w.message, w.bytes);
        ppi_lock_take(&s->lock);
        ppi_ranks_message(s, 1, exact, w.bytes);
        for (int i = 0; i < 2; i++) s->output[i].bytes = 0; /* it would be printed */
        ppi_lock_give(&s->lock);
        free(exact);
    }
    free(w.message);
    while (open) look();
    for (int i = 0, left = 1; left; i++) {
        REQUIRE(i < 100000);
        look();
        left = 0;
        for (int k = 0; k < TASKS; k++) {
            answer(f[k]);
            left += pp_done(f[k]) != 1;
        }
    }
    pp_stats stats = {.size = sizeof stats};
    REQUIRE(pp_get_stats(s, &stats) == PP_OK);
    REQUIRE(stats.done + stats.failed + stats.cancelled == stats.submitted && stats.running + stats.queued == 0);
    REQUIRE(pp_get_ncpus(s) >= 2 && pp_get_ncpus(s) <= 4);
    for (int i = 0; i < TASKS; i++) {
        const void *lent;
        size_t n;
        pp_task_info info = {.size = sizeof info};
        REQUIRE(pp_info(f[i], &info) == PP_OK && info.state == PP_FINISHED && info.status <= 0);
        if (pp_result(f[i], &lent, &n) == PP_OK && n) REQUIRE(((const volatile char *)lent)[n - 1] == 0);
        REQUIRE(pp_release(f[i]) == PP_OK);
    }
    restore();
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = seeds_folder(*argc, *argv);
    if (!folder) return 0;
    uint8_t list[1 + 12 * 8], raw[400] = {0};
    for (int kind = 0; kind < KINDS; kind++) {
        memset(list, 0, sizeof list);
        list[0] = 1;
        for (int i = 0; i < 8; i++) {
            uint8_t *r = list + 1 + 12 * i;
            r[0] = (uint8_t)((kind + i / 4) % KINDS);
            r[1] = (uint8_t)i;
            r[2] = 1;
            r[3] = (uint8_t)(i * 20);
            r[6] = (uint8_t)(i * 5);
        }
        char name[24];
        snprintf(name, sizeof name, "list-%d", kind);
        seeds_write(folder, name, list, sizeof list);
    }
    struct ppi_wire_writer w = {0};
    struct ppi_wire_result r = {.bytes = 5};
    struct ppi_wire_started started = {0};
    struct ppi_wire_output output = {0};
    ppi_wire_put(&w, PPI_WIRE_RESULT, 0, &r, "text\n", 5);
    ppi_wire_put(&w, PPI_WIRE_STARTED, 0, &started, NULL, 0);
    ppi_wire_put(&w, PPI_WIRE_OUTPUT, 0, &output, "text\n", 5);
    if (w.bytes < sizeof raw) {
        memcpy(raw + 1, w.message, w.bytes);
        seeds_write(folder, "raw", raw, w.bytes + 1);
    }
    free(w.message);
    return 0;
}
