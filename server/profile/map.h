/* server/profile/map.h - a hash table from pairs of numbers to an index.
 *
 *   returns    the place of the value: PROFILE_NONE in it when the key is new
 *              (store one); NULL when memory is short.  Valid until the next call */
#pragma once

#include <stdint.h>

#include "coro/base/attr.h"

struct profile_entry {
    uint64_t a;
    uint64_t b;
    uint32_t value;
    uint32_t is_used;
};

struct profile_table {
    struct profile_entry *entries;
    uint32_t size; /* power of two; 0: nothing yet */
    uint32_t used;
};

MUST_USE uint32_t *profile_table_at(struct profile_table *t, uint64_t a, uint64_t b);
void profile_table_fini(struct profile_table *t);
