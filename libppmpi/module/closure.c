#include "module/closure.h"

#include "base/status.h"
#include "function/identity.h"
#include "function/module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIGH_FD 200 /* out of the way of the numbers that programs expect */
#define NONE SIZE_MAX

struct loaded {
    uintptr_t base;
    int executable, kernel, ours;
    int startup; /* every process of the program has it: the program and libppmpi need it */
    int visited;
    char *name, *soname, *path;
    char **needed;
    size_t needed_count;
    unsigned char id[PPI_BUILD_ID_MAX];
    int id_bytes;
    const char *alias; /* the name by which another of the list needs it */
};

struct snapshot {
    struct loaded *modules;
    size_t count, room;
    uintptr_t address; /* that is looked for, */
    size_t root;       /* … and the module that holds it */
    int no_memory;
};

/* ---- what the workers have been born with */

static struct {
    struct {
        uintptr_t base;
        unsigned char id[PPI_BUILD_ID_MAX];
        int id_bytes; /* 0 = it has no build id */
    } * modules;
    size_t count, room;
} inherited;

static int note(const struct ppi_module *module, void *arg)
{
    (void)arg;
    if (inherited.count == inherited.room) {
        size_t room = inherited.room ? 2 * inherited.room : 64;
        void *grown = realloc(inherited.modules, room * sizeof *inherited.modules);
        if (!grown) return 1; /* then less is known to be there */
        inherited.modules = grown;
        inherited.room = room;
    }
    inherited.modules[inherited.count].base = module->base;
    inherited.modules[inherited.count].id_bytes = ppi_module_build_id(module, inherited.modules[inherited.count].id);
    inherited.count++;
    return 0;
}

void ppi_module_note_inherited(void)
{
    inherited.count = 0;
    ppi_module_each(note, NULL);
}

int ppi_module_was_inherited(const unsigned char *build_id, int bytes)
{
    for (size_t i = 0; i < inherited.count; i++)
        if (ppi_same_build(inherited.modules[i].id, inherited.modules[i].id_bytes, build_id, bytes)) return 1;
    return 0;
}

static int is_inherited(const struct loaded *l)
{
    for (size_t i = 0; i < inherited.count; i++) {
        if (inherited.modules[i].base != l->base) continue;
        return inherited.modules[i].id_bytes == 0 ||
               ppi_same_build(inherited.modules[i].id, inherited.modules[i].id_bytes, l->id, l->id_bytes);
    }
    return 0;
}

/* ---- what is loaded now */

/* 0 without memory. */
static int copy_needed(struct loaded *l, const struct ppi_module *module)
{
    size_t at = 0, count = 0;
    while (ppi_module_needed(module, &at))
        count++;
    if (count == 0) return 1;
    if (!(l->needed = calloc(count, sizeof *l->needed))) return 0;
    at = 0;
    for (const char *name; l->needed_count < count && (name = ppi_module_needed(module, &at));)
        if (!(l->needed[l->needed_count++] = strdup(name))) return 0;
    return 1;
}

static int copy(const struct ppi_module *module, void *arg)
{
    struct snapshot *s = arg;
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        struct loaded *grown = realloc(s->modules, room * sizeof *grown);
        if (!grown) return s->no_memory = 1;
        s->modules = grown;
        s->room = room;
    }
    struct loaded *l = &s->modules[s->count];
    *l = (struct loaded){.base = module->base, .executable = module->executable, .kernel = module->kernel};
    l->ours = ppi_module_holds(module, (uintptr_t)&ppi_module_closure);
    const char *soname = module->kernel ? NULL : ppi_module_soname(module);
    l->name = strdup(module->name);
    l->soname = strdup(soname ? soname : "");
    s->count++;
    if (!l->name || !l->soname) return s->no_memory = 1;
    if (!module->kernel && !copy_needed(l, module)) return s->no_memory = 1;
    if (ppi_module_holds(module, s->address)) s->root = s->count - 1;
    char path[1024];
    if (!module->kernel && ppi_module_path(module, path, sizeof path) > 0 && !(l->path = strdup(path)))
        return s->no_memory = 1;
    /* A hash takes long; it is taken of those that are wanted. */
    l->id_bytes = ppi_module_build_id(module, l->id);
    return 0;
}

static void forget(struct snapshot *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct loaded *l = &s->modules[i];
        for (size_t k = 0; k < l->needed_count; k++)
            free(l->needed[k]);
        free(l->needed);
        free(l->name);
        free(l->soname);
        free(l->path);
    }
    free(s->modules);
}

/* The module that the loader has taken for a name, as it goes about that: the first that is called so. */
static size_t resolve(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->modules[i].executable &&
            (strcmp(s->modules[i].soname, name) == 0 || strcmp(s->modules[i].name, name) == 0))
            return i;
    for (size_t i = 0; i < s->count; i++)
        if (!s->modules[i].executable && strcmp(ppi_file_name(s->modules[i].name), ppi_file_name(name)) == 0) return i;
    return NONE;
}

static void mark_startup(struct snapshot *s, size_t i)
{
    if (s->modules[i].startup) return;
    s->modules[i].startup = 1;
    for (size_t k = 0; k < s->modules[i].needed_count; k++) {
        size_t needed = resolve(s, s->modules[i].needed[k]);
        if (needed != NONE) mark_startup(s, needed);
    }
}

