/* An agent to which the server speaks nonsense: a real one in a thread of its own, with workers that are threads, and
 * the fuzzer as rank 0. After each input it must still run a proper task. */
#include "fuzz/seeds.h"
#include "thread/farm.h"

#include "base/log.h"
#include "function/function.h"

#include <sched.h>

#define STREAM_MOST ((uint64_t)1 << 20)
#define WORKERS_MOST 4
#define PROPER 4000 /* index of a function that inputs must not redefine */

static struct ppi_transport *server;
static struct farm_rank rank;
static struct ppi_function_ref proper;
static uint64_t proper_id = (uint64_t)1 << 63;
static char zeros[STREAM_MOST];
static _Atomic uint64_t ran;

static void count_run(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    if (bytes == sizeof(uint64_t) && args) ran++;
}

static void say(enum ppi_wire_kind kind, const void *fixed, const void *data, size_t bytes)
{
    struct ppi_wire_writer w = {0};
    REQUIRE(ppi_wire_put(&w, kind, 0, fixed, data, bytes) == PP_OK);
    REQUIRE(server->ops->send(server, 1, w.message, w.bytes) == PP_OK);
}

static void no_stream(void *ctx)
{
    (void)ctx;
}

/* Reads what the agent says; takes in the results that it streams. 1 when there was a proper result. */
static int listen(uint64_t id, int *ready)
{
    int from, found = 0;
    char *message;
    size_t bytes;
    server->ops->progress(server);
    while (server->ops->receive(server, &from, &message, &bytes)) {
        struct ppi_wire_reader reader;
        struct ppi_wire_record r;
        int status = ppi_wire_open(&reader, message, bytes);
        REQUIRE(status == PP_OK);
        while ((status = ppi_wire_next(&reader, &r)) > 0) {
            if (r.kind == PPI_WIRE_READY) *ready = r.as.READY.status == PP_OK && r.as.READY.workers == 1;
            if (r.kind != PPI_WIRE_RESULT) continue;
            if (r.as.RESULT.id == id) {
                REQUIRE(r.as.RESULT.status == PP_OK && r.as.RESULT.attempt == 1);
                found = 1;
            }
            if (r.flags & PPI_WIRE_STREAMED)
                server->ops->stream(server, 1, 0, NULL, r.as.RESULT.bytes, no_stream, NULL);
        }
        REQUIRE(status == 0); /* whatever it was told, it speaks properly */
        free(message);
    }
    return found;
}

/* No thread may run when leaks are looked for: the memory that it has is not found once there have been thousands of threads. */
static void close_agent(void)
{
    say(PPI_WIRE_STOP, &(struct ppi_wire_stop){.at_once = 1}, NULL, 0);
    pthread_join(rank.thread, NULL);
}

static void open_agent(void)
{
    struct ppi_transport *ends[2];
    ppi_log_init(-1);
    REQUIRE(ppi_topology_load(&rank.topology) == PP_OK);
    REQUIRE(ppi_transport_loopback(ends, 2) == PP_OK);
    REQUIRE(ppi_workspace_create(&rank.workspace, FARM_ARENA_BYTES) == PP_OK);
    REQUIRE(ppi_pool_open(&rank.pool, PPI_POOL_THREADS, &rank.workspace) == PP_OK);
    server = ends[0];
    rank.transport = ends[1];
    REQUIRE(ppi_function_describe(count_run, &proper) == PP_OK);
    struct ppi_wire_welcome welcome = {.workers = 1, .cores_per_worker = 1, .log_level = -1, .bell_fd = -1};
    say(PPI_WIRE_WELCOME, &welcome, NULL, 0);
    REQUIRE(pthread_create(&rank.thread, NULL, farm_serve, &rank) == 0);
    REQUIRE(atexit(close_agent) == 0);
    int ready = 0;
    while (!ready) {
        listen(0, &ready);
        sched_yield();
    }
    struct ppi_wire_function f = {.index = PROPER, .executable = proper.executable, .build_id_bytes = proper.build_id_bytes,
                                  .offset = proper.offset};
    memcpy(f.build_id, proper.build_id, sizeof f.build_id);
    say(PPI_WIRE_FUNCTION, &f, proper.module, strlen(proper.module));
}

/* Some things a server may say, and then nonsense follows from them: the end, code anywhere in this program, a function in
 * place of another, streams that nobody sends. */
static int is_fit(const char *message, size_t bytes)
{
    struct ppi_wire_reader reader;
    struct ppi_wire_record r;
    if (ppi_wire_open(&reader, message, bytes) != PP_OK) return 1;
    while (ppi_wire_next(&reader, &r) > 0) {
        if (r.kind == PPI_WIRE_RESIZE && r.as.RESIZE.workers > WORKERS_MOST) return 0; /* that takes long */
        if (r.kind == PPI_WIRE_STOP || r.kind == PPI_WIRE_INIT) return 0;
        if (r.kind == PPI_WIRE_FUNCTION && (r.as.FUNCTION.index == PROPER || r.bytes > 0)) return 0;
        if (r.kind == PPI_WIRE_FUNCTION && memcmp(r.as.FUNCTION.build_id, proper.build_id, 4) == 0) return 0;
        if (r.kind == PPI_WIRE_FUNCTION && r.as.FUNCTION.module) return 0; /* a task would wait for one that nobody sends, or run what was sent */
        if (r.kind == PPI_WIRE_IMAGE && r.flags & PPI_WIRE_STREAMED && r.as.IMAGE.bytes > STREAM_MOST) return 0;
        if (r.kind == PPI_WIRE_TASK && r.as.TASK.id >> 63) return 0; /* those are the proper ones', which the fuzzer can learn */
        if (r.kind == PPI_WIRE_TASK && r.flags & PPI_WIRE_STREAMED && r.as.TASK.bytes > STREAM_MOST) return 0;
        if (r.kind == PPI_WIRE_SHARE && r.flags & PPI_WIRE_STREAMED && r.as.SHARE.bytes > STREAM_MOST) return 0;
    }
    return 1;
}

