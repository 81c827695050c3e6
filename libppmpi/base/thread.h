/* Threads of the library. */
#ifndef PPI_BASE_THREAD_H
#define PPI_BASE_THREAD_H

#include <pthread.h>

/* Starts a thread that takes no signals: the program's are for the program's threads. Returns 0 or an errno. */
int ppi_thread_start(pthread_t *thread, void *(*body)(void *arg), void *arg);

#endif
