#include "server/modules.h"
#include "server/server.h"

#include "base/log.h"
#include "base/status.h"
#include "function/identity.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void ppi_modules_init(struct pp_server *s)
{
    ppi_module_store_init(&s->modules.store, &s->workspace);
}

void ppi_modules_fini(struct pp_server *s)
{
    struct ppi_modules *modules = &s->modules;
    for (uint32_t i = 0; i < modules->count; i++) {
        struct ppi_server_module *m = modules->module[i];
        if (m->image) munmap(m->image, m->found.info.bytes);
        free(m->told);
        free(m->sent);
        free(m);
    }
    free(modules->wants);
    for (size_t i = 0; i < modules->handle_count; i++)
        dlclose(modules->handles[i]);
    free(modules->handles);
    ppi_module_store_fini(&modules->store);
}

/* ---- numbers */

static int same_build(const struct ppi_module_info *a, const struct ppi_module_info *b)
{
    return ppi_same_build(a->build_id, a->build_id_bytes, b->build_id, b->build_id_bytes);
}

static uint32_t find(const struct ppi_modules *modules, const struct ppi_module_info *info)
{
    for (uint32_t i = 0; i < modules->count; i++)
        if (same_build(&modules->module[i]->found.info, info)) return i;
    return UINT32_MAX;
}

/* Whether workers can get it: that is asked once, since the store keeps the file open. */
static int check(const struct ppi_module_found *found)
{
    char id[2 * PPI_BUILD_ID_MAX + 1];
    if (found->fd >= 0 || found->inherited) return PP_OK;
    ppi_build_id_text(found->info.build_id, found->info.build_id_bytes, id);
    return ppi_error(PP_ERR_MODULE, "module '%.300s' (build id %s) cannot be given to workers: %s", found->info.path, id,
                     found->why);
}

static int add(struct pp_server *s, struct ppi_module_found *found, uint32_t *number)
{
    struct ppi_modules *modules = &s->modules;
    size_t words = (size_t)(s->rank_count + 31) / 32;
    int status = check(found);
    if (status != PP_OK) return status;
    if (modules->count == PPI_MODULES_MAX)
        return ppi_error(PP_ERR_LIMIT, "functions of more than %d shared objects have been submitted", PPI_MODULES_MAX);
    struct ppi_server_module *m = calloc(1, sizeof *m);
    if (m) {
        m->told = calloc(words, sizeof *m->told);
        m->sent = calloc(words, sizeof *m->sent);
    }
    if (!m || !m->told || !m->sent) {
        if (m) free(m->told), free(m->sent);
        free(m);
        return ppi_error(PP_ERR_NOMEM, "no memory for the description of a module");
    }
    m->found = *found;
    *number = modules->count++;
    modules->module[*number] = m;
    /* The file is the store's from now on; we read it. */
    ppi_module_hold(&modules->store, *number, &m->found.info, found->fd);
    found->fd = -1;
    return PP_OK;
}

int ppi_modules_find(struct pp_server *s, uintptr_t address, struct ppi_function_ref *ref)
{
    struct ppi_module_found *list;
    size_t count;
    uint32_t number = 0;
    int status = ppi_module_closure(address, &list, &count);
    for (size_t i = 0; status == PP_OK && i < count; i++) {
        number = find(&s->modules, &list[i].info);
        if (number == UINT32_MAX) status = add(s, &list[i], &number);
        if (i + 1 < count) ref->needs[i] = (uint16_t)number;
    }
    ppi_module_free(list, count);
    if (status != PP_OK || count == 0) return status;
    ref->need_count = (uint32_t)count - 1;
    ref->travels = 1 + number;
    return PP_OK;
}

/* ---- telling of them */

