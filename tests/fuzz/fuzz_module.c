/* Files that may be modules: whatever they contain, they have an identity of a length that can be, or none, and
 * are not read beyond their end. */
#include "fuzz/seeds.h"

#include "function/identity.h"
#include "function/module.h"

#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    unsigned char id[PPI_BUILD_ID_MAX], again[PPI_BUILD_ID_MAX];
    unsigned char *exact = malloc(bytes ? bytes : 1); /* AddressSanitizer sees a byte too far */
    if (!exact) return 0;
    if (bytes) memcpy(exact, data, bytes);
    int length = ppi_image_id(exact, bytes, id);
    if (length < 0 || length > PPI_BUILD_ID_MAX) abort();
    if (ppi_image_id(exact, bytes, again) != length || (length && memcmp(id, again, (size_t)length) != 0)) abort();
    free(exact);
    return 0;
}

/* A small module: headers and a note with a build id. Without the note, its one segment is hashed. */
static size_t make_module(uint8_t *to, int with_note)
{
    struct {
        ElfW(Ehdr) header;
        ElfW(Phdr) segments[2];
        ElfW(Nhdr) note;
        char name[4];
        unsigned char id[20];
    } m;
    memset(&m, 0, sizeof m);
    int fd = open("/proc/self/exe", O_RDONLY);
    if (fd < 0 || read(fd, &m.header, sizeof m.header) != (ssize_t)sizeof m.header) abort();
    close(fd);
    m.header.e_type = ET_DYN;
    m.header.e_phoff = sizeof m.header;
    m.header.e_phnum = with_note ? 2 : 1;
    m.segments[0] = (ElfW(Phdr)){.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = sizeof m, .p_memsz = sizeof m};
    m.segments[1] = (ElfW(Phdr)){.p_type = PT_NOTE,
                                 .p_flags = PF_R,
                                 .p_offset = (size_t)((char *)&m.note - (char *)&m),
                                 .p_filesz = 36,
                                 .p_align = 4};
    m.note = (ElfW(Nhdr)){.n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID};
    memcpy(m.name, "GNU", 4);
    memset(m.id, 7, sizeof m.id);
    memcpy(to, &m, sizeof m);
    return sizeof m;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = seeds_folder(*argc, *argv);
    uint8_t module[4096];
    unsigned char id[PPI_BUILD_ID_MAX];
    for (int with_note = 0; with_note < 2; with_note++) {
        size_t bytes = make_module(module, with_note);
        if (ppi_image_id(module, bytes, id) != (with_note ? 20 : PPI_MODULE_HASH_BYTES)) abort();
        if (folder) seeds_write(folder, with_note ? "note" : "hash", module, bytes);
    }
    return 0;
}
