/* Fortran data as C sees it: one scalar or array behind a descriptor, and the argument list made of several. */
#ifndef PPF_DATA_H
#define PPF_DATA_H

#include <ISO_Fortran_binding.h>
#include <ppmpi_binding.h>

#define PPF_ARGS_MAX 8

typedef struct { /* type(pp_server) */
    pp_server *address;
} ppf_server;

/* How a call that may fail ends: its status goes to ierr, or ends the program with a message where there is none. */
void pp_fortran_finish(int status, const char *call, int *ierr);

/* The last error of this thread; returns status. */
int ppf_error(int status, const char *format, ...) PP_PRINTF(2, 3);

struct ppf_data {
    const CFI_cdesc_t *descriptor;
    unsigned char *base;
    size_t element_bytes, elements, bytes;
    int contiguous;
};

/* 1; 0 when it is absent, which is what an unallocated array and a null pointer are too; PP_ERR_ARG for an assumed-size
 * array, whose size nobody knows. */
int ppf_data_look(const CFI_cdesc_t *descriptor, struct ppf_data *out);

/* A scalar of type character has as many elements as characters: its length is what one must know to allocate it. (Done by
 * ppf_data_look already.) Others are one element. */
void ppf_data_split(struct ppf_data *scalar);

/* Between the array and consecutive bytes. */
void ppf_data_pack(const struct ppf_data *data, void *to);
void ppf_data_unpack(const struct ppf_data *data, const void *from);

/* Looks at the arguments of a call: how many there are, or PP_ERR_ARG with the reason as last error. */
int ppf_data_look_all(const CFI_cdesc_t *const *descriptors, struct ppf_data *out, const char *call);

/* ---- Argument lists: one argument is its bytes; several are this struct with `count` items, and then the data of each, from
 * the next multiple of 16 on. */

#define PPF_LIST_MAGIC 0x4c465050u
#define PPF_LIST_ALIGN 16

struct ppf_list_item {
    uint64_t elements, element_bytes;
};

struct ppf_list {
    uint32_t magic, count;
    struct ppf_list_item item[PPF_ARGS_MAX];
};

/* Bytes of the list of n ≥ 2 arguments, and the list written to `to`. */
size_t ppf_list_bytes(const struct ppf_data *args, int n);
void ppf_list_write(const struct ppf_data *args, int n, void *to);

/* Reads the list: head and where each argument is. 0 when these bytes are none. */
int ppf_list_read(const void *from, size_t bytes, struct ppf_list *list, size_t offset[PPF_ARGS_MAX]);

#endif
