/* Which control groups this process is in. A limit at any ancestor binds, so all are visited up to the mount point;
 * above that a container cannot see. */
#ifndef PPI_BASE_CGROUP_H
#define PPI_BASE_CGROUP_H

#include <stddef.h>
#include <stdio.h>

/* dir: of one group's files; version: 1 or 2, which differ in the names of the files. */
typedef void (*ppi_cgroup_visit)(const char *dir, int version, void *arg);

/* Visits the groups that have this controller ("cpu", "memory"). root is put before every path that is read: "" outside of
 * tests. */
void ppi_cgroup_walk(const char *root, const char *controller, ppi_cgroup_visit visit, void *arg);

/* A file of the group, to be read; NULL when there is none. */
FILE *ppi_cgroup_open(const char *dir, const char *name);

/* The first line of a file of the group; 0 when there is none. */
int ppi_cgroup_read(const char *dir, const char *name, char *line, size_t size);

#endif
