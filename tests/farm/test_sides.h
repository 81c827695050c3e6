/* For tests of memory: what a rank and its workers hold together, sampled by a thread; and how to make every task
 * run on the other rank. Included once, by the program's one file. */
#ifndef TEST_SIDES_H
#define TEST_SIDES_H

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIDES_MOST = 2 };

static struct sides {
    int count;
    long root[SIDES_MOST]; /* the ranks' pids */
    _Atomic size_t peak[SIDES_MOST];
    _Atomic int ending;
    pthread_t thread;
} sides;

static inline int sides_count(void)
{
    return sides.count;
}

/* The number behind a key in a file of /proc; 0 when there is none. */
static long proc_number(long pid, const char *name, const char *key)
{
    char path[64], line[256];
    long number = 0;
    snprintf(path, sizeof path, pid ? "/proc/%ld/%s" : "/proc/%.0ld%s", pid, name);
    FILE *file = fopen(path, "re");
    while (file && number == 0 && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0) number = strtol(line + strlen(key), NULL, 10);
    if (file) fclose(file);
    return number;
}

static inline size_t memory_available(void)
{
    return (size_t)proc_number(0, "meminfo", "MemAvailable:") << 10;
}

static int is_this_program(long pid)
{
    struct stat mine, its;
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/exe", pid);
    return stat("/proc/self/exe", &mine) == 0 && stat(path, &its) == 0 && its.st_ino == mine.st_ino && its.st_dev == mine.st_dev;
}

/* The rank that a process belongs to: its oldest ancestor that runs this program. */
static long rank_pid_of(long pid)
{
    if (!is_this_program(pid)) return 0;
    for (;;) {
        long parent = proc_number(pid, "status", "PPid:");
        if (parent <= 1 || !is_this_program(parent)) return pid;
        pid = parent;
    }
}

enum { FILES_MOST = 256 };

/* Shared memory counts once per file, with what the process that has touched most of it has touched. */
struct shared_file {
    unsigned long inode;
    size_t kib, most_kib; /* in the process that is being read, and in any */
};

static size_t read_maps(long pid, struct shared_file *files, int *count)
{
    char path[64], line[512], name[256];
    size_t private_kib = 0, kib, rss = 0;
    unsigned long inode = 0;
    snprintf(path, sizeof path, "/proc/%ld/smaps", pid);
    FILE *in = fopen(path, "re");
    for (int i = 0; i < *count; i++) files[i].kib = 0;
    while (in && fgets(line, sizeof line, in)) {
        if (sscanf(line, "%*x-%*x %*s %*s %*s %lu %255s", &inode, name) >= 1) {
            if (!strstr(line, "/memfd:") && !strstr(line, "/dev/shm/")) inode = 0;
        } else if (sscanf(line, "Rss: %zu kB", &kib) == 1) {
            rss = kib;
        } else if (sscanf(line, "Anonymous: %zu kB", &kib) == 1) {
            int i = 0;
            private_kib += kib;
            while (i < *count && files[i].inode != inode) i++;
            if (!inode || i == FILES_MOST) continue;
            if (i == *count) files[(*count)++] = (struct shared_file){.inode = inode};
            files[i].kib += rss - kib;
            if (files[i].kib > files[i].most_kib) files[i].most_kib = files[i].kib;
        }
    }
    if (in) fclose(in);
    return private_kib;
}

static void sides_sample(void)
{
    static struct shared_file files[SIDES_MOST][FILES_MOST];
    size_t kib[SIDES_MOST] = {0};
    int count[SIDES_MOST] = {0};
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && (entry = readdir(proc))) {
        long pid = strtol(entry->d_name, NULL, 10), root = pid > 0 ? rank_pid_of(pid) : 0;
        for (int i = 0; root && i < sides.count; i++)
            if (root == sides.root[i]) kib[i] += read_maps(pid, files[i], &count[i]);
    }
    if (proc) closedir(proc);
    for (int i = 0; i < sides.count; i++) {
        for (int k = 0; k < count[i]; k++) kib[i] += files[i][k].most_kib;
        if (kib[i] << 10 > sides.peak[i]) sides.peak[i] = kib[i] << 10;
    }
}

static void *sides_thread(void *arg)
{
    while (!sides.ending) {
        sides_sample();
        usleep(100000);
    }
    return arg;
}

/* The peak since the last watch. */
static inline void sides_watch(void)
{
    for (int i = 0; i < sides.count; i++) sides.peak[i] = 0;
}

static inline size_t sides_peak(int side)
{
    return sides.peak[side];
}

/* ---- where tasks run */

static char hold_path[] = "/tmp/ppmpi-test-XXXXXX";
static pp_future held[64];
static int holding;

static inline void hold(pp_task *task)
{
    const char *path = pp_task_args(task, NULL);
    for (int i = 0; i < 60000 && access(path, F_OK) == 0; i++) usleep(10000);
}

static inline pp_task_info info_of(pp_future f)
{
    pp_task_info info = {.size = sizeof info};
    CHECK_INT(pp_info(f, &info), PP_OK);
    return info;
}

/* From now on the workers of rank 0 are taken, if there is another rank. Finds out who is who. */
static inline void sides_begin(void)
{
    pp_node node;
    int workers = pp_get_ncpus(server), file = mkstemp(hold_path);
    CHECK(file >= 0);
    close(file);
    int others = pp_get_active_nodes(server, &node, 1) > 1 || node.ranks > 1;
    sides.count = 1;
    sides.root[0] = getpid();
    for (int i = 0; i < workers && i < 64 && others; i++) held[holding++] = pp_submit(server, hold, hold_path, sizeof hold_path);
    for (int i = 0; i < holding; i++) {
        pp_task_info info;
        while ((info = info_of(held[i])).state != PP_RUNNING) usleep(1000);
        if (info.rank == 0) continue;
        sides.count = 2;
        sides.root[1] = rank_pid_of(info.pid);
        CHECK_INT(pp_cancel(held[i]), PP_OK);
        CHECK_INT(pp_wait(held[i]), PP_OK);
    }
    CHECK_INT(pthread_create(&sides.thread, NULL, sides_thread, NULL), 0);
}

static inline void sides_end(void)
{
    sides.ending = 1;
    pthread_join(sides.thread, NULL);
    unlink(hold_path);
    for (int i = 0; i < holding; i++) {
        CHECK_INT(pp_wait(held[i]), PP_OK);
        pp_release(held[i]);
    }
}

#endif
