#include "smpi/charge.h"

/* Measured on a real machine, see libppmpi/SCALE.md: of a record that a message carries, by its bytes, and of the message around
 * it. What MPI takes for it is in the simulator's configuration. */
#define MESSAGE_NS 300.0
#define BYTE_NS 3.0
#define LEAST_NS 1000.0

static struct charges charges;
static double owed_ns;
static struct ppi_transport_ops ops;
static const struct ppi_transport_ops *inner;

void charge(double ns)
{
    owed_ns += ns;
    charges.seconds += ns / 1e9;
    if (owed_ns < LEAST_NS) return;
    ns = owed_ns;
    owed_ns = 0;
    simulated_use(ns / 1e9);
}

struct charges charges_so_far(void)
{
    return charges;
}

static int charged_send(struct ppi_transport *t, int peer, char *message, size_t bytes)
{
    charges.sent++;
    charge(MESSAGE_NS + BYTE_NS * (double)bytes);
    return inner->send(t, peer, message, bytes);
}

static int charged_receive(struct ppi_transport *t, int *peer, char **message, size_t *bytes)
{
    if (!inner->receive(t, peer, message, bytes)) return 0;
    charges.received++;
    charge(MESSAGE_NS + BYTE_NS * (double)*bytes);
    return 1;
}

/* A rank with much to do does not pause: its workers go on here. */
static int charged_progress(struct ppi_transport *t)
{
    if (simulated_workers) simulated_workers();
    return inner->progress(t);
}

struct ppi_transport *charge_transport(struct ppi_transport *transport)
{
    inner = transport->ops;
    ops = *inner;
    ops.send = charged_send;
    ops.receive = charged_receive;
    ops.progress = charged_progress;
    transport->ops = &ops;
    return transport;
}
