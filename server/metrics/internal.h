/* server/metrics/internal.h - what counting (metrics.c) and reporting
 * (export.c) share. */
#pragma once

#include "server/metrics/metrics.h"

#define METRICS_STATUS_END 600

enum { METRICS_SLOT_NEW, METRICS_SLOT_LEASED, METRICS_SLOT_USED };

#define METRICS_EXTRAS 8
struct metrics_extra {
    metrics_extra_fn *fn; /* NULL: a free place */
    void *arg;
};

struct metrics_state {
    struct metrics_slot *slots; /* shared by the process family */
    uint8_t *leased;            /* shared; METRICS_SLOT_* for each slot */
    unsigned count;
    unsigned lowest_free; /* no free slot below it */
    const char *const *paths;
    size_t path_count;
    const int *statuses;
    size_t status_count;
    const char *info; /* labels of build_info: version="1",mode="thread" */
    struct metrics_extra extras[METRICS_EXTRAS];
    uint8_t status_index[METRICS_STATUS_END];
    const char *const *words[sizeof(struct metrics_layout)]; /* of vectors, at their first cell */
    size_t word_count[sizeof(struct metrics_layout)];
};
extern struct metrics_state metrics_state;

extern const int64_t metrics_bounds_ns[METRICS_BUCKETS - 1];

/* One cell, by its offset in struct metrics_slot, summed over all slots. */
uint64_t metrics_sum(size_t offset_bytes);
