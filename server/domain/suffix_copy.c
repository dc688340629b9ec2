/* server/domain/suffix_copy.c - a table in one piece, in memory that processes share.
 *
 * The copy's pointers are addresses, so it is read where it was made: by the
 * process that made it and those that inherited the mapping by fork. */
#include <string.h>

#include "server/domain/suffix.h"

enum { ALIGNMENT = 64 };

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t slots_of(const struct domain_suffixes *s)
{
    return ((size_t)s->group_mask + 1) * SUFFIX_GROUP;
}

size_t domain_suffixes_bytes(const struct domain_suffixes *s)
{
    return rounded(sizeof *s) + rounded(slots_of(s)) + rounded(slots_of(s) * sizeof *s->nodes) +
           rounded(s->text_bytes);
}

static void *put(char **at, const void *bytes, size_t len)
{
    void *to = *at;
    memcpy(to, bytes, len);
    *at += rounded(len);
    return to;
}

struct domain_suffixes *domain_suffixes_copy(const struct domain_suffixes *s, void *memory)
{
    char *at = memory;
    struct domain_suffixes *copy = memory;
    at += rounded(sizeof *copy);
    copy->is_placed = true;
    copy->group_mask = s->group_mask;
    copy->tags = put(&at, s->tags, slots_of(s));
    copy->nodes = put(&at, s->nodes, slots_of(s) * sizeof *s->nodes);
    copy->text = put(&at, s->text, s->text_bytes);
    copy->text_bytes = s->text_bytes;
    copy->info = s->info;
    return copy;
}
