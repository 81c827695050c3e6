#include "function/module.h"

#include "function/identity.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

struct visitor {
    int (*visit)(const struct ppi_module *module, void *arg);
    void *arg;
    int first; /* the loader hands out the program first */
};

static int visit_loaded(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct visitor *visitor = arg;
    struct ppi_module module = {
        .base = info->dlpi_addr,
        .name = info->dlpi_name != NULL ? info->dlpi_name : "",
        .executable = visitor->first,
        .segments = info->dlpi_phdr,
        .segment_count = info->dlpi_phnum,
        .unloads = bytes >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs ? info->dlpi_subs : 0,
    };
    uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
    module.kernel = vdso != 0 && !module.executable && ppi_module_holds(&module, vdso);
    visitor->first = 0;
    return visitor->visit(&module, visitor->arg);
}

int ppi_module_each(int (*visit)(const struct ppi_module *module, void *arg), void *arg)
{
    struct visitor visitor = {visit, arg, 1};
    return dl_iterate_phdr(visit_loaded, &visitor);
}

/* The loaded segment with all of these flags that holds [offset, offset + bytes); NULL when there is none. */
static const ElfW(Phdr) *segment_at(const struct ppi_module *module, uint64_t offset, uint64_t bytes, ElfW(Word) flags)
{
    for (size_t i = 0; i < module->segment_count; i++) {
        const ElfW(Phdr) *s = &module->segments[i];
        if (s->p_type != PT_LOAD || (s->p_flags & flags) != flags) continue;
        if (offset >= s->p_vaddr && offset - s->p_vaddr < s->p_memsz && bytes <= s->p_memsz - (offset - s->p_vaddr))
            return s;
    }
    return NULL;
}

int ppi_module_holds(const struct ppi_module *module, uintptr_t address)
{
    return address >= module->base && segment_at(module, address - module->base, 1, 0) != NULL;
}

int ppi_module_has_code(const struct ppi_module *module, uint64_t offset)
{
    return segment_at(module, offset, 1, PF_X) != NULL;
}

/* ---- Identity ------------------------------------------------------------------------------------------ */

int ppi_module_build_id(const struct ppi_module *module, unsigned char id[PPI_BUILD_ID_MAX])
{
    for (size_t i = 0; i < module->segment_count; i++) {
        const ElfW(Phdr) *s = &module->segments[i];
        if (s->p_type != PT_NOTE || segment_at(module, s->p_vaddr, s->p_memsz, PF_R) == NULL) continue;
        int length = ppi_id_in_notes((const unsigned char *)(module->base + s->p_vaddr), s->p_memsz,
                                       s->p_align == 8 ? 8 : 4, id);
        if (length > 0) return length;
    }
    return 0;
}

/* Of the module in memory, not of its file, which may have been replaced since. Segments that are never written are the
 * same in every process; constants belong to the code. */
static int hash_module(const struct ppi_module *module, unsigned char id[PPI_BUILD_ID_MAX])
{
    struct ppi_hash h = PPI_HASH_INIT;
    int any = 0;
    for (size_t i = 0; i < module->segment_count; i++) {
        const ElfW(Phdr) *s = &module->segments[i];
        if (!ppi_hash_counts(s)) continue;
        ppi_hash_segment(&h, s, (const unsigned char *)(module->base + s->p_vaddr));
        any = 1;
    }
    if (!any) return 0;
    return ppi_hash_end(&h, id);
}

/* Hashes of the modules that were asked for, since hashing reads megabytes. Another module can come to lie at the
 * same place only after one was unloaded; then all are forgotten. The lock guards `cache`; it is taken under the
 * loader's. */
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint64_t unloads;
    unsigned used; /* counts on, so that the oldest entry is replaced */
    struct {
        const ElfW(Phdr) *segments;
        uintptr_t base;
        unsigned char id[PPI_MODULE_HASH_BYTES];
    } entry[32];
} cache;

static int cached_hash(const struct ppi_module *module, unsigned char id[PPI_BUILD_ID_MAX])
{
    const unsigned size = sizeof cache.entry / sizeof cache.entry[0];
    pthread_mutex_lock(&cache_lock);
    if (cache.unloads != module->unloads) cache.used = 0;
    cache.unloads = module->unloads;
    int length = 0;
    for (unsigned i = 0; i < cache.used && i < size && length == 0; i++) {
        if (cache.entry[i].segments != module->segments || cache.entry[i].base != module->base) continue;
        memcpy(id, cache.entry[i].id, sizeof cache.entry[i].id);
        length = PPI_MODULE_HASH_BYTES;
    }
    if (length == 0 && (length = hash_module(module, id)) > 0) {
        unsigned i = cache.used++ % size;
        cache.entry[i].segments = module->segments;
        cache.entry[i].base = module->base;
        memcpy(cache.entry[i].id, id, sizeof cache.entry[i].id);
    }
    pthread_mutex_unlock(&cache_lock);
    return length;
}

