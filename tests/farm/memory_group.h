/* Control groups that limit memory, where we may make them (as root). */
#ifndef MEMORY_GROUP_H
#define MEMORY_GROUP_H

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A group with that limit; its folder is stored in path. 0 when there can be none. */
static inline int make_group(char *path, size_t room, size_t limit)
{
    static const struct {
        const char *folder, *limit;
    } kinds[] = {{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char file[512];
        snprintf(path, room, "%s/ppmpi-test-%ld", kinds[i].folder, (long)getpid());
        if (mkdir(path, 0700) != 0) continue;
        snprintf(file, sizeof file, "%s/%s", path, kinds[i].limit);
        FILE *f = fopen(file, "re+");
        int ok = f && fprintf(f, "%zu\n", limit) >= 0 && fflush(f) == 0;
        if (f) fclose(f);
        if (ok) return 1;
        rmdir(path);
    }
    return 0;
}

/* This process, and what it forks from now on, is in the group. */
static inline int enter_group(const char *path)
{
    char file[512];
    snprintf(file, sizeof file, "%s/cgroup.procs", path);
    FILE *f = fopen(file, "we");
    int ok = f && fprintf(f, "%ld\n", (long)getpid()) >= 0;
    return f && fclose(f) == 0 && ok;
}

/* Back into the group above, and away with it once nobody is in it. */
static inline void leave_group(const char *path)
{
    char above[300];
    snprintf(above, sizeof above, "%s/..", path);
    enter_group(above);
    for (int i = 0; i < 200 && rmdir(path) != 0; i++) usleep(10000);
}

#endif
