#include "loadgen/stats.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* All halves of up to 10 blocks are tried (252 splits); of more, this many at random. */
#define FLOOR_EXHAUSTIVE_BLOCKS 10
#define FLOOR_RANDOM_SPLITS     250
#define FLOOR_QUANTILE          0.95

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double sorted_median(const double *sorted, size_t n)
{
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double lg_median(const double *values, size_t n)
{
    double sorted[LG_STATS_MAX_BLOCKS];
    if (n == 0 || n > LG_STATS_MAX_BLOCKS)
        return NAN;
    memcpy(sorted, values, n * sizeof *values);
    qsort(sorted, n, sizeof *sorted, by_value);
    return sorted_median(sorted, n);
}

bool lg_median_interval(const double *values, size_t n, double *ret_low, double *ret_high)
{
    double sorted[LG_STATS_MAX_BLOCKS];
    if (n == 0 || n > LG_STATS_MAX_BLOCKS)
        return false;
    /* Take k values off each end while Binomial(n, 1/2) leaves at most 2.5 % there. */
    double term = pow(0.5, (double)n), tail = term;
    size_t k = 0;
    while (tail <= LG_ALPHA / 2) {
        k++;
        term *= (double)(n - k + 1) / (double)k;
        tail += term;
    }
    if (k == 0)
        return false;
    memcpy(sorted, values, n * sizeof *values);
    qsort(sorted, n, sizeof *sorted, by_value);
    *ret_low = sorted[k - 1];
    *ret_high = sorted[n - k];
    return true;
}

/* Twice the midranks of a then b (twice, so that ties stay whole numbers). */
static void doubled_midranks(const double *a, size_t na, const double *b, size_t nb, int *ret_ranks)
{
    size_t n = na + nb;
    for (size_t i = 0; i < n; i++) {
        double x = i < na ? a[i] : b[i - na];
        int less = 0, equal = 0;
        for (size_t j = 0; j < n; j++) {
            double y = j < na ? a[j] : b[j - na];
            less += y < x;
            equal += y == x;
        }
        ret_ranks[i] = 2 * less + equal + 1;
    }
}

/* ways[k * (max_sum + 1) + s] = number of k-subsets of ranks[] whose sum is s. */
static double *count_subsets(const int *ranks, size_t n, size_t k_max, size_t max_sum)
{
    double *ways = calloc((k_max + 1) * (max_sum + 1), sizeof *ways);
    if (ways == NULL)
        return NULL;
    ways[0] = 1;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1 < k_max ? i + 1 : k_max; k > 0; k--) {
            const double *from = ways + (k - 1) * (max_sum + 1);
            double *to = ways + k * (max_sum + 1);
            size_t r = (size_t)ranks[i];
            for (size_t s = max_sum; s >= r; s--)
                to[s] += from[s - r];
        }
    return ways;
}

int lg_mann_whitney(const double *a, size_t na, const double *b, size_t nb, double *ret_p)
{
    if (na == 0 || nb == 0 || na > LG_STATS_MAX_BLOCKS || nb > LG_STATS_MAX_BLOCKS)
        return -EINVAL;
    int ranks[2 * LG_STATS_MAX_BLOCKS] = {0};
    doubled_midranks(a, na, b, nb, ranks);
    size_t max_sum = (na + nb) * (na + nb + 1), observed = 0;
    for (size_t i = 0; i < na; i++)
        observed += (size_t)ranks[i];
    double *ways = count_subsets(ranks, na + nb, na, max_sum);
    if (ways == NULL)
        return -ENOMEM;
    const double *of_size = ways + na * (max_sum + 1);
    double below = 0, above = 0, all = 0;
    for (size_t s = 0; s <= max_sum; s++) {
        all += of_size[s];
        below += s <= observed ? of_size[s] : 0;
        above += s >= observed ? of_size[s] : 0;
    }
    free(ways);
    double p = 2 * (below < above ? below : above) / all;
    *ret_p = p > 1 ? 1 : p;
    return 0;
}

void lg_holm(double *p, size_t n)
{
    bool done[LG_STATS_MAX_PAIRS] = {false};
    double last = 0;
    for (size_t step = 0; step < n && step < LG_STATS_MAX_PAIRS; step++) {
        size_t least = n;
        for (size_t i = 0; i < n; i++)
            if (!done[i] && (least == n || p[i] < p[least]))
                least = i;
        double adjusted = p[least] * (double)(n - step);
        last = adjusted > last ? adjusted : last;
        p[least] = last > 1 ? 1 : last;
        done[least] = true;
    }
}

