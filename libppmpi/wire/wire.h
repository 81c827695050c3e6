/* What servers and agents say to each other: the list of records, their layout, and a decoder that believes nothing.
 *
 * A message is a header and a sequence of records, whatever was ready for that peer. A record is a header, a fixed
 * struct, and bytes behind it, padded to 8. All numbers are in the byte order of the machine, which the header tells. Data
 * too large for a message (PPI_WIRE_STREAMED) follows as a stream, in the order of the records that announce it; on the server's
 * node it stays where it is (PPI_WIRE_IN_PLACE), and the record is followed by a struct ppi_wire_place. */
#ifndef PPI_WIRE_WIRE_H
#define PPI_WIRE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define PPI_WIRE_MAGIC 0x344d5050u /* "PPM4": the last character is the protocol's version */
#define PPI_WIRE_INLINE_MAX 65536  /* arguments and results up to here travel inside messages */
#define PPI_WIRE_TEXT_MAX 32768    /* output is cut into records of at most this */
#define PPI_WIRE_WORKERS_MAX 1024  /* of one rank */
#define PPI_WIRE_MODULES_MAX 1024  /* of one farm */
#define PPI_WIRE_NEEDS_MAX 64      /* of one function */
#define PPI_WIRE_FAILED_ELSEWHERE 0x7ff /* … or it has failed on another rank, and is not to be given back for others */
#define PPI_WIRE_MESSAGE_MAX ((size_t)1 << 20)

/* Every record there is: name, fixed struct. Enum, sizes and names are made from this list. */
#define PPI_WIRE_RECORDS(X)        \
    X(HELLO, ppi_wire_hello)       \
    X(WELCOME, ppi_wire_welcome)   \
    X(READY, ppi_wire_ready)       \
    X(FUNCTION, ppi_wire_function) \
    X(INIT, ppi_wire_init)         \
    X(TASK, ppi_wire_task)         \
    X(SHARE, ppi_wire_share)       \
    X(UNSHARE, ppi_wire_unshare)   \
    X(DROP, ppi_wire_drop)         \
    X(MODULE, ppi_wire_module)     \
    X(WANT, ppi_wire_want)         \
    X(IMAGE, ppi_wire_image)       \
    X(CANCEL, ppi_wire_cancel)     \
    X(RESIZE, ppi_wire_resize)     \
    X(RECALL, ppi_wire_recall)     \
    X(RETURNED, ppi_wire_returned) \
    X(STARTED, ppi_wire_started)   \
    X(RESULT, ppi_wire_result)     \
    X(SEGMENT, ppi_wire_segment)   \
    X(MAPPED, ppi_wire_mapped)     \
    X(GIVE_BACK, ppi_wire_loan)    \
    X(GONE, ppi_wire_gone)         \
    X(OUTPUT, ppi_wire_output)     \
    X(BEAT, ppi_wire_beat)         \
    X(STOP, ppi_wire_stop)         \
    X(BYE, ppi_wire_bye)

enum ppi_wire_kind {
    PPI_WIRE_NONE,
#define X(name, type) PPI_WIRE_##name,
    PPI_WIRE_RECORDS(X)
#undef X
        PPI_WIRE_KINDS
};

enum ppi_wire_flags { PPI_WIRE_STREAMED = 1, PPI_WIRE_IN_PLACE = 2 };

/* agent → server, first of all: who I am and what I may use */
struct ppi_wire_hello {
    char host[256];
    int64_t pid;
    uint64_t bell_nonce; /* of the doorbell that /proc/PID/fd/bell_fd opens */
    int32_t bell_fd;
    int32_t cores, limit; /* cores behind `online`; workers by the rule */
    int32_t quota;        /* CPUs that cgroups grant to all of the node's ranks together, rounded down; 0 = no limit */
    int32_t allowed_cores; /* cores behind `allowed` */
    int32_t is_worker;     /* 1: the rank itself runs the tasks, one at a time */
    int32_t shared_fd;     /* of the memory for shared data, which begins with bell_nonce */
    int32_t reserved;
    uint64_t allowed[64], online[64]; /* processing units; see topology/ */
};

/* server → agent: what to be */
struct ppi_wire_welcome {
    int64_t server_pid;
    uint64_t bell_nonce;
    int32_t bell_fd, same_node;
    int64_t holder_pid; /* of the rank that holds the node's shared data, 0 = that is you; as in its HELLO: */
    uint64_t holder_nonce;
    int32_t holder_fd;
    int32_t arguments_fd; /* of the server's memory, with bell_nonce on its board */
    int32_t workers, first_number, cores_per_worker, restart, log_level, bind;
    int32_t extra_number, extra_gap; /* numbers of workers that are added later, see agent/agent.h */
    int32_t spin_below;              /* see agent/agent.h */
    int32_t hold_us;                 /* what is to be said may wait for company so long while there is work; 0 = not */
    uint64_t beat_ns;    /* say something at least as often */
    uint64_t silence_ns; /* the server is lost, and the job with it, when nothing came from it for so long; 0 = never */
};

/* agent → server, after WELCOME and after each RESIZE: so many workers run, or why not (bytes: the text) */
struct ppi_wire_ready {
    int32_t status, workers;
    int32_t is_holder; /* of shared data: it must be sent to this rank */
    int32_t reads_arguments; /* in place: those that are too large for a message need not be sent */
};

/* server → agent: what function number `index` is (bytes: the module's path) */
struct ppi_wire_function {
    uint32_t index;
    int32_t executable, build_id_bytes;
    uint32_t module; /* 1 + its number, 0 = it does not travel */
    uint32_t need_count, reserved;
    uint64_t offset;
    uint16_t needs[PPI_WIRE_NEEDS_MAX]; /* of modules that are to be loaded before it */
    unsigned char build_id[32];
};