static int is_system(const struct loaded *l)
{
    static const char *const folders[] = {"/lib/",     "/lib32/",     "/lib64/",     "/libx32/",
                                          "/usr/lib/", "/usr/lib32/", "/usr/lib64/", "/usr/libx32/"};
    for (size_t i = 0; l->path && i < sizeof folders / sizeof folders[0]; i++)
        if (strncmp(l->path, folders[i], strlen(folders[i])) == 0) return 1;
    return 0;
}

/* ---- its file */

static int move_up(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    if (high < 0) return fd;
    close(fd);
    return high;
}

/* What is mapped there, wherever it has been moved to; the kernel shows files that have no name any more to the
 * privileged only. */
static int open_mapped(uintptr_t address, const unsigned char *id, int id_bytes)
{
    char range[128], path[1024];
    unsigned long from, to;
    if (!ppi_module_mapping(address, &from, &to, path, sizeof path)) return -1;
    int fd = *path ? ppi_file_open(path, id, id_bytes) : -1;
    snprintf(range, sizeof range, "/proc/self/map_files/%lx-%lx", from, to);
    return fd < 0 ? ppi_file_open(range, id, id_bytes) : fd;
}

static int identify(const struct ppi_module *module, void *arg)
{
    struct loaded *l = arg;
    if (!ppi_module_is(module, l->base, l->name)) return 0;
    l->id_bytes = ppi_module_id(module, l->id);
    return 1;
}

static void open_file(struct loaded *l, struct ppi_module_found *found)
{
    struct stat s;
    memset(found, 0, sizeof *found);
    if (l->id_bytes == 0) ppi_module_each(identify, l);
    memcpy(found->info.build_id, l->id, sizeof l->id);
    found->info.build_id_bytes = l->id_bytes;
    snprintf(found->info.path, sizeof found->info.path, "%s", l->path ? l->path : l->name);
    found->info.linked = l->startup;
    found->inherited = is_inherited(l);
    found->fd = l->id_bytes ? ppi_file_open(found->info.path, l->id, l->id_bytes) : -1;
    int error = errno;
    if (found->fd < 0 && l->id_bytes) found->fd = open_mapped(l->base, l->id, l->id_bytes);
    if (found->fd >= 0) {
        found->fd = move_up(found->fd);
        found->info.bytes = fstat(found->fd, &s) == 0 ? (uint64_t)s.st_size : 0;
        return;
    }
    if (access(found->info.path, R_OK) != 0)
        snprintf(found->why, sizeof found->why, "its file cannot be read: %s", strerror(errno));
    else if (error == EMFILE || error == ENFILE)
        snprintf(found->why, sizeof found->why, "its file cannot be kept open: %s", strerror(error));
    else
        snprintf(found->why, sizeof found->why, "its file has been replaced by another build since it was opened");
}

/* ---- what goes along */

struct list {
    struct ppi_module_found *found;
    size_t *index; /* in the snapshot */
    size_t count;
};

static int collect(struct snapshot *s, size_t i, struct list *list)
{
    struct loaded *l = &s->modules[i];
    if (l->visited) return PP_OK;
    l->visited = 1;
    for (size_t k = 0; k < l->needed_count; k++) {
        size_t n = resolve(s, l->needed[k]);
        if (n == NONE) continue;
        struct loaded *needed = &s->modules[n];
        if (needed->kernel || needed->startup || is_system(needed)) continue;
        if (!needed->alias) needed->alias = l->needed[k];
        int status = collect(s, n, list);
        if (status != PP_OK) return status;
    }
    if (list->count > PPI_FUNCTION_NEEDS_MAX)
        return ppi_error(PP_ERR_LIMIT, "'%s' needs more than %d libraries that are not part of the system",
                         s->modules[s->root].name, PPI_FUNCTION_NEEDS_MAX);
    list->index[list->count++] = i;
    return PP_OK;
}

int ppi_module_closure(uintptr_t address, struct ppi_module_found **out, size_t *count)
{
    struct snapshot s = {.address = address, .root = NONE};
    struct list list = {.found = NULL};
    int status = PP_OK;
    *count = 0;
    *out = NULL;
    ppi_module_each(copy, &s);
    if (s.no_memory || !(list.index = calloc(PPI_FUNCTION_NEEDS_MAX + 1, sizeof *list.index)))
        status = ppi_error(PP_ERR_NOMEM, "no memory to look through the modules of this process");
    for (size_t i = 0; status == PP_OK && i < s.count; i++)
        if (s.modules[i].executable || s.modules[i].ours) mark_startup(&s, i);
    struct loaded *root = status == PP_OK && s.root != NONE ? &s.modules[s.root] : NULL;
    if (root && !root->executable && !root->kernel && !root->ours && !(root->startup && is_system(root)))
        status = collect(&s, s.root, &list);
    if (status == PP_OK && list.count && !(list.found = calloc(list.count, sizeof *list.found)))
        status = ppi_error(PP_ERR_NOMEM, "no memory for a list of %zu modules", list.count);
    for (size_t i = 0; status == PP_OK && i < list.count; i++) {
        struct loaded *l = &s.modules[list.index[i]];
        open_file(l, &list.found[i]);
        const char *alias = l->alias ? l->alias : *l->soname ? l->soname : ppi_file_name(l->name);
        if (strlen(alias) < PPI_MODULE_ALIAS_MAX) strcpy(list.found[i].info.alias, alias);
    }
    if (status == PP_OK) {
        *out = list.found;
        *count = list.count;
    }
    free(list.index);
    forget(&s);
    return status;
}

void ppi_module_free(struct ppi_module_found *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].fd >= 0) close(list[i].fd);
    free(list);
}
