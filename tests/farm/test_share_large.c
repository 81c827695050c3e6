/* More than 2 GiB in one piece. Skipped where memory is scarce.
 * nodes: 2/1 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <fcntl.h>
#include <sys/mman.h>

#define BYTES (((size_t)2 << 30) + (64 << 10) + 5)
#define STEP 4099 /* every so many bytes one that tells its place */

static void mark(unsigned char *data)
{
    for (size_t i = 0; i < BYTES; i += STEP) data[i] = (unsigned char)(1 + (i >> 12) % 251);
    data[BYTES - 1] = 77;
}

static void look_all_over(pp_task *task)
{
    pp_shared shared;
    size_t bytes, *wrong = pp_task_result(task, sizeof *wrong);
    memcpy(&shared, pp_task_args(task, NULL), sizeof shared);
    const unsigned char *data = pp_shared_data(shared, &bytes);
    *wrong = !data || bytes != BYTES || data[BYTES - 1] != 77;
    for (size_t i = 0; data && i < BYTES - 1; i += STEP) *wrong += data[i] != 1 + (i >> 12) % 251;
}

static void two_gigabytes_and_more(void)
{
    unsigned char *data = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(data != MAP_FAILED);
    mark(data);
    pp_shared shared;
    CHECK_INT(pp_share(server, data, BYTES, &shared), PP_OK);
    munmap(data, BYTES);
    pp_future f[8];
    for (int i = 0; i < 8; i++) f[i] = pp_submit(server, look_all_over, &shared, sizeof shared);
    CHECK_INT(pp_unshare(server, shared), PP_OK);
    for (int i = 0; i < 8; i++) {
        size_t wrong = 1;
        CHECK_INT(pp_fetch(f[i], &wrong, sizeof wrong), PP_OK);
        CHECK_INT(wrong, 0);
    }
}

static unsigned long long available_mib(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long kib, available = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu", &kib) == 1) available = kib / 1024;
    if (file) fclose(file);
    return available;
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(two_gigabytes_and_more)};
    /* Twice the data, or three times where two nodes are played on one machine, and something to spare. */
    int enough = available_mib() > 8000;
    open_or_exit(&argc, &argv, NULL);
    if (enough) return run_tests(tests, 1);
    pp_server_close(server);
    printf("skipped: less than 8 GB of memory are available\n");
    return 77;
}
