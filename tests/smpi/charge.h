/* What the server's own work costs in simulated time, which passes by itself only in MPI. */
#ifndef TEST_SMPI_CHARGE_H
#define TEST_SMPI_CHARGE_H

#include "transport/transport.h"

struct charges {
    double seconds;
    unsigned long long sent, received; /* messages */
};

/* The server is busy for so long. Small amounts are gathered until they make a microsecond. */
void charge(double ns);
struct charges charges_so_far(void);

/* The same transport, on which each message costs what the server's work on it takes. For one rank of a process. */
struct ppi_transport *charge_transport(struct ppi_transport *transport);

#endif