/* server → agent, before WELCOME: what each worker runs first (bytes: its arguments) */
struct ppi_wire_init {
    uint64_t bytes, timeout_ns;
    uint32_t function, reserved;
};

/* server → agent (bytes: the arguments) */
struct ppi_wire_task {
    uint64_t id, number, timeout_ns, bytes;
    uint32_t tag; /* see <ppmpi_binding.h> */
    uint16_t function, attempt;
    uint16_t avoid, reserved[3]; /* avoid: 1 + the slot of the agent's worker on which the last try has failed, 0 = none, … */
};

/* server → agent: data for the tasks that follow (bytes: the data, unless another rank of the node has it) */
struct ppi_wire_share {
    uint64_t id, bytes;
    uint32_t elsewhere, reserved;
};

/* server → agent: … but only for those numbered up to `until` */
struct ppi_wire_unshare {
    uint64_t id, until;
};

/* server → agent that has the data: those have finished */
struct ppi_wire_drop {
    uint64_t id;
};

/* server → agent that has the node's shared data: tasks that follow may need this module (bytes: the path of its file, then the name
 * by which others need it) */
struct ppi_wire_module {
    uint32_t number, reserved;
    int32_t build_id_bytes, linked;
    uint64_t bytes; /* of its file */
    uint32_t path_bytes, alias_bytes;
    unsigned char build_id[32];
};

/* agent → server: this node has no such build: send it */
struct ppi_wire_want {
    uint32_t number, reserved;
};

/* server → agent: here it is (bytes: the file), or why not (bytes: the text) */
struct ppi_wire_image {
    uint32_t number;
    int32_t status;
    uint64_t bytes;
};

/* server → agent: end this task */
struct ppi_wire_cancel {
    uint64_t id;
    uint16_t attempt, reserved[3];
};

/* server → agent: be so many workers; with none, give back what has not begun */
struct ppi_wire_resize {
    int32_t workers, reserved;
};

/* server → agent: give back so many tasks that have not begun */
struct ppi_wire_recall {
    uint64_t count;
};

/* agent → server: one of them, or one that an agent without workers has; after RECALL, and then the last, one with id 0 */
struct ppi_wire_returned {
    uint64_t id;
    uint16_t attempt, reserved[3];
};

/* agent → server, of tasks that run for long: where, and since when */
struct ppi_wire_started {
    uint64_t id, age_ns;
    int64_t pid;
    int32_t worker;
    uint16_t attempt, reserved;
};

/* agent → server (bytes: the result, or the failure's message) */
struct ppi_wire_result {
    uint64_t id, bytes, duration_ns, age_ns; /* age: how long ago it finished when it was sent */
    int64_t pid;
    int32_t status, code, signal, worker;
    uint16_t attempt, reserved[3];
};

/* behind a TASK: where in the server's memory its arguments are; behind a RESULT: where in that segment the result is, and
 * what to call it when it is given back */
struct ppi_wire_place {
    uint64_t offset;
    uint32_t segment, loan;
};

/* agent → server: results of a worker are in this memory, which /proc/PID/fd/fd opens */
struct ppi_wire_segment {
    uint64_t device, inode;
    uint32_t id;
    int32_t fd;
};

/* server → agent: whether it can be read there */
struct ppi_wire_mapped {
    uint32_t segment;
    int32_t mapped;
};

/* server → agent: that result is not needed any more */
struct ppi_wire_loan {
    uint32_t loan, reserved;
};

/* agent → server: no further results come from there */
struct ppi_wire_gone {
    uint32_t segment, reserved;
};

/* agent → server (bytes: whole lines, or a part of a long one, which is in one message with the others) */
struct ppi_wire_output {
    int32_t stream, reserved; /* 1 = stderr */
};

/* both ways: I am alive */
struct ppi_wire_beat {
    uint64_t reserved;
};

/* server → agent: stop the workers, say BYE, exit with this status */
struct ppi_wire_stop {
    int32_t status, at_once; /* at_once: without waiting for running tasks */
    int32_t lost;            /* ranks that will not take part in the end of MPI */
    int32_t alone;           /* this rank counts as lost, the others go on: it leaves without them */
};

struct ppi_wire_bye {
    int32_t status, reserved;
};

/* ---- writing */

struct ppi_wire_writer {
    char *message; /* malloc'ed */
    size_t bytes, room;
};

/* Appends a record. fixed: the kind's struct. data may be NULL when bytes is 0, or when flags say that it is streamed (then bytes
 * is 0 here). PP_ERR_NOMEM without memory: the message is as before. */
int ppi_wire_put(struct ppi_wire_writer *writer, enum ppi_wire_kind kind, unsigned flags, const void *fixed,
                 const void *data, size_t bytes);

/* ---- reading */

struct ppi_wire_record {
    enum ppi_wire_kind kind;
    unsigned flags;
    union {
#define X(name, type) struct type name;
        PPI_WIRE_RECORDS(X)
#undef X
    } as;             /* copied out: aligned, and steady under the check */
    const void *data; /* in the message */
    size_t bytes;
};

struct ppi_wire_reader {
    const char *message;
    size_t bytes, at;
};

/* PP_OK, or PP_ERR_MPI when this is no message of ours, of another version or byte order. */
int ppi_wire_open(struct ppi_wire_reader *reader, const void *message, size_t bytes);

/* 1 and the next record; 0 at the end; PP_ERR_MPI when it cannot be right. Every size and number in a record that
 * this layer can judge is right when it returns 1: texts end, streams are 0 or 1, inline data has the size that was announced,
 * and what stays in place has its struct behind it. */
int ppi_wire_next(struct ppi_wire_reader *reader, struct ppi_wire_record *out);

const char *ppi_wire_name(enum ppi_wire_kind kind);

#endif