static void tell(struct pp_server *s, int rank, uint32_t number)
{
    struct ppi_server_module *m = s->modules.module[number];
    const struct ppi_module_info *info = &m->found.info;
    if (ppi_bit(m->told, (uint32_t)rank)) return;
    ppi_set_bit(m->told, (uint32_t)rank);
    struct ppi_wire_module w = {.number = number,
                                .build_id_bytes = info->build_id_bytes,
                                .linked = info->linked,
                                .bytes = info->bytes,
                                .path_bytes = (uint32_t)strlen(info->path),
                                .alias_bytes = (uint32_t)strlen(info->alias)};
    char text[sizeof info->path + sizeof info->alias];
    memcpy(w.build_id, info->build_id, sizeof w.build_id);
    memcpy(text, info->path, w.path_bytes);
    memcpy(text + w.path_bytes, info->alias, w.alias_bytes);
    ppi_ranks_post(s, rank, PPI_WIRE_MODULE, 0, &w, text, w.path_bytes + w.alias_bytes);
}

void ppi_modules_announce(struct pp_server *s, int rank, const struct ppi_function_ref *ref)
{
    int holder = s->ranks[rank].is_holder ? rank : s->ranks[rank].node;
    if (holder == 0 || !s->ranks[rank].ready) return; /* before that it is told with WELCOME */
    for (uint32_t i = 0; i < ref->need_count; i++)
        tell(s, holder, ref->needs[i]);
    tell(s, holder, ref->travels - 1);
}

void ppi_modules_welcome(struct pp_server *s, int rank)
{
    for (uint32_t i = 0; i < s->modules.count; i++)
        tell(s, rank, i);
}

/* ---- sending them */

void ppi_modules_want(struct pp_server *s, int rank, uint32_t number)
{
    struct ppi_modules *modules = &s->modules;
    if (modules->closed || number >= modules->count) return;
    struct ppi_server_module *m = modules->module[number];
    if (!ppi_bit(m->told, (uint32_t)rank) || ppi_bit(m->sent, (uint32_t)rank)) return; /* once */
    if (modules->want_count == modules->want_room) {
        size_t room = modules->want_room ? 2 * modules->want_room : 16;
        struct ppi_module_want *grown = realloc(modules->wants, room * sizeof *grown);
        if (!grown) abort(); /* tasks would wait for it for ever */
        modules->wants = grown;
        modules->want_room = room;
    }
    ppi_set_bit(m->sent, (uint32_t)rank);
    modules->wants[modules->want_count++] = (struct ppi_module_want){number, rank};
}

/* Without the lock: the contents of its file, which are copied, because who writes into a file that is mapped
 * kills its readers. NULL: why. */
