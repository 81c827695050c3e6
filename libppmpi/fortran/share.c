/* pp_share, which takes data of any type, and pp_shared_data with its status. */
#include "fortran/data.h"

#include <stdlib.h>

PP_API void pp_fortran_share(ppf_server server, const CFI_cdesc_t *value, pp_shared *shared, int *ierr);
int pp_fortran_shared_data(pp_shared shared, const void **address, size_t *bytes);

static int share(pp_server *server, const CFI_cdesc_t *value, pp_shared *shared)
{
    struct ppf_data data;
    int there = ppf_data_look(value, &data);
    if (there <= 0)
        return ppf_error(PP_ERR_ARG, "pp_share: data is %s",
                         there < 0 ? "an assumed-size array; pass a section, with its size" : "not allocated or not associated");
    if (data.contiguous) return pp_share(server, data.base, data.bytes, shared);
    void *packed = malloc(data.bytes);
    if (!packed) return ppf_error(PP_ERR_NOMEM, "pp_share: no memory to gather an array section of %zu bytes", data.bytes);
    ppf_data_pack(&data, packed);
    int status = pp_share(server, packed, data.bytes, shared);
    free(packed);
    return status;
}

void pp_fortran_share(ppf_server server, const CFI_cdesc_t *value, pp_shared *shared, int *ierr)
{
    pp_fortran_finish(share(server.address, value, shared), "pp_share", ierr);
}

int pp_fortran_shared_data(pp_shared shared, const void **address, size_t *bytes)
{
    const void *data = pp_shared_data(shared, bytes);
    if (!data) return pp_last_error_code();
    *address = data;
    return PP_OK;
}
