/* A pool of workers that are simulated too: each takes its jobs from its channel as a worker process does, and has done one when
 * its time is over. */
#ifndef TEST_SMPI_POOL_H
#define TEST_SMPI_POOL_H

#include "worker/pool.h"

/* In the place of ppi_pool_open; for one pool of each rank. All jobs are orders, whatever their function. */
int simulated_pool_open(struct ppi_pool **out, struct ppi_workspace *workspace);

#endif
