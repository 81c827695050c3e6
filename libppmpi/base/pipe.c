#include "base/pipe.h"

#include <signal.h>
#include <stddef.h>

/* Read by a signal handler: in memory that every thread has from its beginning. */
static _Thread_local volatile sig_atomic_t inside __attribute__((tls_model("initial-exec")));

/* The signal goes to the thread that wrote. */
static void on_pipe(int signal_number)
{
    if (inside) return;
    signal(signal_number, SIG_DFL);
    raise(signal_number); /* comes when this returns */
}

void ppi_pipe_guard(void)
{
    struct sigaction now, ours = {.sa_handler = on_pipe, .sa_flags = SA_RESTART};
    sigemptyset(&ours.sa_mask);
    if (sigaction(SIGPIPE, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL)
        sigaction(SIGPIPE, &ours, NULL);
}

void ppi_pipe_enter(void)
{
    inside++;
}

void ppi_pipe_leave(void)
{
    inside--;
}
