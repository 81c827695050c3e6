#include "module/alias.h"

#include "base/status.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STRINGS 1200

/* Everything that the loader wants to see of a library, in one segment. */
struct library {
    ElfW(Ehdr) header;
    ElfW(Phdr) segments[3];
    ElfW(Dyn) dynamic[9];
    ElfW(Sym) symbols[1];
    struct { /* of symbols by name: one bucket, and nothing in it */
        uint32_t buckets, first, words, shift;
        ElfW(Addr) filter[1];
        uint32_t bucket[1], chain[1];
    } hash;
    char strings[STRINGS];
};

/* What depends on the machine, from this program's own file. */
static int own_header(ElfW(Ehdr) * h)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int ok = fd >= 0 && read(fd, h, sizeof *h) == (ssize_t)sizeof *h;
    if (fd >= 0) close(fd);
    return ok;
}

static void fill(struct library *l, const char *path, const char *name)
{
    size_t path_at = 1, name_at = path_at + strlen(path) + 1;
    strcpy(l->strings + path_at, path);
    strcpy(l->strings + name_at, name);
    l->header.e_type = ET_DYN;
    l->header.e_entry = 0;
    l->header.e_phoff = offsetof(struct library, segments);
    l->header.e_shoff = 0;
    l->header.e_ehsize = sizeof l->header;
    l->header.e_phentsize = sizeof l->segments[0];
    l->header.e_phnum = 3;
    l->header.e_shnum = l->header.e_shstrndx = 0;
    /* Writable, because the loader puts addresses into the dynamic section. */
    l->segments[0] = (ElfW(Phdr)){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_filesz = sizeof *l, .p_memsz = sizeof *l, .p_align = 65536};
    l->segments[1] = (ElfW(Phdr)){.p_type = PT_DYNAMIC,
                                  .p_flags = PF_R | PF_W,
                                  .p_offset = offsetof(struct library, dynamic),
                                  .p_vaddr = offsetof(struct library, dynamic),
                                  .p_paddr = offsetof(struct library, dynamic),
                                  .p_filesz = sizeof l->dynamic,
                                  .p_memsz = sizeof l->dynamic,
                                  .p_align = sizeof(void *)};
    l->segments[2] = (ElfW(Phdr)){
        .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16}; /* or the stack becomes executable */
    const ElfW(Dyn) dynamic[] = {{.d_tag = DT_NEEDED, .d_un.d_val = path_at},
                                 {.d_tag = DT_SONAME, .d_un.d_val = name_at},
                                 {.d_tag = DT_GNU_HASH, .d_un.d_ptr = offsetof(struct library, hash)},
                                 {.d_tag = DT_STRTAB, .d_un.d_ptr = offsetof(struct library, strings)},
                                 {.d_tag = DT_SYMTAB, .d_un.d_ptr = offsetof(struct library, symbols)},
                                 {.d_tag = DT_STRSZ, .d_un.d_val = sizeof l->strings},
                                 {.d_tag = DT_SYMENT, .d_un.d_val = sizeof l->symbols[0]},
                                 {.d_tag = DT_NULL}};
    memcpy(l->dynamic, dynamic, sizeof dynamic);
    l->hash.buckets = l->hash.first = l->hash.words = 1;
}

int ppi_module_new_path(const char *folder, int fd, char *path, size_t bytes)
{
    size_t end = (size_t)snprintf(path, bytes, "%s", folder);
    for (int n = 0; n <= 100 && end + 16 < bytes; n++, end += 2) {
        void *handle;
        snprintf(path + end, bytes - end, "%d", fd);
        if (!(handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD))) return 1;
        dlclose(handle);
        memcpy(path + end, "./", 3);
    }
    return 0;
}

static void *open_new(int fd)
{
    char path[256];
    if (!ppi_module_new_path("/proc/self/fd/", fd, path, sizeof path)) return NULL;
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

void *ppi_module_call(const char *path, const char *name)
{
    struct library l;
    memset(&l, 0, sizeof l);
    if (strlen(path) + strlen(name) + 3 > sizeof l.strings || !own_header(&l.header))
        return ppi_error(PP_ERR_MODULE, "a library '%.200s' cannot be made", name), NULL;
    fill(&l, path, name);
    int fd = memfd_create(name, MFD_CLOEXEC);
    void *handle = NULL;
    if (fd >= 0 && write(fd, &l, sizeof l) == (ssize_t)sizeof l) handle = open_new(fd);
    if (fd >= 0) close(fd);
    if (handle) return handle;
    const char *text = dlerror();
    ppi_error(PP_ERR_MODULE, "a library '%.200s' cannot be made: %.300s", name,
              text ? text : "the system does not allow it");
    return NULL;
}