static char *read_image(const struct ppi_server_module *m, int fd, char *why, size_t room)
{
    const struct ppi_module_info *info = &m->found.info;
    struct ppi_module_info now;
    size_t bytes = info->bytes ? info->bytes : 1, at = 0;
    char *image = fd < 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (image == MAP_FAILED) {
        snprintf(why, room, "%s", fd < 0 ? m->found.why : strerror(errno));
        return NULL;
    }
    while (at < info->bytes) {
        ssize_t n = pread(fd, image + at, info->bytes - at, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        at += (size_t)n;
    }
    now.build_id_bytes = ppi_image_id(image, at, now.build_id);
    if (at == info->bytes && same_build(&now, info)) return image;
    snprintf(why, room, "its file has been overwritten by another build since it was opened");
    munmap(image, bytes);
    return NULL;
}

static void refuse(struct pp_server *s, int rank, uint32_t number, const char *why)
{
    struct ppi_wire_image w = {.number = number, .status = PP_ERR_MODULE};
    ppi_ranks_post(s, rank, PPI_WIRE_IMAGE, 0, &w, why, strlen(why));
}

static void release_image(struct ppi_server_module *m)
{
    if (--m->users > 0 || !m->image || m->keep) return;
    munmap(m->image, m->found.info.bytes);
    m->image = NULL;
}

static void send_image(struct pp_server *s, int rank, uint32_t number)
{
    struct ppi_server_module *m = s->modules.module[number];
    struct ppi_wire_image w = {.number = number, .bytes = m->found.info.bytes};
    struct ppi_outgoing_stream *stream = NULL;
    if (w.bytes > PPI_WIRE_INLINE_MAX && !(stream = calloc(1, sizeof *stream))) {
        refuse(s, rank, number, "no memory to send it");
        return;
    }
    ppi_log(PP_LOG_INFO, "module '%s', %llu bytes, goes to rank %d on %s", m->found.info.path,
            (unsigned long long)w.bytes, rank, s->ranks[rank].host);
    if (!stream) {
        ppi_ranks_post(s, rank, PPI_WIRE_IMAGE, 0, &w, m->image, w.bytes);
        return;
    }
    ppi_ranks_post(s, rank, PPI_WIRE_IMAGE, PPI_WIRE_STREAMED, &w, NULL, 0);
    *stream =
        (struct ppi_outgoing_stream){.server = s, .peer = rank, .id = number, .image = m->image, .bytes = w.bytes};
    m->users++;
    s->modules.sending++;
    ppi_server_begin_stream(s, stream);
}

int ppi_modules_send_wanted(struct pp_server *s)
{
    if (s->modules.want_count == 0) return 0;
    struct ppi_module_want want = s->modules.wants[0];
    struct ppi_server_module *m = s->modules.module[want.number];
    char why[300] = "";
    if (!s->ranks[want.rank].lost) {
        m->users++;
        if (!m->image) {
            int fd = ppi_module_entry(&s->workspace, want.number)->fd;
            ppi_lock_give(&s->lock);
            char *image = read_image(m, fd, why, sizeof why);
            ppi_lock_take(&s->lock);
            m->image = image;
        }
        if (!m->image)
            refuse(s, want.rank, want.number, why);
        else if (!s->ranks[want.rank].lost)
            send_image(s, want.rank, want.number);
        release_image(m);
    }
    /* Only the driver takes them, and only the driver adds to them. */
    memmove(s->modules.wants, s->modules.wants + 1, --s->modules.want_count * sizeof *s->modules.wants);
    if (s->modules.want_count == 0) s->wake_waiters = 1;
    return 1;
}

void ppi_modules_sent(struct pp_server *s, uint32_t number, int rank)
{
    struct ppi_server_module *m = s->modules.module[number];
    if (s->ranks[rank].lost) m->keep = 1;
    release_image(m);
    if (--s->modules.sending == 0) s->wake_waiters = 1;
}

/* ---- ahead of time */

static int open_one(struct pp_server *s, const char *path)
{
    const struct link_map *map;
    struct ppi_function_ref unused;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *text = dlerror();
        return ppi_error(PP_ERR_MODULE, "option modules: '%.300s' cannot be opened: %s", path,
                         text ? text : "unknown reason");
    }
    s->modules.handles[s->modules.handle_count++] = handle;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
        return ppi_error(PP_ERR_MODULE, "option modules: '%.300s': %s", path, dlerror());
    return ppi_modules_find(s, (uintptr_t)map->l_ld, &unused);
}

int ppi_modules_open(struct pp_server *s)
{
    const char *at = s->options.modules ? s->options.modules : "";
    size_t count = 0;
    for (const char *p = at; *p; p++)
        count += *p == ':';
    if (!*at) return PP_OK;
    if (!(s->modules.handles = calloc(count + 1, sizeof *s->modules.handles)))
        return ppi_error(PP_ERR_NOMEM, "no memory for a list of modules");
    for (int status;; at++) {
        size_t length = strcspn(at, ":");
        char *path = strndup(at, length);
        if (!path) return ppi_error(PP_ERR_NOMEM, "no memory for a list of modules");
        status =
            length ? open_one(s, path)
                   : ppi_error(PP_ERR_ARG,
                               "option modules is \"%.300s\": a name is empty; allowed: paths with colons between them",
                               s->options.modules);
        free(path);
        if (status != PP_OK) return status;
        at += length;
        if (!*at) return PP_OK; /* otherwise another name follows, which may be empty, too */
    }
}
