#include "module/load.h"

#include "base/status.h"
#include "function/identity.h"
#include "function/module.h"
#include "module/alias.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_MOST 1100
#define ROUNDS 3

static int is_id(const struct ppi_module_info *info, const unsigned char *id, int bytes)
{
    return ppi_same_build(id, bytes, info->build_id, info->build_id_bytes);
}

static int is_loaded(const struct ppi_module_info *info)
{
    return ppi_function_is_loaded(info->build_id, info->build_id_bytes);
}

static int fail(const struct ppi_module_info *info, int status, const char *why)
{
    return ppi_error(status, "module '%.300s' cannot be loaded: %s", info->path, why);
}

/* ---- what a name means to the loader */

struct meaning {
    const struct link_map *map;
    unsigned char id[PPI_BUILD_ID_MAX];
    int id_bytes;
    char path[256];
};

static int look_at(const struct ppi_module *module, void *arg)
{
    struct meaning *m = arg;
    if (!ppi_module_is(module, m->map->l_addr, m->map->l_name)) return 0;
    m->id_bytes = ppi_module_id(module, m->id);
    snprintf(m->path, sizeof m->path, "%s", module->name);
    return 1;
}

/* The module that others would be given that need this name; 0 when none of that name is loaded. */
static int means(const struct ppi_module_loader *loader, const char *name, struct meaning *m)
{
    memset(m, 0, sizeof *m);
    void *handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (!handle) {
        dlerror();
        return 0;
    }
    if (dlinfo(handle, RTLD_DI_LINKMAP, &m->map) == 0) ppi_module_each(look_at, m);
    for (size_t i = 0; i < loader->count; i++) {
        const struct ppi_module_info *info = loader->loaded[i].handle == handle ? loader->loaded[i].alias_of : NULL;
        if (info) memcpy(m->id, info->build_id, sizeof m->id), m->id_bytes = info->build_id_bytes;
    }
    dlclose(handle);
    return 1;
}

/* ---- one module */

static void keep(struct ppi_module_loader *loader, void *handle, const struct ppi_module_info *alias_of)
{
    if (loader->count == loader->room) {
        size_t room = loader->room ? 2 * loader->room : 16;
        struct ppi_module_loaded *grown = realloc(loader->loaded, room * sizeof *grown);
        if (!grown) return; /* then it stays for good */
        loader->loaded = grown;
        loader->room = room;
    }
    loader->loaded[loader->count++] = (struct ppi_module_loaded){handle, alias_of};
}

/* Of two builds of a library, one at a time can have its name. */
static void unload_all(struct ppi_module_loader *loader)
{
    while (loader->count)
        dlclose(loader->loaded[--loader->count].handle);
    loader->unloads++;
}

/* Where it can be loaded from: the file that has its path, or the image; never what another module was loaded
 * from. */
static int find_file(const struct ppi_module_entry *entry, char path[PATH_MOST])
{
    const struct ppi_module_info *info = &entry->info;
    void *handle;
    int file = ppi_file_open(info->path, info->build_id, info->build_id_bytes);
    if (file >= 0) {
        close(file);
        snprintf(path, PATH_MOST, "%s", info->path);
        if (!(handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD))) return PP_OK;
        dlclose(handle); /* the file was another one then */
    }
    if (entry->fd < 0) return fail(info, PP_ERR_MODULE, "this very build is not here");
    char images[64];
    snprintf(images, sizeof images, "/proc/%ld/fd/", (long)entry->pid);
    snprintf(path, PATH_MOST, "%s%d", images, entry->fd);
    file = ppi_file_open(path, info->build_id, info->build_id_bytes);
    if (file < 0) {
        char why[200];
        snprintf(why, sizeof why, "its image %s%s",
                 errno == ENOEXEC ? "is another build" : "cannot be opened: ", errno == ENOEXEC ? "" : strerror(errno));
        return fail(info, PP_ERR_MODULE, why);
    }
    close(file);
    /* An earlier farm of this process may have had another one under this name. */
    if (!ppi_module_new_path(images, entry->fd, path, PATH_MOST))
        return fail(info, PP_ERR_MODULE, "this process has loaded too many modules from images");
    return PP_OK;
}

/* A library that the program is linked to has its symbols in front of those of another build, but for this. */
static int flags_for(const struct ppi_module_info *info)
{
#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__)
    if (info->linked) return RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#else
    (void)info;
#endif
    return RTLD_NOW | RTLD_LOCAL;
}