/* How many of the na x nb pairwise differences to leave out on each side for a
 * 95 % interval: from the distribution of the Mann-Whitney U without ties. */
static int interval_cut(size_t na, size_t nb, size_t *ret_cut)
{
    int ranks[2 * LG_STATS_MAX_BLOCKS];
    for (size_t i = 0; i < na + nb; i++)
        ranks[i] = (int)i + 1;
    size_t max_sum = (na + nb) * (na + nb + 1) / 2, least_sum = na * (na + 1) / 2;
    double *ways = count_subsets(ranks, na + nb, na, max_sum);
    if (ways == NULL)
        return -ENOMEM;
    const double *of_size = ways + na * (max_sum + 1);
    double all = 0, tail = 0;
    for (size_t s = 0; s <= max_sum; s++)
        all += of_size[s];
    size_t u = 0;
    while (least_sum + u < max_sum) {
        tail += of_size[least_sum + u] / all;
        if (tail > LG_ALPHA / 2 * (1 + 1e-12))
            break;
        u++;
    }
    free(ways);
    *ret_cut = u == 0 ? 1 : u;
    return 0;
}

static bool take_logs(const double *values, size_t n, double logs[LG_STATS_MAX_BLOCKS])
{
    for (size_t i = 0; i < n; i++) {
        if (!(values[i] > 0))
            return false;
        logs[i] = log(values[i]);
    }
    return true;
}

static int compare_effect(const double *a, size_t na, const double *b, size_t nb,
                          bool want_interval, struct lg_effect *ret_effect)
{
    double log_a[LG_STATS_MAX_BLOCKS], log_b[LG_STATS_MAX_BLOCKS];
    size_t n = na * nb, cut = 1;
    if (n == 0 || na > LG_STATS_MAX_BLOCKS || nb > LG_STATS_MAX_BLOCKS ||
        !take_logs(a, na, log_a) || !take_logs(b, nb, log_b))
        return -EINVAL;
    int rv = want_interval ? interval_cut(na, nb, &cut) : 0;
    if (rv < 0)
        return rv;
    double *logs = malloc(n * sizeof *logs);
    if (logs == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < na; i++)
        for (size_t j = 0; j < nb; j++)
            logs[i * nb + j] = log_a[i] - log_b[j];
    qsort(logs, n, sizeof *logs, by_value);
    *ret_effect = (struct lg_effect){
        .ratio = exp(sorted_median(logs, n)),
        .low = exp(logs[cut - 1]),
        .high = exp(logs[n - cut]),
    };
    free(logs);
    return 0;
}

int lg_ratio_effect(const double *a, size_t na, const double *b, size_t nb,
                    struct lg_effect *ret_effect)
{
    return compare_effect(a, na, b, nb, true, ret_effect);
}

/* |log ratio| of the values whose bit is set in `mask` against the others. */
static int split_effect(const struct lg_group *g, uint64_t mask, double *ret_log)
{
    double half[2][LG_STATS_MAX_BLOCKS];
    size_t n[2] = {0, 0};
    for (size_t i = 0; i < g->n; i++) {
        int side = (mask >> i) & 1;
        half[side][n[side]++] = g->values[i];
    }
    struct lg_effect effect;
    int rv = compare_effect(half[0], n[0], half[1], n[1], false, &effect);
    if (rv == 0)
        *ret_log = fabs(log(effect.ratio));
    return rv;
}

/* A random subset of k of n bits; the generator is fixed so that a report can be repeated. */
static uint64_t random_half(size_t n, size_t k, uint64_t *state)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < n; i++) {
        *state = *state * 6364136223846793005U + 1442695040888963407U;
        if ((*state >> 33) % (n - i) < k) {
            mask |= UINT64_C(1) << i;
            k--;
        }
    }
    return mask;
}

/* Append the effects of splitting one group into halves, to at most max of them. */
static int group_splits(const struct lg_group *g, double *effects, size_t max, size_t *ret_n)
{
    size_t half = g->n / 2, n = 0;
    int rv = 0;
    if (g->n > FLOOR_EXHAUSTIVE_BLOCKS) {
        uint64_t state = 1;
        for (; n < max && n < FLOOR_RANDOM_SPLITS && rv == 0; n++)
            rv = split_effect(g, random_half(g->n, half, &state), &effects[n]);
    } else {
        for (uint64_t mask = 1; mask < UINT64_C(1) << g->n && rv == 0 && n < max; mask++)
            if ((size_t)__builtin_popcountll(mask) == half)
                rv = split_effect(g, mask, &effects[n++]);
    }
    *ret_n = n;
    return rv;
}

