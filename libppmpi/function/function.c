#include "function/function.h"

#include "base/status.h"
#include "function/identity.h"
#include "function/module.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <string.h>

typedef char id_text[2 * PPI_BUILD_ID_MAX + 1];

void ppi_build_id_text(const unsigned char *id, int bytes, char text[2 * PPI_BUILD_ID_MAX + 1])
{
    static const char digits[] = "0123456789abcdef";
    if (bytes > PPI_BUILD_ID_MAX) bytes = PPI_BUILD_ID_MAX;
    for (int i = 0; i < bytes; i++) {
        *text++ = digits[id[i] >> 4];
        *text++ = digits[id[i] & 15];
    }
    *text = '\0';
}

/* ---- Function → reference ------------------------------------------------------------------------------ */

enum place { NOWHERE, IN_CODE, IN_DATA, IN_KERNEL, UNIDENTIFIED, LONG_PATH };

struct description {
    uintptr_t address;
    enum place place;
    struct ppi_function_ref ref;
};

static int describe_in(const struct ppi_module *module, void *arg)
{
    struct description *d = arg;
    struct ppi_function_ref *ref = &d->ref;
    if (!ppi_module_holds(module, d->address)) return 0;
    ref->offset = d->address - module->base;
    ref->executable = module->executable;
    if (module->kernel)
        d->place = IN_KERNEL;
    else if (ppi_module_path(module, ref->module, sizeof ref->module) < 0)
        d->place = LONG_PATH;
    else if (!ppi_module_has_code(module, ref->offset))
        d->place = IN_DATA;
    else if ((ref->build_id_bytes = ppi_module_id(module, ref->build_id)) == 0)
        d->place = UNIDENTIFIED;
    else
        d->place = IN_CODE;
    return 1;
}

int ppi_function_describe(pp_function fn, struct ppi_function_ref *out)
{
    if (fn == NULL) return ppi_error(PP_ERR_ARG, "function is NULL");
    struct description d = {.address = (uintptr_t)fn, .place = NOWHERE};
    ppi_module_each(describe_in, &d);
    switch (d.place) {
    case IN_CODE: *out = d.ref; return PP_OK;
    case IN_DATA:
        return ppi_error(PP_ERR_FUNCTION, "function pointer 0x%" PRIxPTR " points to data of '%s', not to a function",
                         d.address, d.ref.module);
    case IN_KERNEL:
        return ppi_error(PP_ERR_FUNCTION,
                         "function pointer 0x%" PRIxPTR " points into the kernel's vdso, which differs between nodes",
                         d.address);
    case UNIDENTIFIED:
        return ppi_error(PP_ERR_FUNCTION,
                         "function pointer 0x%" PRIxPTR ": '%s' has no build id and its code cannot be read to make "
                         "one; link it with -Wl,--build-id",
                         d.address, d.ref.module);
    case LONG_PATH:
        return ppi_error(PP_ERR_FUNCTION,
                         "function pointer 0x%" PRIxPTR ": the path of its module is longer than %zu bytes", d.address,
                         sizeof d.ref.module - 1);
    case NOWHERE: break;
    }
    return ppi_error(PP_ERR_FUNCTION,
                     "function pointer 0x%" PRIxPTR " points into no program or shared library: a nested function that "
                     "uses variables of its surroundings, an internal procedure, memory or generated code cannot be "
                     "run in another process",
                     d.address);
}

/* ---- Reference → function ------------------------------------------------------------------------------ */

struct search {
    const struct ppi_function_ref *ref;
    int found, in_code;
    uintptr_t address;
};

static int find_by_id(const struct ppi_module *module, void *arg)
{
    struct search *s = arg;
    const struct ppi_function_ref *ref = s->ref;
    unsigned char id[PPI_BUILD_ID_MAX];
    if (module->kernel) return 0;
    /* Only a reference that holds a hash is worth hashing for. */
    int length = ref->build_id_bytes == PPI_MODULE_HASH_BYTES ? ppi_module_id(module, id)
                                                              : ppi_module_build_id(module, id);
    if (!ppi_same_build(id, length, ref->build_id, ref->build_id_bytes)) return 0;
    s->found = 1;
    s->in_code = ppi_module_has_code(module, ref->offset);
    s->address = module->base + (uintptr_t)ref->offset;
    return 1;
}

