/* stdout may be a terminal, or a pipe that is read slowly or does not block: all arrives there too. ranks: 2 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

static struct sink {
    int fd, slow;
    pthread_t thread;
    pthread_mutex_t lock;
    char *text;
    size_t bytes;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER};
static int quit[2];

static void *reader(void *arg)
{
    (void)arg;
    for (;;) {
        char part[8192];
        struct pollfd p[2] = {{.fd = sink.fd, .events = POLLIN}, {.fd = quit[0], .events = POLLIN}};
        poll(p, 2, -1);
        if (!(p[0].revents & POLLIN) && p[1].revents) return NULL;
        ssize_t n = read(sink.fd, part, sink.slow ? 1000 : sizeof part);
        if (n <= 0) continue;
        pthread_mutex_lock(&sink.lock);
        sink.text = realloc(sink.text, sink.bytes + (size_t)n + 1);
        memcpy(sink.text + sink.bytes, part, (size_t)n);
        sink.bytes += (size_t)n;
        sink.text[sink.bytes] = '\0';
        pthread_mutex_unlock(&sink.lock);
        if (sink.slow) pause_for(0.001);
    }
}

/* Empties the sink once it has so many bytes, or after a while. */
static char *take(size_t expected)
{
    double give_up = seconds_now() + patience(10);
    for (;;) {
        pthread_mutex_lock(&sink.lock);
        if (sink.bytes >= expected || seconds_now() > give_up) break;
        pthread_mutex_unlock(&sink.lock);
        pause_for(0.002);
    }
    char *text = sink.text ? sink.text : strdup("");
    sink.text = NULL;
    sink.bytes = 0;
    pthread_mutex_unlock(&sink.lock);
    return text;
}

static int open_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios settings;
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return -1;
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (slave < 0 || tcgetattr(slave, &settings) != 0) return -1;
    settings.c_oflag &= ~(tcflag_t)OPOST; /* \n stays \n */
    tcsetattr(slave, TCSANOW, &settings);
    if (dup2(slave, 1) < 0) return -1;
    close(slave);
    return master;
}

static int open_pipe(void)
{
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], 1) < 0) return -1;
    close(ends[1]);
    return ends[0];
}

/* A small one, which is full more often than not. */
static int open_pipe_that_does_not_block(void)
{
    int fd = open_pipe();
    fcntl(1, F_SETPIPE_SZ, 4096);
    fcntl(1, F_SETFL, O_NONBLOCK);
    return fd;
}

static void print_line(pp_task *task)
{
    int n = *(const int *)pp_task_args(task, NULL);
    printf("task %04d prints this line\n", n);
    if (n % 10 == 0) fflush(stdout);
}

static void is_a_terminal(pp_task *task)
{
    *(int *)pp_task_result(task, sizeof(int)) = isatty(1);
}

static void check(const char *what, int tasks)
{
    static pp_future f[3000];
    char expected[40];
    size_t length = strlen("task 0000 prints this line\n");
    for (int i = 0; i < tasks; i++) f[i] = pp_submit(server, print_line, &i, sizeof i);
    for (int i = 0; i < tasks; i++) CHECK_INT(pp_fetch(f[i], NULL, 0), PP_OK);
    char *text = take(length * (size_t)tasks);
    CHECK_INT(strlen(text), length * (size_t)tasks);
    for (int i = 0; i < tasks && !failures; i++) {
        snprintf(expected, sizeof expected, "task %04d prints this line\n", i);
        CHECK_TEXT(text, expected);
    }
    for (size_t at = 0; at < strlen(text) && !failures; at += length) {
        CHECK_INT(strncmp(text + at, "task ", 5), 0);
        CHECK_INT(text[at + length - 1], '\n');
    }
    if (failures) fprintf(stderr, "%s\n", what);
    free(text);
}

/* One kind of sink after the other; stdout must be there before the server is opened. */
static void with(const char *what, int (*open_sink)(void), int slow, int tasks, int *argc, char ***argv)
{
    fflush(stdout);
    int saved = dup(1);
    sink.fd = open_sink();
    if (sink.fd < 0) {
        fprintf(stderr, "%s: not to be had: %s\n", what, strerror(errno));
        close(saved);
        return;
    }
    sink.slow = slow;
    open_or_exit(argc, argv, NULL);
    pthread_create(&sink.thread, NULL, reader, NULL);
    for (int round = 0; round < 3; round++) check(what, tasks);
    int terminal = -1;
    CHECK_INT(pp_fetch(pp_submit(server, is_a_terminal, NULL, 0), &terminal, sizeof terminal), PP_OK);
    CHECK_INT(terminal, 0);
    for (int i = 0; i < 20; i++) pp_release(pp_submit(server, print_line, &i, sizeof i));
    CHECK_INT(pp_server_close(server), PP_OK);
    server = NULL;
    printf("the end\n");
    fflush(stdout);
    char *text = take(20 * strlen("task 0000 prints this line\n") + 8);
    CHECK_INT(strlen(text), 20 * strlen("task 0000 prints this line\n") + 8);
    if (strlen(text) > 8) CHECK_INT(strcmp(text + strlen(text) - 8, "the end\n"), 0);
    free(text);
    if (write(quit[1], "q", 1) != 1) exit(1);
    pthread_join(sink.thread, NULL);
    char c;
    if (read(quit[0], &c, 1) != 1) exit(1);
    dup2(saved, 1);
    close(saved);
    close(sink.fd);
}

int main(int argc, char **argv)
{
    if (pipe(quit) != 0) return 1;
    int launched = getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE") || getenv("PMIX_RANK");
    if (!launched) {
        with("a terminal", open_terminal, 0, 500, &argc, &argv);
        with("a pipe", open_pipe, 0, 2000, &argc, &argv);
        with("a pipe that does not block", open_pipe_that_does_not_block, 1, 2000, &argc, &argv);
    }
    with("a pipe that is read slowly", open_pipe, 1, 2000, &argc, &argv);
    return failures ? 1 : 0;
}