int lg_noise_floor(const struct lg_group *groups, size_t n_groups, double *ret_ratio)
{
    size_t max = n_groups * FLOOR_RANDOM_SPLITS, n = 0;
    double *effects = malloc((max + 1) * sizeof *effects);
    if (effects == NULL)
        return -ENOMEM;
    int rv = 0;
    for (size_t g = 0; g < n_groups && rv == 0; g++) {
        if (groups[g].n < 2 || groups[g].n > LG_STATS_MAX_BLOCKS)
            continue;
        size_t added = 0;
        rv = group_splits(&groups[g], effects + n, max - n, &added);
        n += added;
    }
    if (rv == 0 && n == 0)
        rv = -EINVAL;
    if (rv == 0) {
        qsort(effects, n, sizeof *effects, by_value);
        size_t at = (size_t)ceil(FLOOR_QUANTILE * (double)n);
        *ret_ratio = exp(effects[at == 0 ? 0 : at - 1]);
    }
    free(effects);
    return rv;
}

/* Is group g shown to be better than every other one? */
static bool beats_all(const struct lg_ranking *r, size_t g, bool less_is_better)
{
    for (size_t i = 0; i < r->n_pairs; i++) {
        const struct lg_pair *pair = &r->pairs[i];
        if (pair->a != g && pair->b != g)
            continue;
        bool a_is_better = (pair->effect.ratio < 1) == less_is_better;
        if (!pair->shown || a_is_better != (pair->a == g))
            return false;
    }
    return true;
}

/* Is another group shown to be better than g? */
static bool is_beaten(const struct lg_ranking *r, size_t g, bool less_is_better)
{
    for (size_t i = 0; i < r->n_pairs; i++) {
        const struct lg_pair *pair = &r->pairs[i];
        bool a_is_better = (pair->effect.ratio < 1) == less_is_better;
        if (pair->shown && (a_is_better ? pair->b : pair->a) == g)
            return true;
    }
    return false;
}

static int test_pair(const struct lg_group *a, const struct lg_group *b, struct lg_pair *pair)
{
    int rv = lg_mann_whitney(a->values, a->n, b->values, b->n, &pair->p);
    return rv < 0 ? rv : lg_ratio_effect(a->values, a->n, b->values, b->n, &pair->effect);
}

size_t lg_least_blocks(size_t n_groups)
{
    double pairs = (double)(n_groups * (n_groups - 1)) / 2;
    size_t n = 1;
    /* The least p that two times n blocks can have: 2 of all C(2n, n) ways to share out ranks. */
    double least_p = 1;
    while (n < LG_STATS_MIN_BLOCKS || least_p * pairs > LG_ALPHA) {
        n++;
        least_p *= (double)n / (2 * (2 * (double)n - 1));
    }
    return n;
}

int lg_rank(const struct lg_group *groups, size_t n_groups, bool less_is_better,
            struct lg_ranking *ret_ranking)
{
    if (n_groups < 2 || n_groups > LG_STATS_MAX_GROUPS)
        return -EINVAL;
    struct lg_ranking r = {.winner = -1};
    int rv = lg_noise_floor(groups, n_groups, &r.floor_ratio);
    double p[LG_STATS_MAX_PAIRS];
    bool enough = true;
    for (size_t a = 0; a < n_groups && rv == 0; a++) {
        enough = enough && groups[a].n >= LG_STATS_MIN_BLOCKS;
        for (size_t b = a + 1; b < n_groups && rv == 0; b++) {
            struct lg_pair *pair = &r.pairs[r.n_pairs];
            *pair = (struct lg_pair){.a = a, .b = b};
            rv = test_pair(&groups[a], &groups[b], pair);
            p[r.n_pairs++] = pair->p;
        }
    }
    if (rv < 0)
        return rv;
    lg_holm(p, r.n_pairs);
    for (size_t i = 0; i < r.n_pairs; i++) {
        struct lg_pair *pair = &r.pairs[i];
        pair->p = p[i];
        pair->shown =
            enough && p[i] <= LG_ALPHA && fabs(log(pair->effect.ratio)) > log(r.floor_ratio);
    }
    for (size_t g = 0; g < n_groups; g++) {
        if (beats_all(&r, g, less_is_better))
            r.winner = (int)g;
        r.leads[g] = !is_beaten(&r, g, less_is_better);
    }
    *ret_ranking = r;
    return 0;
}