int ppi_module_id(const struct ppi_module *module, unsigned char id[PPI_BUILD_ID_MAX])
{
    int length = ppi_module_build_id(module, id);
    return length > 0 ? length : cached_hash(module, id);
}

/* ---- What it needs ------------------------------------------------------------------------------------- */

static const ElfW(Dyn) *dynamic_of(const struct ppi_module *module)
{
    for (size_t i = 0; i < module->segment_count; i++)
        if (module->segments[i].p_type == PT_DYNAMIC) return (const ElfW(Dyn) *)(module->base + module->segments[i].p_vaddr);
    return NULL;
}

/* Whether the loader has written addresses into this section, or left what the file has there, differs between machines. */
static const char *strings_of(const struct ppi_module *module)
{
    for (const ElfW(Dyn) *d = dynamic_of(module); d && d->d_tag != DT_NULL; d++) {
        if (d->d_tag != DT_STRTAB) continue;
        uintptr_t address = (uintptr_t)d->d_un.d_ptr;
        return (const char *)(ppi_module_holds(module, address) ? address : module->base + address);
    }
    return NULL;
}

const char *ppi_module_needed(const struct ppi_module *module, size_t *at)
{
    const ElfW(Dyn) *d = dynamic_of(module);
    const char *strings = strings_of(module);
    if (!d || !strings) return NULL;
    for (d += *at; d->d_tag != DT_NULL; d++) {
        ++*at;
        if (d->d_tag == DT_NEEDED) return strings + d->d_un.d_val;
    }
    return NULL;
}

const char *ppi_module_soname(const struct ppi_module *module)
{
    const char *strings = strings_of(module);
    for (const ElfW(Dyn) *d = dynamic_of(module); strings && d && d->d_tag != DT_NULL; d++)
        if (d->d_tag == DT_SONAME) return strings + d->d_un.d_val;
    return NULL;
}

static int first_unloads(const struct ppi_module *module, void *arg)
{
    *(uint64_t *)arg = module->unloads;
    return 1;
}

uint64_t ppi_module_unloads(void)
{
    uint64_t unloads = 0;
    ppi_module_each(first_unloads, &unloads);
    return unloads;
}

/* ---- Path ---------------------------------------------------------------------------------------------- */

int ppi_module_mapping(uintptr_t address, unsigned long *from, unsigned long *to, char *path, size_t bytes)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char *line = NULL;
    size_t room = 0;
    int found = 0;
    path[0] = '\0';
    while (maps && !found && getline(&line, &room, maps) > 0) {
        int at = 0;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", from, to, &at) < 2) continue;
        if (address < *from || address >= *to) continue;
        found = 1;
        line[strcspn(line, "\n")] = '\0';
        size_t n = at > 0 ? strlen(line + at) : 0;
        if (n < bytes && line[at] == '/') memcpy(path, line + at, n + 1);
    }
    free(line);
    if (maps) fclose(maps);
    return found;
}

/* For modules that were opened by a relative path: the program may have changed its directory since. */
static int mapped_path(uintptr_t address, char *path, size_t bytes)
{
    unsigned long from, to;
    return ppi_module_mapping(address, &from, &to, path, bytes) && *path ? (int)strlen(path) : -1;
}

int ppi_module_path(const struct ppi_module *module, char *path, size_t bytes)
{
    if (module->executable) {
        ssize_t n = readlink("/proc/self/exe", path, bytes);
        if (n < 0) n = snprintf(path, bytes, "%s", "(program)");
        if ((size_t)n >= bytes) return -1;
        path[n] = '\0';
        return (int)n;
    }
    if (module->name[0] != '/') {
        for (size_t i = 0; i < module->segment_count; i++) {
            if (module->segments[i].p_type != PT_LOAD) continue;
            int n = mapped_path(module->base + module->segments[i].p_vaddr, path, bytes);
            if (n >= 0) return n;
            break;
        }
    }
    size_t n = strlen(module->name);
    if (n >= bytes) return -1;
    memcpy(path, module->name, n + 1);
    return (int)n;
}
