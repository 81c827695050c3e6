/* Descriptors that a launcher left open in us. A worker must not hold them: the launcher waits for their end. */
#include "launch/launch.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct inherited {
    int fd;
    dev_t device;
    ino_t inode;
} *inherited;
static size_t inherited_count;

/* A launcher speaks through sockets, pipes and anonymous inodes. Files and terminals are the user's ("3<data"). */
static int is_connection(const struct stat *info)
{
    return !S_ISREG(info->st_mode) && !S_ISDIR(info->st_mode) && !S_ISCHR(info->st_mode) && !S_ISBLK(info->st_mode);
}

/* In a constructor, as the program has opened nothing of its own yet. */
__attribute__((constructor)) static void record_inherited(void)
{
    struct ppi_launch launch;
    ppi_launch_detect(&launch);
    if (!launch.launched) return;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) return;
    size_t room = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        struct stat info;
        if (end == entry->d_name || *end != '\0' || fd < 3 || fd == dirfd(dir)) continue;
        if (fstat((int)fd, &info) != 0 || !is_connection(&info)) continue;
        if (inherited_count == room) {
            struct inherited *more = realloc(inherited, (room = room ? 2 * room : 32) * sizeof *more);
            if (!more) break;
            inherited = more;
        }
        inherited[inherited_count++] = (struct inherited){(int)fd, info.st_dev, info.st_ino};
    }
    closedir(dir);
}

void ppi_launch_close_inherited(void)
{
    /* The program may have closed one since and have got its number for something of its own. */
    for (size_t i = 0; i < inherited_count; i++) {
        struct stat info;
        if (fstat(inherited[i].fd, &info) == 0 && info.st_dev == inherited[i].device &&
            info.st_ino == inherited[i].inode)
            close(inherited[i].fd);
    }
    inherited_count = 0;
}
