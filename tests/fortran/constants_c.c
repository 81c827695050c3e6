/* The values of <ppmpi.h>, for test_constants.f90 to compare with. */
#include <ppmpi.h>

int c_status(int i, const char **name);
int c_enum(int i, const char **name);
const char *c_default(int i, double *value);

#define NAMED(n) {"PP_" #n, PP_##n}
#define STATUS(n, value, text) {"PP_" #n, PP_##n},

struct named {
    const char *name;
    int value;
};

static const struct named statuses[] = {PP_STATUS_LIST(STATUS){NULL, 0}};
static const struct named enums[] = {
    NAMED(AUTODETECT), NAMED(INHERIT),  NAMED(ISOLATE_PROCESS), NAMED(ISOLATE_NONE), NAMED(MPI_AUTO), NAMED(MPI_ALWAYS), NAMED(LOG_ERROR),
    NAMED(LOG_WARNING), NAMED(LOG_INFO), NAMED(LOG_DEBUG),      NAMED(QUEUED),       NAMED(RUNNING),  NAMED(FINISHED),   {NULL, 0}};

int c_status(int i, const char **name)
{
    *name = statuses[i].name;
    return statuses[i].value;
}

int c_enum(int i, const char **name)
{
    *name = enums[i].name;
    return enums[i].value;
}

/* Defaults of the options, one after the other; NULL behind the last. */
const char *c_default(int i, double *value)
{
    static const pp_options o = PP_OPTIONS_INIT;
    static const pp_submit_options s = PP_SUBMIT_OPTIONS_INIT;
#define FIELD(options, f) {#f, (double)(options).f}
    const struct {
        const char *name;
        double value;
    } fields[] = {FIELD(o, workers),     FIELD(o, cores_per_worker),  FIELD(o, timeout),     FIELD(o, retries), FIELD(o, restart),
                  FIELD(o, isolation),   FIELD(o, mpi),               FIELD(o, queue_limit), FIELD(o, heartbeat), FIELD(o, stats),
                  FIELD(o, progress),    FIELD(o, signal_stats),      FIELD(o, log_level),   FIELD(s, priority), FIELD(s, retries),
                  FIELD(s, timeout),     FIELD(o, initializer_bytes), {NULL, 0}};
    *value = fields[i].value;
    return fields[i].name;
}
