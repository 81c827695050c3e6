#include "function/identity.h"

#include "function/module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTES_MOST ((uint64_t)1 << 20) /* larger ones are not what they say */

int ppi_id_in_notes(const unsigned char *p, size_t bytes, size_t align, unsigned char id[PPI_BUILD_ID_MAX])
{
    while (bytes >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, p, sizeof note);
        size_t name_end = sizeof note + (size_t)note.n_namesz;
        size_t data = (name_end + align - 1) / align * align, data_end = data + note.n_descsz;
        if (data_end > bytes) return 0;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(p + sizeof note, "GNU", 4) == 0 &&
            note.n_descsz >= 1 && note.n_descsz <= PPI_BUILD_ID_MAX && note.n_descsz != PPI_MODULE_HASH_BYTES) {
            memcpy(id, p + data, note.n_descsz);
            return (int)note.n_descsz;
        }
        size_t next = (data_end + align - 1) / align * align;
        if (next > bytes) return 0;
        p += next;
        bytes -= next;
    }
    return 0;
}

/* Two lanes of multiply and rotate: not against forgery, but two builds do not meet by chance. */
static void hash_word(struct ppi_hash *h, uint64_t word)
{
    h->a = (h->a ^ word) * 0x9e3779b97f4a7c15u;
    h->a ^= h->a >> 29;
    h->b = ((h->b << 23 | h->b >> 41) + word) * 0xd1342543de82ef95u;
    h->b ^= h->b >> 32;
}

/* Reads whole segments: what AddressSanitizer has put between the constants too. */
__attribute__((no_sanitize_address)) static void hash_bytes(struct ppi_hash *h, const unsigned char *p, size_t bytes)
{
    uint64_t word;
    for (; bytes >= sizeof word; p += sizeof word, bytes -= sizeof word) {
        memcpy(&word, p, sizeof word);
        hash_word(h, word);
    }
    word = 0;
    for (size_t i = 0; i < bytes; i++)
        word |= (uint64_t)p[i] << 8 * i;
    hash_word(h, word);
}

void ppi_hash_segment(struct ppi_hash *h, const ElfW(Phdr) * segment, const unsigned char *contents)
{
    hash_word(h, segment->p_vaddr);
    hash_word(h, segment->p_memsz);
    hash_bytes(h, contents, segment->p_memsz);
}

int ppi_hash_end(const struct ppi_hash *h, unsigned char id[PPI_BUILD_ID_MAX])
{
    id[0] = 0;
    memcpy(id + 1, &h->a, sizeof h->a);
    memcpy(id + 9, &h->b, sizeof h->b);
    return PPI_MODULE_HASH_BYTES;
}

/* ---- Of files ------------------------------------------------------------------------------------------ */

struct source { /* a file, or the bytes of one */
    int fd;
    const unsigned char *image;
    uint64_t bytes;
};

static int read_at(const struct source *source, uint64_t offset, uint64_t bytes, void *to)
{
    if (offset > source->bytes || bytes > source->bytes - offset) return 0;
    if (source->image) {
        memcpy(to, source->image + offset, bytes);
        return 1;
    }
    for (uint64_t at = 0; at < bytes;) {
        ssize_t n = pread(source->fd, (char *)to + at, bytes - at, (off_t)(offset + at));
        if (n <= 0) return 0;
        at += (uint64_t)n;
    }
    return 1;
}

/* A part of it in a block of its own; NULL when there is no such part. */
static void *read_part(const struct source *source, uint64_t offset, uint64_t bytes)
{
    if (offset > source->bytes || bytes > source->bytes - offset) return NULL;
    void *part = malloc(bytes ? bytes : 1);
    if (part && read_at(source, offset, bytes, part)) return part;
    free(part);
    return NULL;
}

static int has_our_format(const ElfW(Ehdr) * h)
{
    const ElfW(Half) order = 1;
    int little = *(const unsigned char *)&order;
    return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 &&
           h->e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
           h->e_ident[EI_DATA] == (little ? ELFDATA2LSB : ELFDATA2MSB) && h->e_type == ET_DYN &&
           h->e_phentsize == sizeof(ElfW(Phdr)) && h->e_phnum > 0;
}

static int hash_source(const struct source *source, const ElfW(Phdr) * segments, size_t count, unsigned char *id)
{
    struct ppi_hash h = PPI_HASH_INIT;
    int any = 0;
    for (size_t i = 0; i < count; i++) {
        if (!ppi_hash_counts(&segments[i])) continue;
        if (segments[i].p_filesz != segments[i].p_memsz) return 0;
        unsigned char *contents = read_part(source, segments[i].p_offset, segments[i].p_filesz);
        if (!contents) return 0;
        ppi_hash_segment(&h, &segments[i], contents);
        free(contents);
        any = 1;
    }
    return any ? ppi_hash_end(&h, id) : 0;
}

static int identify(const struct source *source, unsigned char id[PPI_BUILD_ID_MAX])
{
    ElfW(Ehdr) h;
    if (!read_at(source, 0, sizeof h, &h) || !has_our_format(&h)) return 0;
    ElfW(Phdr) *segments = read_part(source, h.e_phoff, (uint64_t)h.e_phnum * sizeof *segments);
    if (!segments) return 0;
    int length = 0;
    for (size_t i = 0; i < h.e_phnum && length == 0; i++) {
        const ElfW(Phdr) *s = &segments[i];
        if (s->p_type != PT_NOTE || s->p_filesz > NOTES_MOST) continue;
        unsigned char *notes = read_part(source, s->p_offset, s->p_filesz);
        if (notes) length = ppi_id_in_notes(notes, s->p_filesz, s->p_align == 8 ? 8 : 4, id);
        free(notes);
    }
    if (length == 0) length = hash_source(source, segments, h.e_phnum, id);
    free(segments);
    return length;
}

int ppi_file_id(int fd, unsigned char id[PPI_BUILD_ID_MAX])
{
    struct stat s;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) return 0;
    return identify(&(struct source){.fd = fd, .bytes = (uint64_t)s.st_size}, id);
}

int ppi_image_id(const void *image, uint64_t bytes, unsigned char id[PPI_BUILD_ID_MAX])
{
    return identify(&(struct source){.fd = -1, .image = image, .bytes = bytes}, id);
}

int ppi_file_open(const char *path, const unsigned char *id, int id_bytes)
{
    unsigned char found[PPI_BUILD_ID_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return -1;
    if (ppi_same_build(found, ppi_file_id(fd, found), id, id_bytes)) return fd;
    close(fd);
    errno = ENOEXEC;
    return -1;
}
