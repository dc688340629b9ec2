/* server/profile/pstats.c - the file that Python's pstats loads: a marshalled
 *   {(file, line, name): (primitive, calls, tottime, cumtime, callers)}
 * where callers is {(file, line, name): (calls, primitive, tottime, cumtime)}:
 * the two counts swap places.  Codes as in CPython's Python/marshal.c, version
 * 2 without references. */
#include <string.h>

#include "server/profile/format.h"

static int append_u32(struct buf *out, char code, uint32_t value)
{
    char bytes[5] = {code, (char)value, (char)(value >> 8), (char)(value >> 16),
                     (char)(value >> 24)};
    return buf_append(out, bytes, sizeof bytes);
}

static int append_text(struct buf *out, const char *text)
{
    size_t n = strlen(text);
    int rv = append_u32(out, 'u', (uint32_t)n);
    return rv < 0 ? rv : buf_append(out, text, n);
}

/* Beyond 32 bits: sign and number of 15-bit digits, then the digits. */
static int append_int(struct buf *out, int64_t value)
{
    if (value >= INT32_MIN && value <= INT32_MAX)
        return append_u32(out, 'i', (uint32_t)value);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char digits[10];
    size_t n = 0;
    for (; rest != 0; rest >>= 15) {
        digits[n++] = (char)rest;
        digits[n++] = (char)((rest >> 8) & 0x7f);
    }
    int32_t count = (int32_t)(n / 2);
    int rv = append_u32(out, 'l', (uint32_t)(value < 0 ? -count : count));
    return rv < 0 ? rv : buf_append(out, digits, n);
}

static int append_double(struct buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    char bytes[9] = {'g'};
    for (size_t i = 0; i < 8; i++)
        bytes[1 + i] = (char)(bits >> (8 * i));
    return buf_append(out, bytes, sizeof bytes);
}

static int append_key(struct buf *out, const struct profile_function *f)
{
    int rv = append_u32(out, '(', 3);
    if (rv == 0)
        rv = append_text(out, f->file);
    if (rv == 0)
        rv = append_int(out, f->line);
    return rv < 0 ? rv : append_text(out, f->name);
}

static int append_numbers(struct buf *out, int64_t first, int64_t second, double tottime,
                          double cumtime)
{
    int rv = append_int(out, first);
    if (rv == 0)
        rv = append_int(out, second);
    if (rv == 0)
        rv = append_double(out, tottime);
    return rv < 0 ? rv : append_double(out, cumtime);
}

static int append_callers(struct buf *out, const struct profile_report *r,
                          const struct profile_function *f)
{
    int rv = buf_append_char(out, '{');
    for (uint32_t i = f->first_caller; i != PROFILE_NONE && rv == 0; i = r->edges[i].next_caller) {
        const struct profile_edge *e = &r->edges[i];
        if (!profile_edge_is_shown(r, i))
            continue;
        rv = append_key(out, &r->functions[e->caller]);
        if (rv == 0)
            rv = append_u32(out, '(', 4);
        if (rv == 0)
            rv = append_numbers(out, e->calls, e->primitive, e->tottime, e->cumtime);
    }
    return rv < 0 ? rv : buf_append_char(out, '0');
}

int profile_pstats(struct buf *out, const struct profile_report *r)
{
    int rv = buf_append_char(out, '{');
    for (uint32_t i = 0; i < r->function_count && rv == 0; i++) {
        const struct profile_function *f = &r->functions[i];
        if (!f->is_shown)
            continue;
        rv = append_key(out, f);
        if (rv == 0)
            rv = append_u32(out, '(', 5);
        if (rv == 0)
            rv = append_numbers(out, f->primitive, f->calls, f->tottime, f->cumtime);
        if (rv == 0)
            rv = append_callers(out, r, f);
    }
    return rv < 0 ? rv : buf_append_char(out, '0');
}
