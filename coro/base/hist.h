/* coro/base/hist.h - a histogram of durations with a stated relative error.
 *
 * Log-linear: values below 2^(bits+1) have a bucket each; above, every power of
 * two is cut into 2^bits buckets of equal width.  A value is reported as the
 * middle of its bucket, so the relative error is at most 1 / 2^(bits+1):
 * HIST_FINE 0.098 %, HIST_COARSE 3.2 % (for curves over time, 4 KB each).
 * Values beyond HIST_MAX_NS are counted in the last bucket; min and max are exact.
 *
 *   context    any; one writer at a time
 *   returns    0, or -ENOMEM
 *   ownership  the histogram owns its buckets; hist_fini frees them */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"

#define HIST_FINE   9
#define HIST_COARSE 4
#define HIST_MAX_NS ((INT64_C(1) << 42) - 1) /* 73 minutes */

struct hist {
    uint64_t *counts;
    uint64_t total;
    uint64_t sum_ns; /* exact, for the mean */
    int64_t min_ns;  /* INT64_MAX while empty */
    int64_t max_ns;  /* 0 while empty */
    unsigned bits;
    unsigned n_counts;
};

MUST_USE int hist_init(struct hist *h, unsigned bits);
void hist_fini(struct hist *h);
void hist_clear(struct hist *h);

static inline unsigned hist_index(unsigned bits, uint64_t value)
{
    uint64_t linear = UINT64_C(2) << bits;
    if (value < linear)
        return (unsigned)value;
    unsigned shift = 63U - (unsigned)__builtin_clzll(value) - bits;
    return (shift << bits) + (unsigned)(value >> shift);
}

/* Count one duration; a negative one (a clock that was read too early) counts as 0. */
static inline void hist_record(struct hist *h, int64_t value_ns)
{
    if (UNLIKELY(value_ns < 0))
        value_ns = 0;
    uint64_t bounded = UNLIKELY(value_ns > HIST_MAX_NS) ? HIST_MAX_NS : (uint64_t)value_ns;
    h->counts[hist_index(h->bits, bounded)]++;
    h->total++;
    h->sum_ns += (uint64_t)value_ns;
    if (value_ns < h->min_ns)
        h->min_ns = value_ns;
    if (value_ns > h->max_ns)
        h->max_ns = value_ns;
}

/* into += from; both of the same bits. */
void hist_merge(struct hist *into, const struct hist *from);

/* Percentiles need proof: a percentile q is known when at least HIST_MIN_BEYOND
 * values lie beyond it (p99.9 needs 10,000 values). */
#define HIST_MIN_BEYOND 10
bool hist_knows(const struct hist *h, double percent);
/* The value that `percent` of all values do not exceed, known or not; 0 when empty. */
int64_t hist_percentile_ns(const struct hist *h, double percent);

double hist_mean_ns(const struct hist *h);
double hist_stdev_ns(const struct hist *h);
/* Share (0..1) of the values in [low, high]. */
double hist_share_within(const struct hist *h, double low_ns, double high_ns);

/* The value a bucket stands for (its middle): for those who walk counts[]. */
int64_t hist_value_ns(const struct hist *h, unsigned index);
