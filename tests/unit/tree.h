/* A tree of files under a temporary root, in the place of /proc and /sys. */
#ifndef UNIT_TREE_H
#define UNIT_TREE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char base[64], root[96];

static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(base); (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* In the process that forks the tests, so that a failed one leaves nothing behind. */
static void make_base(void)
{
    strcpy(base, "/tmp/ppmpi-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
}

static void remove_base(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    ck_assert_int_eq(system(command), 0);
}

#endif
