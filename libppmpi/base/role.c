#include "base/role.h"

static enum ppi_role current = PPI_ROLE_NONE;

void ppi_role_set(enum ppi_role role)
{
    current = role;
}

enum ppi_role ppi_role_get(void)
{
    return current;
}