int ppi_function_find_loaded(const struct ppi_function_ref *ref, pp_function *out)
{
    struct search s = {.ref = ref};
    ppi_module_each(find_by_id, &s);
    if (!s.found) return PP_END;
    if (!s.in_code)
        return ppi_error(PP_ERR_FUNCTION, "offset 0x%" PRIx64 " lies outside of the code of '%s'", ref->offset,
                         ref->module);
    *out = (pp_function)s.address;
    return PP_OK;
}

int ppi_function_is_loaded(const unsigned char *id, int bytes)
{
    struct ppi_function_ref ref = {.build_id_bytes = bytes};
    struct search s = {.ref = &ref};
    memcpy(ref.build_id, id, (size_t)bytes);
    ppi_module_each(find_by_id, &s);
    return s.found;
}

/* The id and path of one module of this process, for messages: of the program, by load address, or by file name. */
struct other {
    int executable;
    const struct link_map *map;
    const char *file;
    int found;
    id_text id;
    char path[1024];
};

static int look_at(const struct ppi_module *module, void *arg)
{
    struct other *o = arg;
    if (o->executable ? !module->executable
        : o->map != NULL
            ? !ppi_module_is(module, o->map->l_addr, o->map->l_name)
            : module->executable || module->kernel || strcmp(ppi_file_name(module->name), o->file) != 0)
        return 0;
    unsigned char id[PPI_BUILD_ID_MAX];
    ppi_build_id_text(id, ppi_module_id(module, id), o->id);
    if (ppi_module_path(module, o->path, sizeof o->path) < 0) snprintf(o->path, sizeof o->path, "%s", module->name);
    return o->found = 1;
}

static int wrong_build(const struct ppi_function_ref *ref, const struct other *here)
{
    id_text wanted;
    ppi_build_id_text(ref->build_id, ref->build_id_bytes, wanted);
    return ppi_error(PP_ERR_FUNCTION,
                     "function at offset 0x%" PRIx64 " of %s '%.300s' (build id %s) cannot be run: this process has "
                     "build id %s of it ('%.300s'); run the same build on every node",
                     ref->offset, ref->executable ? "program" : "module", ref->module, wanted, here->id, here->path);
}

/* A path of its own gets a library of its own, even when one of the same name is loaded already. */
static int find_by_opening(const struct ppi_function_ref *ref, pp_function *out)
{
    void *handle = dlopen(ref->module, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        char reason[512];
        const char *text = dlerror();
        snprintf(reason, sizeof reason, "%s", text != NULL ? text : "unknown reason");
        struct other same_name = {.file = ppi_file_name(ref->module)};
        ppi_module_each(look_at, &same_name);
        if (same_name.found) return wrong_build(ref, &same_name);
        return ppi_error(PP_ERR_MODULE, "module '%.300s' is not loaded in this process and cannot be opened: %s",
                         ref->module, reason);
    }
    int status = ppi_function_find_loaded(ref, out);
    if (status == PP_OK) return PP_OK; /* it stays open: the function's address is handed out */
    if (status == PP_END) {
        struct other opened = {.map = NULL};
        if (dlinfo(handle, RTLD_DI_LINKMAP, &opened.map) == 0) ppi_module_each(look_at, &opened);
        status = wrong_build(ref, &opened);
    }
    dlclose(handle);
    return status;
}

int ppi_function_find(const struct ppi_function_ref *ref, pp_function *out)
{
    if (ref->build_id_bytes < 1 || ref->build_id_bytes > PPI_BUILD_ID_MAX)
        return ppi_error(PP_ERR_FUNCTION, "malformed function reference: a build id of %d bytes (allowed: 1 … %d)",
                         ref->build_id_bytes, PPI_BUILD_ID_MAX);
    if (memchr(ref->module, '\0', sizeof ref->module) == NULL)
        return ppi_error(PP_ERR_FUNCTION, "malformed function reference: the path of the module does not end");
    int status = ppi_function_find_loaded(ref, out);
    if (status != PP_END) return status;
    if (ref->executable) {
        struct other program = {.executable = 1};
        ppi_module_each(look_at, &program);
        return wrong_build(ref, &program);
    }
    if (ref->module[0] == '\0') /* which dlopen would take for the program */
        return ppi_error(PP_ERR_FUNCTION, "malformed function reference: no path of the module");
    return find_by_opening(ref, out);
}
