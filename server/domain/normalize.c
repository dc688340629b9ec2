/* Unicode normalization form C (UAX #15): decompose, order marks, compose. */
#include <stdlib.h>

#include "server/domain/idna_table.h"
#include "server/domain/internal.h"

/* Hangul syllables are composed by arithmetic (The Unicode Standard, 3.12). */
enum {
    S_BASE = 0xac00,
    L_BASE = 0x1100,
    V_BASE = 0x1161,
    T_BASE = 0x11a7,
    L_COUNT = 19,
    V_COUNT = 21,
    T_COUNT = 28,
    S_COUNT = L_COUNT * V_COUNT * T_COUNT,
};

static bool is_syllable(uint32_t point)
{
    return point >= S_BASE && point < S_BASE + S_COUNT;
}

static int by_point(const void *key, const void *entry)
{
    uint32_t point = *(const uint32_t *)key, other = ((const struct idna_pair *)entry)->point;
    return (point > other) - (point < other);
}

static int by_parts(const void *key, const void *entry)
{
    const struct idna_pair *a = key, *b = entry;
    if (a->first != b->first)
        return a->first > b->first ? 1 : -1;
    return (a->second > b->second) - (a->second < b->second);
}

/* The full canonical decomposition of a point appended; new count, 0: no room. */
static size_t decompose(uint32_t point, uint32_t *points, size_t count, size_t cap)
{
    uint32_t tail[4]; /* the list's longest chain of decompositions is 3 */
    size_t n = 0;
    if (is_syllable(point)) {
        uint32_t index = point - S_BASE;
        if (index % T_COUNT != 0)
            tail[n++] = T_BASE + index % T_COUNT;
        tail[n++] = V_BASE + index % (V_COUNT * T_COUNT) / T_COUNT;
        point = L_BASE + index / (V_COUNT * T_COUNT);
    }
    for (;;) {
        const struct idna_pair *pair =
            bsearch(&point, idna_decompositions, idna_decomposition_count, sizeof *pair, by_point);
        if (pair == NULL)
            break;
        /* only the first part decomposes further */
        if (pair->second != 0)
            tail[n++] = pair->second;
        point = pair->first;
    }
    if (cap - count < n + 1)
        return 0;
    points[count++] = point;
    while (n > 0)
        points[count++] = tail[--n];
    return count;
}

/* Runs of marks by combining class, equals in their order. */
static void order_marks(uint32_t *points, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t point = points[i];
        uint8_t ccc = idna_row(point)->ccc;
        size_t at = i;
        for (; ccc != 0 && at > 0 && idna_row(points[at - 1])->ccc > ccc; at--)
            points[at] = points[at - 1];
        points[at] = point;
    }
}

/* The point that first and second compose to, or 0. */
static uint32_t composed(uint32_t first, uint32_t second)
{
    if (first >= L_BASE && first < L_BASE + L_COUNT && second >= V_BASE &&
        second < V_BASE + V_COUNT)
        return S_BASE + ((first - L_BASE) * V_COUNT + (second - V_BASE)) * T_COUNT;
    if (is_syllable(first) && (first - S_BASE) % T_COUNT == 0 && second > T_BASE &&
        second < T_BASE + T_COUNT)
        return first + (second - T_BASE);
    struct idna_pair key = {0, first, second};
    const struct idna_pair *pair =
        bsearch(&key, idna_compositions, idna_composition_count, sizeof *pair, by_parts);
    return pair == NULL ? 0 : pair->point;
}

static size_t compose(uint32_t *points, size_t count)
{
    size_t out = 0, starter = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        uint32_t point = points[i];
        uint8_t ccc = idna_row(point)->ccc;
        if (starter != SIZE_MAX) {
            /* blocked: a mark of the same or a higher class, or a starter, stands between */
            uint8_t between = out - 1 == starter ? 0 : idna_row(points[out - 1])->ccc;
            bool is_next = out - 1 == starter || (between != 0 && between < ccc);
            uint32_t whole = is_next ? composed(points[starter], point) : 0;
            if (whole != 0) {
                points[starter] = whole;
                continue;
            }
        }
        if (ccc == 0)
            starter = out;
        points[out++] = point;
    }
    return out;
}

size_t normalize_nfc(const uint32_t *points, size_t count, uint32_t *ret_points, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        n = decompose(points[i], ret_points, n, cap);
        if (n == 0)
            return 0;
    }
    order_marks(ret_points, n);
    return compose(ret_points, n);
}
