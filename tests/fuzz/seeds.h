/* Seeds for a fuzz target, written by the target itself into its corpus folder when that is empty of them. */
#ifndef TEST_FUZZ_SEEDS_H
#define TEST_FUZZ_SEEDS_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The first argument that is a folder, as libFuzzer takes it; NULL when there is none. */
static inline const char *seeds_folder(int argc, char **argv)
{
    struct stat s;
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-' && stat(argv[i], &s) == 0 && S_ISDIR(s.st_mode)) return argv[i];
    return NULL;
}

static inline void seeds_write(const char *folder, const char *name, const void *data, size_t bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/seed-%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file) return;
    fwrite(data, 1, bytes, file);
    fclose(file);
}

#endif
