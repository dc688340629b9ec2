/* server/metrics/metrics.c - the slots, their leases, and counting. */
#include "server/metrics/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "server/metrics/internal.h"

struct metrics_state metrics_state;
__thread struct metrics_slot *metrics_self;

/* Where a lease is noted: a byte for each slot, in this process alone (in
 * prefork mode only the master leases). */
static pthread_mutex_t lease_lock = PTHREAD_MUTEX_INITIALIZER;

const int64_t metrics_bounds_ns[METRICS_BUCKETS - 1] = {
    50 * NS_PER_US,   100 * NS_PER_US, 250 * NS_PER_US, 500 * NS_PER_US, NS_PER_MS,
    2500 * NS_PER_US, 5 * NS_PER_MS,   10 * NS_PER_MS,  25 * NS_PER_MS,  50 * NS_PER_MS,
    100 * NS_PER_MS,  250 * NS_PER_MS, 500 * NS_PER_MS, NS_PER_S,        2500 * NS_PER_MS,
    5 * NS_PER_S,     10 * NS_PER_S,
};

int metrics_init(unsigned workers)
{
    struct metrics_state *s = &metrics_state;
    unsigned count = workers + 1; /* slot 0: whoever is no worker */
    /* Shared with children; pages that nobody counts in are never allocated. */
    void *slots = mmap(NULL, count * sizeof *s->slots, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slots == MAP_FAILED)
        return -ENOMEM;
    void *leased = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (leased == MAP_FAILED) {
        munmap(slots, count * sizeof *s->slots);
        return -ENOMEM;
    }
    *s = (struct metrics_state){.slots = slots, .leased = leased, .count = count};
    __atomic_store_n(&s->leased[0], METRICS_SLOT_LEASED, __ATOMIC_RELAXED);
    return 0;
}

void metrics_fini(void)
{
    struct metrics_state *s = &metrics_state;
    if (s->slots == NULL)
        return;
    munmap(s->slots, s->count * sizeof *s->slots);
    munmap(s->leased, s->count);
    *s = (struct metrics_state){0};
    metrics_self = NULL;
}

void metrics_name_routes(const char *const *paths, size_t count)
{
    metrics_state.paths = paths;
    metrics_state.path_count = count < METRICS_ROUTES - 1 ? count : METRICS_ROUTES - 1;
}

void metrics_name_statuses(const int *statuses, size_t count)
{
    struct metrics_state *s = &metrics_state;
    s->statuses = statuses;
    s->status_count = count < METRICS_STATUSES - 1 ? count : METRICS_STATUSES - 1;
    memset(s->status_index, METRICS_STATUSES - 1, sizeof s->status_index);
    for (size_t i = 0; i < s->status_count; i++)
        if (statuses[i] >= 0 && statuses[i] < METRICS_STATUS_END)
            s->status_index[statuses[i]] = (uint8_t)i;
}

void metrics_name_values(enum metrics_id vector, const char *const *words, size_t count)
{
    metrics_state.words[vector] = words;
    metrics_state.word_count[vector] = count;
}

void metrics_name_build(const char *labels)
{
    metrics_state.info = labels;
}

void metrics_extend(metrics_extra_fn *fn, void *arg)
{
    struct metrics_extra *extras = metrics_state.extras;
    for (size_t i = 0; i < METRICS_EXTRAS; i++) {
        if (extras[i].fn != NULL && extras[i].fn != fn)
            continue;
        extras[i] = (struct metrics_extra){fn, arg};
        return;
    }
}

void metrics_unextend(metrics_extra_fn *fn)
{
    struct metrics_extra *extras = metrics_state.extras;
    for (size_t i = 0; i < METRICS_EXTRAS; i++)
        if (extras[i].fn == fn)
            extras[i].fn = NULL;
}

/* ---- leases ---- */

int metrics_lease(void)
{
    struct metrics_state *s = &metrics_state;
    int slot = -EAGAIN;
    pthread_mutex_lock(&lease_lock);
    for (unsigned i = s->lowest_free; i < s->count; i++) {
        if (s->leased[i] == METRICS_SLOT_LEASED)
            continue;
        __atomic_store_n(&s->leased[i], METRICS_SLOT_LEASED, __ATOMIC_RELAXED);
        slot = (int)i;
        break;
    }
    s->lowest_free = slot > 0 ? (unsigned)slot + 1 : s->count;
    pthread_mutex_unlock(&lease_lock);
    return slot;
}

void metrics_enter(int slot)
{
    metrics_self = slot > 0 ? &metrics_state.slots[slot] : NULL;
}

