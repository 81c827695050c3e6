/* The CPU quota of control groups. Version 2: cpu.max; version 1: cpu.cfs_quota_us and cpu.cfs_period_us. */
#include "topology/limits.h"

#include "base/cgroup.h"

#include <stdio.h>

static void take_least(const char *dir, int version, void *arg)
{
    char line[128];
    long long quota, period = 100000; /* the kernel's default */
    double *least = arg;
    if (version == 2) {
        if (!ppi_cgroup_read(dir, "cpu.max", line, sizeof line)) return;
        if (sscanf(line, "%lld %lld", &quota, &period) < 1) return; /* "max 100000" */
    } else {
        if (!ppi_cgroup_read(dir, "cpu.cfs_quota_us", line, sizeof line) || sscanf(line, "%lld", &quota) != 1) return;
        if (!ppi_cgroup_read(dir, "cpu.cfs_period_us", line, sizeof line) || sscanf(line, "%lld", &period) != 1) return;
    }
    if (quota <= 0 || period <= 0) return;
    double cpus = (double)quota / (double)period;
    if (*least == 0 || cpus < *least) *least = cpus;
}

double ppi_cgroup_quota(const char *root)
{
    double least = 0;
    ppi_cgroup_walk(root, "cpu", take_least, &least);
    return least;
}
