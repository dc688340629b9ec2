#include "server/profile/map.h"

#include <stdlib.h>

#include "server/profile/report.h"

#define FIRST_SIZE 512

static struct profile_entry *probe(const struct profile_table *t, uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ (b << 32 | b >> 32)) * UINT64_C(0x9E3779B97F4A7C15);
    uint32_t at = (uint32_t)(h >> 32);
    for (;; at++) {
        struct profile_entry *e = &t->entries[at & (t->size - 1)];
        if (!e->is_used || (e->a == a && e->b == b))
            return e;
    }
}

static bool grow(struct profile_table *t)
{
    struct profile_table bigger = {.size = t->size == 0 ? FIRST_SIZE : t->size * 2,
                                   .used = t->used};
    bigger.entries = calloc(bigger.size, sizeof bigger.entries[0]);
    if (bigger.entries == NULL)
        return false;
    for (uint32_t i = 0; i < t->size; i++)
        if (t->entries[i].is_used)
            *probe(&bigger, t->entries[i].a, t->entries[i].b) = t->entries[i];
    free(t->entries);
    *t = bigger;
    return true;
}

uint32_t *profile_table_at(struct profile_table *t, uint64_t a, uint64_t b)
{
    if (t->used * 2 >= t->size && !grow(t))
        return NULL;
    struct profile_entry *e = probe(t, a, b);
    if (!e->is_used) {
        *e = (struct profile_entry){.a = a, .b = b, .value = PROFILE_NONE, .is_used = 1};
        t->used++;
    }
    return &e->value;
}

void profile_table_fini(struct profile_table *t)
{
    free(t->entries);
    *t = (struct profile_table){.size = 0};
}
