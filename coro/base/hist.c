#include "coro/base/hist.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int hist_init(struct hist *h, unsigned bits)
{
    unsigned n = hist_index(bits, HIST_MAX_NS) + 1;
    uint64_t *counts = calloc(n, sizeof *counts);
    if (counts == NULL)
        return -ENOMEM;
    *h = (struct hist){.counts = counts, .min_ns = INT64_MAX, .bits = bits, .n_counts = n};
    return 0;
}

void hist_fini(struct hist *h)
{
    free(h->counts);
    *h = (struct hist){.min_ns = INT64_MAX};
}

void hist_clear(struct hist *h)
{
    memset(h->counts, 0, h->n_counts * sizeof *h->counts);
    h->total = 0;
    h->sum_ns = 0;
    h->min_ns = INT64_MAX;
    h->max_ns = 0;
}

void hist_merge(struct hist *into, const struct hist *from)
{
    if (from->total == 0)
        return;
    for (unsigned i = 0; i < into->n_counts && i < from->n_counts; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
    into->sum_ns += from->sum_ns;
    if (from->min_ns < into->min_ns)
        into->min_ns = from->min_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
}

int64_t hist_value_ns(const struct hist *h, unsigned index)
{
    unsigned octave = index >> h->bits;
    if (octave < 2)
        return index;
    unsigned shift = octave - 1;
    uint64_t low = (uint64_t)(index - (shift << h->bits)) << shift;
    return (int64_t)(low + (UINT64_C(1) << shift) / 2);
}

bool hist_knows(const struct hist *h, double percent)
{
    /* A hair of slack: 10,000 x (1 - 0.999) is 9.99... in binary. */
    return (double)h->total * (100 - percent) / 100 >= HIST_MIN_BEYOND - 1e-6;
}

int64_t hist_percentile_ns(const struct hist *h, double percent)
{
    if (h->total == 0)
        return 0;
    double exact_rank = ceil(percent / 100 * (double)h->total - 1e-6);
    uint64_t rank = exact_rank < 1 ? 1 : (uint64_t)exact_rank;
    if (rank >= h->total)
        return h->max_ns;
    uint64_t seen = 0;
    for (unsigned i = 0; i < h->n_counts; i++) {
        seen += h->counts[i];
        if (seen < rank)
            continue;
        int64_t value = hist_value_ns(h, i);
        /* The middle of the outermost buckets may lie outside what was ever seen. */
        if (value < h->min_ns)
            return h->min_ns;
        return value > h->max_ns || i + 1 == h->n_counts ? h->max_ns : value;
    }
    return h->max_ns;
}

double hist_mean_ns(const struct hist *h)
{
    return h->total == 0 ? 0 : (double)h->sum_ns / (double)h->total;
}

double hist_stdev_ns(const struct hist *h)
{
    if (h->total == 0)
        return 0;
    double mean = hist_mean_ns(h);
    double sum = 0;
    for (unsigned i = 0; i < h->n_counts; i++) {
        if (h->counts[i] == 0)
            continue;
        double off = (double)hist_value_ns(h, i) - mean;
        sum += off * off * (double)h->counts[i];
    }
    return sqrt(sum / (double)h->total);
}

double hist_share_within(const struct hist *h, double low_ns, double high_ns)
{
    uint64_t inside = 0;
    for (unsigned i = 0; i < h->n_counts; i++) {
        double value = (double)hist_value_ns(h, i);
        if (value >= low_ns && value <= high_ns)
            inside += h->counts[i];
    }
    return h->total == 0 ? 0 : (double)inside / (double)h->total;
}
