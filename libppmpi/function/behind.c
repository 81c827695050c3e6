#include "function/function.h"

#include "function/module.h"

#include <dlfcn.h>
#include <string.h>

struct place {
    const struct link_map *map;
    uintptr_t address;
};

static int holds(const struct ppi_module *module, void *arg)
{
    const struct place *p = arg;
    return ppi_module_is(module, p->map->l_addr, p->map->l_name) && ppi_module_holds(module, p->address);
}

/* What the name means in the library itself, which is not what it means to the program. */
static void *defined_in(const struct link_map *map, const char *name)
{
    void *handle = *map->l_name ? dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    if (!handle) return NULL;
    void *address = dlsym(handle, name);
    if (address && !ppi_module_each(holds, &(struct place){map, (uintptr_t)address}))
        address = NULL; /* of a library that it needs, which has its turn */
    dlclose(handle);
    return address;
}

pp_function ppi_function_behind(pp_function fn)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    const struct link_map *map;
    void *program, *found = NULL;
    /* The program gives it an address and does not define it. */
    if (!fn || !dladdr1((void *)(uintptr_t)fn, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol ||
        symbol->st_shndx != SHN_UNDEF || info.dli_saddr != (void *)(uintptr_t)fn ||
        !(program = dlopen(NULL, RTLD_LAZY)))
        return fn;
    if (dlinfo(program, RTLD_DI_LINKMAP, &map) == 0)
        while (!found && (map = map->l_next))
            found = defined_in(map, info.dli_sname);
    dlclose(program);
    return found ? (pp_function)(uintptr_t)found : fn;
}
