/* Units of Fortran: libgfortran has buffers of its own beside those of stdio, where the program has any Fortran. */
#ifndef PPI_BASE_UNITS_H
#define PPI_BASE_UNITS_H

/* Once in each worker, before its first task. */
void ppi_units_watch(void);

/* All units, after a task: those that newunit= gave are looked for only where files were opened. */
void ppi_units_flush(void);

/* All units, before a fork, and when the process leaves. */
void ppi_units_flush_files(void);

/* The two below have another thread do it and wait for it so long at most, since a Fortran statement that is under way on
 * this thread holds the lock of its unit: one that has failed and calls exit, or one that calls us for a value. */
void ppi_units_flush_leaving(void);

/* The standard units, so that what the program has written comes before what is written now. */
void ppi_units_flush_standard(void);

#endif
