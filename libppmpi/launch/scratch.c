#include "launch/scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    remove(path);
    return 0;
}

void ppi_scratch_remove(pid_t mpirun)
{
    static const char *const variables[] = {"OMPI_MCA_orte_local_tmpdir_base", "OMPI_MCA_orte_tmpdir_base", "TMPDIR",
                                            "TEMP", "TMP"};
    const char *base = NULL;
    char host[256] = "", path[1024];
    for (size_t i = 0; i < sizeof variables / sizeof variables[0] && !base; i++)
        base = getenv(variables[i]);
    gethostname(host, sizeof host - 1);
    int parent = snprintf(path, sizeof path, "%s/ompi.%s.%ld", base ? base : "/tmp", host, (long)geteuid());
    if (parent >= (int)sizeof path) return;
    int whole = parent + snprintf(path + parent, sizeof path - (size_t)parent, "/pid.%ld", (long)mpirun);
    if (whole >= (int)sizeof path) return;
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    path[parent] = '\0';
    rmdir(path); /* when nobody else's is in it */
}
