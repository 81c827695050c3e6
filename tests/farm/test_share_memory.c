/* Shared data is one copy of memory per node, whatever the number of ranks and workers, and that is gone after pp_unshare.
 * ranks: 2 4
 * nodes: 2/1 4/2 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MIB ((size_t)1 << 20)
#define BYTES (24 * MIB)

/* What a worker finds at an address: which file lies there, and how much memory of its own the process has there. */
struct found {
    char host[64];
    int worker, right;
    unsigned long long inode, private_kib;
};

static int find_mapping(const void *address, struct found *found)
{
    FILE *smaps = fopen("/proc/self/smaps", "re");
    char line[512];
    unsigned long long low, high, inode, kib;
    int inside = 0, lines = 0;
    if (!smaps) return 0;
    found->private_kib = 0;
    while (fgets(line, sizeof line, smaps)) {
        if (sscanf(line, "%llx-%llx %*s %*s %*s %llu", &low, &high, &inode) == 3) {
            inside = (uintptr_t)address >= low && (uintptr_t)address < high;
            if (inside) found->inode = inode;
        } else if (inside && sscanf(line, "Anonymous: %llu", &kib) == 1) {
            found->private_kib += kib;
            lines++;
        }
    }
    fclose(smaps);
    return lines;
}

static void find(pp_task *task)
{
    pp_shared shared;
    size_t bytes;
    memcpy(&shared, pp_task_args(task, NULL), sizeof shared);
    const void *data = pp_shared_data(shared, &bytes);
    struct found *f = pp_task_result(task, sizeof *f);
    memset(f, 0, sizeof *f);
    gethostname(f->host, sizeof f->host - 1);
    f->worker = pp_task_worker(task);
    f->right = data && bytes == BYTES && has_pattern(data, bytes, 3) && find_mapping(data, f);
}

/* Memory behind rank 0's segment of shared data. */
static size_t memory_of_the_node(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *e;
    size_t bytes = 0;
    int count = 0;
    while (dir && (e = readdir(dir))) {
        char target[256] = "";
        struct stat s;
        if (readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1) < 0 || !strstr(target, "ppmpi-shared")) continue;
        if (fstat(atoi(e->d_name), &s) == 0) bytes = (size_t)s.st_blocks * 512;
        count++;
    }
    if (dir) closedir(dir);
    CHECK_INT(count, 1);
    return bytes;
}

static int workers_asked;

static void ask_every_worker(pp_shared shared, unsigned long long *inode)
{
    enum { ROUND = 16 };
    char seen[1024] = {0}, host[64];
    int missing = pp_get_ncpus(server);
    double give_up = seconds_now() + patience(40);
    gethostname(host, sizeof host - 1);
    host[sizeof host - 1] = '\0';
    while (missing > 0 && seconds_now() < give_up) {
        pp_future f[ROUND];
        for (int i = 0; i < ROUND; i++) f[i] = pp_submit(server, find, &shared, sizeof shared);
        for (int i = 0; i < ROUND; i++) {
            struct found found;
            CHECK_INT(pp_fetch(f[i], &found, sizeof found), PP_OK);
            CHECK(found.right);
            CHECK_INT(found.private_kib, 0);
            if (strcmp(found.host, host) == 0) {
                /* All of this node have the same file there. */
                if (*inode == 0) *inode = found.inode;
                CHECK_INT(found.inode, *inode);
            }
            if (found.worker < 0 || found.worker >= 1024 || seen[found.worker]) continue;
            seen[found.worker] = 1;
            missing--;
            workers_asked++;
        }
    }
    CHECK_INT(missing, 0);
}

static void one_copy_per_node_that_goes_with_the_unshare(void)
{
    unsigned char *data = malloc(BYTES);
    fill_pattern(data, BYTES, 3);
    size_t before = memory_of_the_node();
    unsigned long long inode = 0;
    for (int round = 0; round < 3; round++) {
        pp_shared shared;
        CHECK_INT(pp_share(server, data, BYTES, &shared), PP_OK);
        CHECK(memory_of_the_node() >= before + BYTES);
        CHECK(memory_of_the_node() <= before + BYTES + MIB);
        ask_every_worker(shared, &inode);
        CHECK(memory_of_the_node() <= before + BYTES + MIB);
        CHECK_INT(pp_unshare(server, shared), PP_OK);
        /* Nothing is called: it goes by itself. */
        double give_up = seconds_now() + patience(20);
        while (memory_of_the_node() > before + MIB && seconds_now() < give_up) pause_for(0.001);
        CHECK(memory_of_the_node() <= before + MIB);
    }
    free(data);
}

static void thousands_of_small_ones_take_no_more_than_they_need(void)
{
    enum { N = 20000 };
    static pp_shared shared[N];
    char data[100] = "x";
    size_t before = memory_of_the_node();
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < N; i++) CHECK_INT(pp_share(server, data, sizeof data, &shared[i]), PP_OK);
        CHECK(memory_of_the_node() <= before + N * 200);
        for (int i = 0; i < N; i++) CHECK_INT(pp_unshare(server, shared[i]), PP_OK);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(one_copy_per_node_that_goes_with_the_unshare),
        TEST(thousands_of_small_ones_take_no_more_than_they_need),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