static void offer_streams(const char *message, size_t bytes)
{
    struct ppi_wire_reader reader;
    struct ppi_wire_record r;
    if (ppi_wire_open(&reader, message, bytes) != PP_OK) return;
    while (ppi_wire_next(&reader, &r) > 0) {
        if (!(r.flags & PPI_WIRE_STREAMED) || (r.kind != PPI_WIRE_TASK && r.kind != PPI_WIRE_SHARE && r.kind != PPI_WIRE_IMAGE)) continue;
        uint64_t n = r.kind == PPI_WIRE_TASK ? r.as.TASK.bytes : r.kind == PPI_WIRE_SHARE ? r.as.SHARE.bytes : r.as.IMAGE.bytes;
        REQUIRE(server->ops->stream(server, 1, 1, zeros, n, no_stream, NULL) == PP_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    int ready;
    if (!server) open_agent();
    char *message = malloc(bytes ? bytes : 1);
    REQUIRE(message);
    if (bytes) memcpy(message, data, bytes);
    if (!is_fit(message, bytes)) {
        free(message);
        return -1;
    }
    offer_streams(message, bytes);
    REQUIRE(server->ops->send(server, 1, message, bytes) == PP_OK);
    say(PPI_WIRE_RESIZE, &(struct ppi_wire_resize){1, 0}, NULL, 0); /* it may have none by now */
    uint64_t id = ++proper_id, before = ran;
    struct ppi_wire_task task = {.id = id, .number = id, .bytes = sizeof id, .function = PROPER, .attempt = 1};
    say(PPI_WIRE_TASK, &task, &id, sizeof id);
    for (int found = 0; !found || server->ops->busy(server); sched_yield()) found |= listen(id, &ready);
    REQUIRE(ran > before);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = seeds_folder(*argc, *argv);
    if (!folder) return 0;
    struct ppi_wire_writer w = {0};
    struct ppi_wire_task task = {.id = 5, .bytes = 5, .function = PROPER, .attempt = 1};
    ppi_wire_put(&w, PPI_WIRE_TASK, 0, &task, "12345", 5);
    seeds_write(folder, "task", w.message, w.bytes);
    task.bytes = 100;
    ppi_wire_put(&w, PPI_WIRE_TASK, 0, &task, zeros, 100);
    struct ppi_wire_resize resize = {0, 0};
    ppi_wire_put(&w, PPI_WIRE_RESIZE, 0, &resize, NULL, 0);
    resize.workers = 3;
    ppi_wire_put(&w, PPI_WIRE_RESIZE, 0, &resize, NULL, 0);
    seeds_write(folder, "resize", w.message, w.bytes);
    struct ppi_wire_cancel cancel = {.id = 5, .attempt = 1};
    ppi_wire_put(&w, PPI_WIRE_CANCEL, 0, &cancel, NULL, 0);
    seeds_write(folder, "cancel", w.message, w.bytes);
    task.bytes = 100000;
    task.timeout_ns = 1000;
    ppi_wire_put(&w, PPI_WIRE_TASK, PPI_WIRE_STREAMED, &task, NULL, 0);
    struct ppi_wire_function f = {.index = 3, .build_id_bytes = 20};
    ppi_wire_put(&w, PPI_WIRE_FUNCTION, 0, &f, NULL, 0);
    task.function = 3;
    task.bytes = 0;
    ppi_wire_put(&w, PPI_WIRE_TASK, 0, &task, NULL, 0);
    seeds_write(folder, "all", w.message, w.bytes);
    struct ppi_wire_share share = {.id = 1234567, .bytes = 100};
    ppi_wire_put(&w, PPI_WIRE_SHARE, 0, &share, zeros, 100);
    struct ppi_wire_unshare unshare = {.id = 1234567, .until = 5};
    ppi_wire_put(&w, PPI_WIRE_UNSHARE, 0, &unshare, NULL, 0);
    ppi_wire_put(&w, PPI_WIRE_DROP, 0, &(struct ppi_wire_drop){1234567}, NULL, 0);
    share.bytes = 100000;
    ppi_wire_put(&w, PPI_WIRE_SHARE, PPI_WIRE_STREAMED, &share, NULL, 0);
    seeds_write(folder, "share", w.message, w.bytes);
    for (uint32_t i = 0; i < 3; i++) { /* in a message, as a stream, and none */
        struct ppi_wire_module module = {.number = 10 + i, .build_id_bytes = 20, .bytes = i == 1 ? 100000 : 100, .path_bytes = 9, .alias_bytes = 6};
        struct ppi_wire_image image = {.number = 10 + i, .status = i == 2 ? PP_ERR_MODULE : PP_OK, .bytes = module.bytes};
        ppi_wire_put(&w, PPI_WIRE_MODULE, 0, &module, "/no/where/lib.so", 15);
        ppi_wire_put(&w, PPI_WIRE_IMAGE, i == 1 ? PPI_WIRE_STREAMED : 0, &image, i == 1 ? NULL : zeros, i == 1 ? 0 : 100);
    }
    seeds_write(folder, "module", w.message, w.bytes);
    free(w.message);
    return 0;
}
