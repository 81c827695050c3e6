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
    int idle; /* there was a moment without a job since the last one */
    struct ppi_doorbell *server_bell;
    int server_pidfd;                   /* on the server's node, to see its end; -1 = none */
    uint64_t beat_ns, silence_ns;       /* how often to say something; how long the server may be silent, 0 = for ever */
    uint64_t spoke_ns, heard_ns, looked_ns;
    struct ppi_wire_writer out;
    uint64_t out_since_ns; /* when the first of it was put there */
    struct ppi_loan_stream *loans; /* to be streamed after the message */
    struct ppi_loan_stream **loans_end;
};

/* serve_out.c. post: into the message that is being filled, which leaves when it is large, and otherwise with flush, and with
 * it the streams of results. The others are what the agent tells. */
void ppi_serving_post(struct ppi_serving *s, enum ppi_wire_kind kind, unsigned flags, const void *fixed, const void *data,
                      size_t bytes);
void ppi_serving_flush(struct ppi_serving *s);
void ppi_serving_finished(void *ctx, const struct ppi_job *job, struct ppi_result *r);
void ppi_serving_output(void *ctx, int stream, const char *text, size_t bytes);
void ppi_serving_running(void *ctx, const struct ppi_running *running);

/* serve_in.c: takes in what has come; how much moved. */
int ppi_serving_receive(struct ppi_serving *s);
void ppi_serving_returned(void *ctx, const struct ppi_job *job); /* of ppi_agent_give_up */

/* module.c */
void ppi_serving_on_module(struct ppi_serving *s, const struct ppi_wire_record *record);
void ppi_serving_on_image(struct ppi_serving *s, const struct ppi_wire_record *record);

#endif