static const enum metrics_id gauges[] = {
#define METRICS_COUNTER(...)
#define METRICS_GAUGE(ID, ...) METRICS_##ID,
#define METRICS_HISTOGRAM(...)
#define METRICS_VECTOR(...)
#include "server/metrics/metrics.def"
#undef METRICS_COUNTER
#undef METRICS_GAUGE
#undef METRICS_HISTOGRAM
#undef METRICS_VECTOR
};

void metrics_release(int slot)
{
    struct metrics_state *s = &metrics_state;
    if (slot <= 0)
        return;
    if (metrics_self == &s->slots[slot])
        metrics_self = NULL;
    for (size_t i = 0; i < ARRAY_LEN(gauges); i++)
        __atomic_store_n(&s->slots[slot].cells[gauges[i]], 0, __ATOMIC_RELAXED);
    pthread_mutex_lock(&lease_lock);
    __atomic_store_n(&s->leased[slot], METRICS_SLOT_USED, __ATOMIC_RELAXED);
    if ((unsigned)slot < s->lowest_free)
        s->lowest_free = (unsigned)slot;
    pthread_mutex_unlock(&lease_lock);
}

/* ---- counting ---- */

void metrics_add_shared(size_t cell, uint64_t n)
{
    if (metrics_state.slots != NULL) /* before metrics_init nothing is counted */
        __atomic_fetch_add(&metrics_state.slots[0].cells[cell], n, __ATOMIC_RELAXED);
}

static size_t bucket_of(int64_t duration_ns)
{
    size_t i = 0;
    while (i < METRICS_BUCKETS - 1 && duration_ns > metrics_bounds_ns[i])
        i++;
    return i;
}

void metrics_observe(enum metrics_id histogram, int64_t duration_ns)
{
    if (duration_ns < 0)
        duration_ns = 0;
    metrics_add_at(histogram, bucket_of(duration_ns), 1);
    metrics_add_at(histogram, METRICS_BUCKETS, (uint64_t)duration_ns);
}

void metrics_request(size_t route, int status, int64_t duration_ns)
{
    struct metrics_state *s = &metrics_state;
    if (s->slots == NULL)
        return;
    if (route >= s->path_count)
        route = METRICS_ROUTES - 1;
    if (duration_ns < 0)
        duration_ns = 0;
    size_t index =
        status >= 0 && status < METRICS_STATUS_END ? s->status_index[status] : METRICS_STATUSES - 1;
    if (UNLIKELY(metrics_self == NULL)) {
        struct metrics_route_cells *cells = &s->slots[0].routes[route];
        __atomic_fetch_add(&cells->by_status[index], 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&cells->buckets[bucket_of(duration_ns)], 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&cells->sum_ns, (uint64_t)duration_ns, __ATOMIC_RELAXED);
        return;
    }
    struct metrics_route_cells *cells = &metrics_self->routes[route];
    metrics_bump(&cells->by_status[index], 1);
    metrics_bump(&cells->buckets[bucket_of(duration_ns)], 1);
    metrics_bump(&cells->sum_ns, (uint64_t)duration_ns);
}

/* ---- reading ---- */

uint64_t metrics_sum(size_t offset_bytes)
{
    const struct metrics_state *s = &metrics_state;
    uint64_t sum = 0;
    for (unsigned i = 0; i < s->count; i++) {
        /* reading a page that was never counted in would allocate it */
        if (__atomic_load_n(&s->leased[i], __ATOMIC_RELAXED) == METRICS_SLOT_NEW)
            continue;
        const char *base = (const char *)&s->slots[i];
        sum += __atomic_load_n((const uint64_t *)(const void *)(base + offset_bytes),
                               __ATOMIC_RELAXED);
    }
    return sum;
}

uint64_t metrics_read_at(enum metrics_id id, size_t index)
{
    return metrics_sum(offsetof(struct metrics_slot, cells) + (id + index) * sizeof(uint64_t));
}

uint64_t metrics_read(enum metrics_id id)
{
    return metrics_read_at(id, 0);
}

uint64_t metrics_read_slot(int slot, enum metrics_id id)
{
    return __atomic_load_n(&metrics_state.slots[slot].cells[id], __ATOMIC_RELAXED);
}

uint64_t metrics_read_requests(void)
{
    uint64_t sum = 0;
    for (size_t route = 0; route < METRICS_ROUTES; route++)
        for (size_t i = 0; i < METRICS_STATUSES; i++)
            sum += metrics_sum(offsetof(struct metrics_slot, routes[route].by_status[i]));
    return sum;
}
