/* server/metrics/metrics.h - counters that cost an increment, exact over all workers.
 *
 * metrics.def lists them.  Each worker (event loop, connection thread, child
 * process) leases a slot of counters in memory that is mapped shared before
 * the first fork; only its worker writes a slot, so counting is a plain
 * add, and a report is the sum of all slots.  A slot outlives its worker: the
 * next worker goes on counting where the last one stopped, however that one
 * ended, so a counter never falls and nothing is folded.
 *
 *   context   any thread; metrics_lease and _release not from a signal
 *             handler, and in prefork mode only in the master
 *   returns   0 or more, or -errno
 *   ownership one instance per process family, owned by this module */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"
#include "coro/base/clock.h"

/* The cells of one slot: each metric has its first one here. */
#define METRICS_BUCKETS 18 /* metrics.c has their bounds; the last is +Inf */
struct metrics_layout {
#define METRICS_COUNTER(ID, name, help)              char ID[1];
#define METRICS_GAUGE(ID, name, help)                char ID[1];
#define METRICS_HISTOGRAM(ID, name, help)            char ID[METRICS_BUCKETS + 1];
#define METRICS_VECTOR(ID, name, label, count, help) char ID[count];
#include "server/metrics/metrics.def"
#undef METRICS_COUNTER
#undef METRICS_GAUGE
#undef METRICS_HISTOGRAM
#undef METRICS_VECTOR
};
enum metrics_id {
#define METRICS_COUNTER(ID, ...)   METRICS_##ID = offsetof(struct metrics_layout, ID),
#define METRICS_GAUGE(ID, ...)     METRICS_##ID = offsetof(struct metrics_layout, ID),
#define METRICS_HISTOGRAM(ID, ...) METRICS_##ID = offsetof(struct metrics_layout, ID),
#define METRICS_VECTOR(ID, ...)    METRICS_##ID = offsetof(struct metrics_layout, ID),
#include "server/metrics/metrics.def"
#undef METRICS_COUNTER
#undef METRICS_GAUGE
#undef METRICS_HISTOGRAM
#undef METRICS_VECTOR
};

/* Requests are counted by route and status, their durations by route. */
#define METRICS_ROUTES   32 /* at most; the last one is "other" */
#define METRICS_STATUSES 32 /* at most; the last one is "other" */
struct metrics_route_cells {
    uint64_t by_status[METRICS_STATUSES];
    uint64_t buckets[METRICS_BUCKETS];
    uint64_t sum_ns;
};

struct metrics_slot {
    uint64_t cells[sizeof(struct metrics_layout)];
    struct metrics_route_cells routes[METRICS_ROUTES];
} __attribute__((aligned(64)));

/* Map the slots of at most `workers` workers; -ENOMEM.  Before any fork. */
MUST_USE int metrics_init(unsigned workers);
void metrics_fini(void);

/* What the labels read: the routes' paths, the statuses, the words of a vector.
 * Borrowed for good. */
void metrics_name_routes(const char *const *paths, size_t count);
void metrics_name_statuses(const int *statuses, size_t count);
void metrics_name_values(enum metrics_id vector, const char *const *words, size_t count);

/* The labels of build_info (version="1",mode="thread"); borrowed for good. */
void metrics_name_build(const char *labels);

/* A free slot's index, -EAGAIN when all are leased. */
int metrics_lease(void);
/* From here on this thread counts in the slot (in prefork mode: this process). */
void metrics_enter(int slot);
/* The worker is gone: its gauges become 0, its counters stay, the slot is free. */
void metrics_release(int slot);

/* ---- counting ---- */

extern __thread struct metrics_slot
    *metrics_self; /* NULL: no worker; counts atomically in slot 0 */
void metrics_add_shared(size_t cell, uint64_t n);

/* One writer, many readers: on the machine this is one add. */
static inline void metrics_bump(uint64_t *cell, uint64_t n)
{
    __atomic_store_n(cell, __atomic_load_n(cell, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline void metrics_add_at(enum metrics_id id, size_t index, uint64_t n)
{
    if (LIKELY(metrics_self != NULL))
        metrics_bump(&metrics_self->cells[id + index], n);
    else
        metrics_add_shared(id + index, n);
}
static inline void metrics_add(enum metrics_id id, uint64_t n)
{
    metrics_add_at(id, 0, n);
}
/* Gauges wrap around zero: the sum over the slots is right all the same. */
static inline void metrics_sub(enum metrics_id id, uint64_t n)
{
    metrics_add_at(id, 0, -n);
}
/* A gauge of this worker's, which knows its value. */
static inline void metrics_set(enum metrics_id id, uint64_t value)
{
    if (LIKELY(metrics_self != NULL))
        __atomic_store_n(&metrics_self->cells[id], value, __ATOMIC_RELAXED);
}
void metrics_observe(enum metrics_id histogram, int64_t duration_ns);
/* One answered request; route outside the named ones: "other". */
void metrics_request(size_t route, int status, int64_t duration_ns);

/* ---- reading ---- */

/* The sum over all slots. */
uint64_t metrics_read(enum metrics_id id);
uint64_t metrics_read_at(enum metrics_id id, size_t index);
uint64_t metrics_read_requests(void);
/* Of one slot alone. */
uint64_t metrics_read_slot(int slot, enum metrics_id id);

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };
/* What a module knows better than a counter does (states right now): appends whole
 * families by the two calls below.  A few such modules at most; before the workers
 * start and after they have ended. */
struct metrics_report;
typedef void metrics_extra_fn(void *arg, struct metrics_report *report);
void metrics_extend(metrics_extra_fn *fn, void *arg);
void metrics_unextend(metrics_extra_fn *fn);

enum metrics_type { METRICS_IS_COUNTER, METRICS_IS_GAUGE, METRICS_IS_HISTOGRAM, METRICS_IS_INFO };
/* A family, by its name without domaind_ and _total; _seconds, _bytes and _ratio at its
 * end are its unit. */
void metrics_head(struct metrics_report *report, enum metrics_type type, const char *name,
                  const char *help);
/* A line of that family: "domaind_NAME{...} VALUE\n". */
void metrics_line(struct metrics_report *report, const char *format, ...) PRINTF_LIKE(2, 3);

/* Append the whole report. */
MUST_USE int metrics_export(struct buf *out, enum metrics_format format);
