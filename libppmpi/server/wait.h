/* Waiting for futures. All with the server's lock held; released in between. */
#ifndef PPI_SERVER_WAIT_H
#define PPI_SERVER_WAIT_H

#include "server/server.h"

/* PP_OK once finished, PP_TIMEOUT, or PP_ERR_HANDLE. On PP_OK the task may be read until the lock is released. */
int ppi_wait_one(struct pp_server *s, pp_future f, uint64_t deadline_ns, const char *call, struct ppi_task **task, uint32_t *index);

int ppi_wait_all(struct pp_server *s, const pp_future *f, size_t n, uint64_t deadline_ns, const char *call);

/* All of a group; NULL = everything. */
int ppi_wait_group(struct pp_server *s, const char *name, uint64_t deadline_ns);

/* The next of a group (NULL = of all) to finish; PP_END when none is outstanding. */
int ppi_wait_next(struct pp_server *s, const char *name, uint64_t deadline_ns, pp_future *f);

/* Whether a wait on this thread is over; whether this thread may still use the future. */
int ppi_task_is_ready(const struct pp_server *s, const struct ppi_task *task);
int ppi_task_is_held(const struct ppi_task *task);

/* PP_ERR_HANDLE: the future is null, or (the one at *index of an array, when index is given) stale or foreign. */
int ppi_wait_bad_handle(pp_future f, const char *call, const size_t *index);

/* only_failed: waits for one that failed; PP_END when all ended well. */
int ppi_wait_some(struct pp_server *s, const pp_future *f, size_t n, uint64_t deadline_ns, int only_failed, size_t *index,
                  const char *call);

#endif
