#include "module/hold.h"

#include "base/memory.h"
#include "base/status.h"
#include "function/identity.h"
#include "function/module.h"
#include "module/closure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* since Linux 6.3, which may be told to make memory that is not for code otherwise */
#endif

void ppi_module_store_init(struct ppi_module_store *store, struct ppi_workspace *workspace)
{
    *store = (struct ppi_module_store){.workspace = workspace};
}

void ppi_module_store_fini(struct ppi_module_store *store)
{
    for (uint32_t i = 0; store->images && i < PPI_MODULES_MAX;
         i++) /* what is still mapped, something may still write to */
        if (store->images[i].fd >= 0) close(store->images[i].fd);
    free(store->images);
    store->images = NULL;
}

static struct ppi_module_image *image_of(struct ppi_module_store *store, uint32_t number)
{
    if (!store->images) {
        store->images = malloc(PPI_MODULES_MAX * sizeof *store->images);
        if (!store->images) return NULL;
        for (uint32_t i = 0; i < PPI_MODULES_MAX; i++)
            store->images[i] = (struct ppi_module_image){.fd = -1};
    }
    return &store->images[number % PPI_MODULES_MAX];
}

void ppi_module_fail(struct ppi_module_store *store, uint32_t number, int status, const char *why)
{
    struct ppi_module_entry *entry = ppi_module_entry(store->workspace, number);
    entry->status = status;
    snprintf(entry->why, sizeof entry->why, "%s", why);
    ppi_module_publish(entry, PPI_MODULE_FAILED);
}

void ppi_module_hold(struct ppi_module_store *store, uint32_t number, const struct ppi_module_info *info, int fd)
{
    struct ppi_module_entry *entry = ppi_module_entry(store->workspace, number);
    struct ppi_module_image *image = image_of(store, number);
    entry->info = *info;
    if (!image) {
        if (fd >= 0) close(fd);
        ppi_module_fail(store, number, PP_ERR_NOMEM, "no memory for a list of modules");
        return;
    }
    image->fd = entry->fd = fd;
    entry->pid = getpid();
    ppi_module_publish(entry, PPI_MODULE_READY);
}

int ppi_module_offer(struct ppi_module_store *store, uint32_t number, const struct ppi_module_info *info)
{
    struct ppi_module_entry *entry = ppi_module_entry(store->workspace, number);
    if (ppi_module_state(entry) != PPI_MODULE_NONE) return -1;
    /* Its file first: workers that are started anew can open it, too. */
    int fd = ppi_file_open(info->path, info->build_id, info->build_id_bytes);
    if (fd >= 0 || ppi_module_was_inherited(info->build_id, info->build_id_bytes)) {
        ppi_module_hold(store, number, info, fd);
        return 1;
    }
    entry->info = *info;
    ppi_module_publish(entry, PPI_MODULE_ARRIVING);
    return 0;
}

static int runs_code(int fd)
{
    void *page = ftruncate(fd, 1) == 0 ? mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    return page != MAP_FAILED && munmap(page, 1) == 0;
}

/* A file without a name, from which code can be run. -1 with errno: EACCES when the system lets none be run. */
static int make_file(const char *path)
{
    const char *folder = getenv("TMPDIR");
    char name[200];
    int refused = 0;
    snprintf(name, sizeof name, "%.199s", ppi_file_name(path));
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0) fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    for (int i = 0; i < 2; i++) {
        if (fd >= 0 && runs_code(fd)) return fd;
        refused |= errno == EACCES || errno == EPERM;
        if (fd >= 0) close(fd);
        if (i == 0) fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0700);
    }
    if (refused) errno = EACCES;
    return -1;
}

void *ppi_module_receive(struct ppi_module_store *store, uint32_t number)
{
    const struct ppi_module_info *info = &ppi_module_entry(store->workspace, number)->info;
    struct ppi_module_image *image = image_of(store, number);
    char why[256];
    int fd = -1, error = 0;
    void *map = MAP_FAILED;
    if (image && info->bytes && ppi_memory_is_there(info->bytes, NULL)) {
        fd = make_file(info->path);
        if (fd < 0)
            error = errno;
        else if (!(error = posix_fallocate(fd, 0, (off_t)info->bytes)))
            map = mmap(NULL, info->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (map != MAP_FAILED) {
        *image = (struct ppi_module_image){fd, map, info->bytes};
        return map;
    }
    if (fd >= 0) close(fd);
    if (error == EACCES)
        snprintf(why, sizeof why,
                 "this system lets no code be run from memory (memfd_create), nor from a file in $TMPDIR");
    else
        snprintf(why, sizeof why, "no memory for its %llu bytes%s%s", (unsigned long long)info->bytes,
                 error ? ": " : "", error ? strerror(error) : "");
    ppi_module_fail(store, number, error == EACCES ? PP_ERR_MODULE : PP_ERR_NOMEM, why);
    return NULL;
}

int ppi_module_is_arriving(const struct ppi_module_store *store, uint32_t number)
{
    return store->images && store->images[number % PPI_MODULES_MAX].map;
}

void ppi_module_arrived(struct ppi_module_store *store, uint32_t number)
{
    struct ppi_module_entry *entry = ppi_module_entry(store->workspace, number);
    struct ppi_module_image *image = image_of(store, number);
    munmap(image->map, image->bytes);
    image->map = NULL;
    fcntl(image->fd, F_ADD_SEALS,
          F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL); /* a task could open it for writing */
    entry->fd = image->fd;
    entry->pid = getpid();
    ppi_module_publish(entry, PPI_MODULE_READY);
}
