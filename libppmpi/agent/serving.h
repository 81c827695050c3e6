/* A rank that serves, between the files of it: serve.c has the loop, serve_in.c takes messages apart, serve_out.c makes them. */
#ifndef PPI_AGENT_SERVING_H
#define PPI_AGENT_SERVING_H

#include "agent/agent.h"
#include "module/hold.h"
#include "share/share.h"
#include "transport/transport.h"
#include "wire/wire.h"

struct ppi_serving {
    struct ppi_transport *transport;
    struct ppi_workspace *workspace;
    struct ppi_pool *pool;
    const struct ppi_topology *topology;
    struct ppi_agent agent;
    struct ppi_shared_store shared;
    struct ppi_module_store modules;
    int welcomed, open, stopping, status, at_once, server_lost;
    int gave_way; /* the last step has woken a worker for which there is no idle core */
    uint64_t held_ns; /* when we last looked for connections to hold */
    int alone; /* it leaves, and the others go on */
    int idle; /* there was a moment without a job since the last one */
    struct ppi_doorbell *server_bell;
    int server_pidfd;                   /* on the server's node, to see its end; -1 = none */
    uint64_t beat_ns, silence_ns;       /* how often to say something; how long the server may be silent, 0 = for ever */
    uint64_t spoke_ns, heard_ns, looked_ns;
    uint64_t now_ns; /* of the step that is being made */
    struct ppi_wire_writer out;
    uint64_t out_since_ns; /* when the first of it was put there; */
    int unanswered;        /* nothing has come since we sent the last message */
    uint64_t hold_ns;      /* how long it may wait for company while there is work; 0 = not */
    struct ppi_loan_stream *loans; /* to be streamed after the message */
    struct ppi_loan_stream **loans_end;
    int lends; /* on the server's node: large results stay where they are, see lend.c */
    struct ppi_loan **lent; /* to the server, which knows them by their index; NULL where the index is free */
    uint32_t lent_room, lent_next, segments;
};

/* serve_out.c. post: into the message that is being filled, which leaves when it is large, and otherwise with flush, and with
 * it the streams of results. The others are what the agent tells. */
void ppi_serving_post(struct ppi_serving *s, enum ppi_wire_kind kind, unsigned flags, const void *fixed, const void *data,
                      size_t bytes);
void ppi_serving_flush(struct ppi_serving *s);
void ppi_serving_finished(void *ctx, const struct ppi_job *job, struct ppi_result *r);
void ppi_serving_output(void *ctx, int stream, const char *text, size_t bytes);
void ppi_serving_running(void *ctx, const struct ppi_running *running);

/* The arguments of a job that has ended here. Those that are read at the server's are the server's. */
static inline void ppi_serving_free_args(struct ppi_serving *s, const struct ppi_job *job)
{
    if ((job->flags & PPI_JOB_BLOCK) && !(job->args.offset & PPI_JOB_AT_SERVER))
        ppi_arena_free(&s->workspace->arena, job->args.offset, job->bytes);
}

/* lend.c. read_arguments: whether this rank can read them in the server's memory. lend: the result stays, and the server
 * is told where it is; 0 when it has to be sent. */
int ppi_serving_read_arguments(struct ppi_serving *s, const struct ppi_wire_welcome *w);
int ppi_serving_lend(struct ppi_serving *s, struct ppi_result *r, const struct ppi_wire_result *w);
void ppi_serving_mapped(struct ppi_serving *s, const struct ppi_wire_mapped *w);
void ppi_serving_given_back(struct ppi_serving *s, uint32_t loan);
void ppi_serving_gone(void *ctx, uint32_t segment);
void ppi_serving_take_all_back(struct ppi_serving *s);

/* serve_in.c: takes in what has come; how much moved. */
int ppi_serving_receive(struct ppi_serving *s);
void ppi_serving_returned(void *ctx, const struct ppi_job *job); /* of ppi_agent_give_up */

/* module.c */
void ppi_serving_on_module(struct ppi_serving *s, const struct ppi_wire_record *record);
void ppi_serving_on_image(struct ppi_serving *s, const struct ppi_wire_record *record);

#endif