static int load(struct ppi_module_loader *loader, const struct ppi_module_entry *entry)
{
    char path[PATH_MOST];
    if (is_loaded(&entry->info)) return PP_OK;
    int status = find_file(entry, path);
    if (status != PP_OK) return status;
    void *handle = dlopen(path, flags_for(&entry->info));
    if (!handle) {
        const char *text = dlerror();
        size_t length = strlen(path);
        if (!text) return fail(&entry->info, PP_ERR_MODULE, "unknown reason");
        /* Most begin with the path, which has been told; texts of tasks are cut at their end. */
        if (strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0) text += length + 2;
        return fail(&entry->info, PP_ERR_MODULE, text);
    }
    keep(loader, handle, NULL);
    return is_loaded(&entry->info) ? PP_OK : fail(&entry->info, PP_ERR_MODULE, "what was loaded is another build");
}

/* ---- what another one needs */

struct namesake {
    const struct ppi_module_info *info;
    char name[PATH_MOST];
};

static int name_of(const struct ppi_module *module, void *arg)
{
    struct namesake *n = arg;
    unsigned char id[PPI_BUILD_ID_MAX];
    if (module->executable || module->kernel || !is_id(n->info, id, ppi_module_id(module, id))) return 0;
    snprintf(n->name, sizeof n->name, "%s", module->name);
    return 1;
}

/* by_image: one of those that are to be loaded comes from an image, whose surroundings are not those of its
 * file. When something had to be unloaded for it, that is all that is done. */
static int load_needed(struct ppi_module_loader *loader, const struct ppi_module_entry *entry, int by_image)
{
    const struct ppi_module_info *info = &entry->info;
    struct namesake loaded = {.info = info};
    struct meaning m;
    if (*info->alias && means(loader, info->alias, &m) && !is_id(info, m.id, m.id_bytes)) {
        char why[512];
        unload_all(loader);
        snprintf(why, sizeof why, "this process has another build of '%s', '%s', which cannot be unloaded", info->alias,
                 m.path);
        return means(loader, info->alias, &m) && !is_id(info, m.id, m.id_bytes) ? fail(info, PP_ERR_MODULE, why)
                                                                                : PP_OK;
    }
    int status = load(loader, entry);
    if (status != PP_OK || !*info->alias || !by_image || means(loader, info->alias, &m)) return status;
    ppi_module_each(name_of, &loaded);
    void *handle = ppi_module_call(loaded.name, info->alias);
    if (!handle) return fail(info, PP_ERR_MODULE, pp_last_error());
    keep(loader, handle, info);
    return PP_OK;
}

/* Which of them are there, or why not. */
static int look(const struct ppi_module_entry *const *modules, uint32_t count, int *by_image)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct ppi_module_info *info = &modules[i]->info;
        if (is_loaded(info)) continue;
        if (ppi_module_state(modules[i]) == PPI_MODULE_FAILED) return fail(info, modules[i]->status, modules[i]->why);
        int file = ppi_file_open(info->path, info->build_id, info->build_id_bytes);
        if (file < 0)
            *by_image = 1;
        else
            close(file);
    }
    return PP_OK;
}

int ppi_module_load(struct ppi_module_loader *loader, const struct ppi_function_ref *ref)
{
    const struct ppi_module_entry *modules[PPI_FUNCTION_NEEDS_MAX + 1];
    const struct ppi_module_entry *last =
        ppi_module_wait(loader->workspace, ref->travels - 1, loader->meanwhile, loader->meanwhile_ctx);
    uint32_t count = 0;
    int by_image = 0;
    for (uint32_t i = 0; i < ref->need_count && i < PPI_FUNCTION_NEEDS_MAX; i++)
        modules[count++] = ppi_module_wait(loader->workspace, ref->needs[i], loader->meanwhile, loader->meanwhile_ctx);
    modules[count++] = last;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t unloads = loader->unloads, i = 0;
        int status = look(modules, count, &by_image);
        while (i + 1 < count && status == PP_OK && loader->unloads == unloads)
            status = load_needed(loader, modules[i++], by_image);
        if (status != PP_OK) return status;
        if (loader->unloads == unloads) return load(loader, last);
    }
    return fail(&last->info, PP_ERR_MODULE, "libraries that it needs do not stand each other");
}

void ppi_module_loader_fini(struct ppi_module_loader *loader)
{
    unload_all(loader);
    free(loader->loaded);
    loader->loaded = NULL;
    loader->count = loader->room = 0;
}
