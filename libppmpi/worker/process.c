/* A worker process, from fork to exit. */
#include "worker/forkserver.h"
#include "worker/worker.h"

#include "base/role.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGH_FD 200 /* the pipes' reading ends go up here, out of the way of the numbers that programs expect */

extern void omp_set_num_threads(int threads) __attribute__((weak));

/* A task has called exit, or a forked child of one has: the program's own exit handlers, registered earlier and so run
 * later than this one, are not for workers. */
static void leave(int status, void *unused)
{
    (void)unused;
    ppi_collector_flush_leaving();
    _exit(status);
}

/* A task has ended the worker's own thread by pthread_exit. The process would stay as long as any other thread does, and its
 * job with it. */
static void thread_left(void *unused)
{
    leave(0, unused);
}

static void watch_own_thread(void *something)
{
    pthread_key_t key;
    if (pthread_key_create(&key, thread_left) == 0) pthread_setspecific(key, something);
}

static int move_up(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    if (high < 0) return fd;
    close(fd);
    return high;
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (write(fd, text, strlen(text)) < 0) { /* not allowed: no matter */ }
    close(fd);
}

static void set_threads(int cores)
{
    char text[16];
    snprintf(text, sizeof text, "%d", cores);
    if (getenv("OMP_NUM_THREADS")) return; /* the user has decided */
    setenv("OMP_NUM_THREADS", text, 1);    /* for programs that a task starts */
    if (omp_set_num_threads) omp_set_num_threads(cores); /* this process's runtime has read the variable already */
}

/* A page that the kernel empties in a forked child; NULL before Linux 4.14. */
static char *alive_page(void)
{
    long page = sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if (madvise(p, (size_t)page, MADV_WIPEONFORK) != 0) {
        munmap(p, (size_t)page);
        return NULL;
    }
    *p = 1;
    return p;
}

/* Lines of a task that runs on shall be seen: stdout is buffered as for a terminal. A stream that the program has made
 * unbuffered stays so. */
static void buffer_by_line(void)
{
    if (__fbufsize(stdout) != 1 && !__flbf(stdout)) setvbuf(stdout, NULL, _IOLBF, 0);
}

void ppi_worker_process(struct ppi_workspace *workspace, const struct ppi_worker_start *start, long parent)
{
    static struct ppi_worker worker;
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGTSTP};
    setpgid(0, 0); /* a task that signals its group, as scripts do by `kill 0`, means itself and what it has started */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    /* Ctrl-C, and SIGUSR1 from launchers, are for the program and come to its group only. */
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) signal(ignored[i], SIG_DFL);
    /* It is in the background of the program's terminal: what a task does there fails, and does not stop it for ever. */
    signal(SIGTTIN, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    ppi_role_set(PPI_ROLE_WORKER);
    /* So that what a task leaves behind can be told from what others left. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "ppmpi-worker");
    write_file("/proc/self/oom_score_adj", "1000");
    if (dup2(start->write_fd[0], STDOUT_FILENO) < 0 || dup2(start->write_fd[1], STDERR_FILENO) < 0) _exit(1);
    close(start->write_fd[0]);
    close(start->write_fd[1]);
    buffer_by_line();
    int read_fds[2] = {move_up(start->read_fd[0]), move_up(start->read_fd[1])};
    char *segment = mmap(NULL, start->segment.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                         start->segment.fd, 0);
    if (segment == MAP_FAILED) _exit(1);
    madvise(segment, start->segment.bytes, MADV_DONTDUMP);
    close(start->segment.fd);
    if (start->bind && ppi_topology_bind(&start->cpus) != PP_OK)
        atomic_store(&((struct ppi_answers *)(void *)segment)->unbound, 1);
    set_threads(start->cores);
    on_exit(leave, NULL);
    if (ppi_worker_init(&worker, workspace, start->slot, start->number, segment, start->segment.bytes, read_fds) != PP_OK)
        _exit(1);
    worker.process = 1;
    worker.pid = getpid();
    worker.alive = alive_page();
    watch_own_thread(&worker);
    ppi_worker_run(&worker);
    ppi_collector_flush_files();
    _exit(0);
}
