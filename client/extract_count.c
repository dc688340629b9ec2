/* How often each key came: a hash table over one arena of keys. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/extract.h"

enum { FIRST_SLOTS = 1024 };

struct count {
    uint64_t hash;
    uint64_t times; /* 0: an empty slot */
    size_t at;      /* of the key, in keys */
    size_t len;
};

struct extract_counts {
    struct count *slots;
    size_t size; /* a power of two */
    size_t used;
    struct buf keys;
};

int extract_counts_new(struct extract_counts **ret_counts)
{
    struct extract_counts *c = calloc(1, sizeof *c);
    if (c == NULL)
        return -ENOMEM;
    buf_init(&c->keys, SIZE_MAX / 2);
    c->size = FIRST_SLOTS;
    c->slots = calloc(c->size, sizeof *c->slots);
    if (c->slots == NULL) {
        free(c);
        return -ENOMEM;
    }
    *ret_counts = c;
    return 0;
}

void extract_counts_free(struct extract_counts *c)
{
    if (c == NULL)
        return;
    buf_fini(&c->keys);
    free(c->slots);
    free(c);
}

/* FNV-1a, then mixed: the low bits choose the slot. */
static uint64_t hash_of(const char *key, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)key[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static int grow(struct extract_counts *c)
{
    size_t size = c->size * 2;
    struct count *slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < c->size; i++) {
        if (c->slots[i].times == 0)
            continue;
        size_t at = c->slots[i].hash & (size - 1);
        while (slots[at].times != 0)
            at = (at + 1) & (size - 1);
        slots[at] = c->slots[i];
    }
    free(c->slots);
    c->slots = slots;
    c->size = size;
    return 0;
}

int extract_counts_add(struct extract_counts *c, const char *key, size_t len, uint64_t times)
{
    uint64_t hash = hash_of(key, len);
    size_t at = hash & (c->size - 1);
    for (; c->slots[at].times != 0; at = (at + 1) & (c->size - 1)) {
        struct count *slot = &c->slots[at];
        if (slot->hash == hash && slot->len == len &&
            memcmp(c->keys.data + slot->at, key, len) == 0) {
            slot->times += times;
            return 0;
        }
    }
    int rv = buf_append(&c->keys, key, len);
    if (rv < 0)
        return rv;
    c->slots[at] = (struct count){hash, times, c->keys.len - len, len};
    c->used++;
    return c->used * 2 > c->size ? grow(c) : 0;
}

int extract_counts_merge(struct extract_counts *into, const struct extract_counts *from)
{
    for (size_t i = 0; i < from->size; i++) {
        const struct count *slot = &from->slots[i];
        int rv = slot->times == 0
                     ? 0
                     : extract_counts_add(into, from->keys.data + slot->at, slot->len, slot->times);
        if (rv < 0)
            return rv;
    }
    return 0;
}

/* Most frequent first, equals by key, so that every run prints the same. */
static int by_times(const void *left, const void *right, void *keys)
{
    const struct count *a = left, *b = right;
    const char *text = ((struct buf *)keys)->data;
    if (a->times != b->times)
        return a->times < b->times ? 1 : -1;
    int order = memcmp(text + a->at, text + b->at, a->len < b->len ? a->len : b->len);
    if (order != 0)
        return order;
    return (a->len > b->len) - (a->len < b->len);
}

int extract_counts_print(struct extract_counts *c, size_t top, struct buf *out)
{
    struct count *sorted = calloc(c->used + 1, sizeof *sorted);
    if (sorted == NULL)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < c->size; i++)
        if (c->slots[i].times != 0)
            sorted[n++] = c->slots[i];
    qsort_r(sorted, n, sizeof *sorted, by_times, &c->keys);
    int rv = 0;
    for (size_t i = 0; rv == 0 && i < n && i < top; i++) {
        rv = buf_printf(out, "%" PRIu64 "\t", sorted[i].times);
        if (rv == 0)
            rv = buf_append(out, c->keys.data + sorted[i].at, sorted[i].len);
        if (rv == 0)
            rv = buf_append_char(out, '\n');
    }
    free(sorted);
    return rv;
}
