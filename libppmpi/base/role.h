/* What this process is: code that runs in workers too asks before it acts. */
#ifndef PPI_BASE_ROLE_H
#define PPI_BASE_ROLE_H

enum ppi_role { PPI_ROLE_NONE, PPI_ROLE_SERVER, PPI_ROLE_AGENT, PPI_ROLE_WORKER };

void ppi_role_set(enum ppi_role role);
enum ppi_role ppi_role_get(void);

#endif
