#include "server/domain/suffix.h"

#include <endian.h>

#include "server/domain/internal.h"
#include "server/domain/simd.h"

/* Odd constants with well-spread bits (from the fraction of the golden ratio and of sqrt 2). */
#define MIX_LABEL  UINT64_C(0x9e3779b97f4a7c15)
#define MIX_PARENT UINT64_C(0x6a09e667f3bcc909)

static inline uint64_t load_before(const char *end)
{
    uint64_t word;
    memcpy(&word, end - 8, 8);
    return le64toh(word);
}

static inline uint64_t word_before(const char *end, size_t len)
{
    uint64_t word = load_before(end);
    return len >= 8 ? word : word >> (64 - 8 * len);
}

uint64_t suffix_word(const char *end, size_t len)
{
    return word_before(end, len);
}

/* len >= 1 */
static inline uint64_t label_hash(const char *end, size_t len)
{
    uint64_t h = len;
    while (UNLIKELY(len > 8)) {
        h = (h ^ load_before(end)) * MIX_LABEL;
        h ^= h >> 32;
        end -= 8;
        len -= 8;
    }
    return (h ^ word_before(end, len)) * MIX_LABEL;
}

struct place {
    uint32_t group;
    unsigned char tag; /* never 0 */
};

static inline struct place place_of(const struct domain_suffixes *s, uint32_t parent, uint64_t hash)
{
    uint64_t x = (hash ^ (hash >> 29) ^ (parent * MIX_PARENT)) * MIX_LABEL;
    unsigned char tag = (unsigned char)(x >> 56);
    return (struct place){(uint32_t)(x >> 32) & s->group_mask, tag == 0 ? 1 : tag};
}

/* Which of a group's 16 tags equal `tag`: a bit for each. */
static inline uint32_t match_tags(const unsigned char *group, unsigned char tag)
{
#if defined(__SSE2__)
    __m128i tags = _mm_load_si128((const __m128i *)(const void *)group);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8((char)tag)));
#else
    uint32_t bits = 0;
    for (unsigned i = 0; i < SUFFIX_GROUP; i++)
        bits |= (uint32_t)(group[i] == tag) << i;
    return bits;
#endif
}

static inline bool is_node(const struct domain_suffixes *s, const struct suffix_node *n,
                           uint32_t parent, const char *end, size_t len)
{
    if (n->parent != parent || n->len != len || n->word != word_before(end, len))
        return false;
    return len <= 8 || memcmp(s->text + n->text, end - len, len - 8) == 0;
}

static inline uint32_t find(const struct domain_suffixes *s, uint32_t parent, const char *end,
                            size_t len)
{
    struct place place = place_of(s, parent, label_hash(end, len));
    for (uint32_t group = place.group;; group = (group + 1) & s->group_mask) {
        const unsigned char *tags = s->tags + (size_t)group * SUFFIX_GROUP;
        for (uint32_t hits = match_tags(tags, place.tag); hits != 0; hits &= hits - 1) {
            uint32_t slot = group * SUFFIX_GROUP + (uint32_t)__builtin_ctz(hits);
            if (LIKELY(is_node(s, &s->nodes[slot], parent, end, len)))
                return slot;
        }
        if (LIKELY(match_tags(tags, 0) != 0))
            return SUFFIX_ROOT;
    }
}

uint32_t suffix_find(const struct domain_suffixes *s, uint32_t parent, const char *end, size_t len)
{
    return find(s, parent, end, len);
}

uint32_t suffix_insert(struct domain_suffixes *s, uint32_t parent, const char *end, size_t len,
                       uint32_t text, bool *ret_is_new)
{
    uint32_t slot = find(s, parent, end, len);
    *ret_is_new = slot == SUFFIX_ROOT;
    if (!*ret_is_new)
        return slot;
    struct place place = place_of(s, parent, label_hash(end, len));
    uint32_t group = place.group, empty;
    while ((empty = match_tags(s->tags + (size_t)group * SUFFIX_GROUP, 0)) == 0)
        group = (group + 1) & s->group_mask;
    slot = group * SUFFIX_GROUP + (uint32_t)__builtin_ctz(empty);
    s->tags[slot] = place.tag;
    s->nodes[slot] = (struct suffix_node){
        .word = word_before(end, len), .parent = parent, .text = text, .len = (uint8_t)len};
    if (parent != SUFFIX_ROOT)
        s->nodes[parent].flags |= SUFFIX_HAS_CHILDREN;
    return slot;
}

/* ---- the walk ---- */

uint64_t suffix_dots(const char *host, size_t len)
{
    uint64_t dots = 0;
    if (len > 64)
        return 0;
    for (size_t n = 0; n < len; n += 16) {
        size_t left = len - n;
        host_block b = left >= 16 ? host_load(host + n) : host_load_part(host + n, left);
        dots |= (uint64_t)host_classify(b).dot << n;
    }
    return dots;
}

/* Where the label that ends at `end` begins. */
static inline size_t label_start(const char *host, size_t end, uint64_t dots, bool is_short)
{
    if (LIKELY(is_short)) {
        uint64_t before = dots & ((UINT64_C(1) << end) - 1);
        return before == 0 ? 0 : 64 - (size_t)__builtin_clzll(before);
    }
    const char *dot = memrchr(host, '.', end);
    return dot == NULL ? 0 : (size_t)(dot - host) + 1;
}

/* A label with nothing in it: ".com", "a..com", "com..", "." */
static inline bool has_empty_label(const char *host, size_t len, uint64_t dots, bool is_short)
{
    if (host[0] == '.')
        return true;
    return is_short ? (dots & dots >> 1) != 0 : memmem(host, len, "..", 2) != NULL;
}

/* One reading of the list while the walk goes on, in label starts. */
struct reading {
    size_t suffix_at;
    uint8_t section;
    bool is_final; /* an exception has spoken */
};

/* The flags by which a section's rules show in a node. */
struct section_flags {
    uint8_t rule, wild, except;
    uint8_t section;
};
static const struct section_flags icann_flags = {SUFFIX_RULE_ICANN, SUFFIX_WILD_ICANN,
                                                 SUFFIX_EXCEPT_ICANN, DOMAIN_SECTION_ICANN};
static const struct section_flags private_flags = {SUFFIX_RULE_PRIVATE, SUFFIX_WILD_PRIVATE,
                                                   SUFFIX_EXCEPT_PRIVATE, DOMAIN_SECTION_PRIVATE};

/* What a node says whose label begins at `at`; outer: the label to the right of it. */
static inline void read_node(struct reading *reading, unsigned flags,
                             const struct section_flags *of, size_t at, size_t outer)
{
    if (UNLIKELY(reading->is_final))
        return;
    if (UNLIKELY((flags & of->except) != 0))
        *reading = (struct reading){outer, of->section, true};
    else if ((flags & of->rule) != 0)
        *reading = (struct reading){at, of->section, false};
}

/* What it says about any label below it, which begins at `at`. */
static inline void read_wildcard(struct reading *reading, unsigned flags,
                                 const struct section_flags *of, size_t at)
{
    if ((flags & of->wild) != 0 && !reading->is_final)
        *reading = (struct reading){at, of->section, false};
}

static inline struct domain_cut cut_of(const char *host, const struct reading *reading,
                                       uint64_t dots, bool is_short)
{
    struct domain_cut cut = {(uint16_t)reading->suffix_at, DOMAIN_NONE, reading->section};
    if (reading->suffix_at > 0)
        cut.registrable_at = (uint16_t)label_start(host, reading->suffix_at - 1, dots, is_short);
    return cut;
}

void suffix_cut(const struct domain_suffixes *s, struct domain_result *r, uint64_t dots)
{
    const char *host = r->host;
    size_t len = r->host_len;
    bool is_short = len <= 63;
    if (has_empty_label(host, len, dots, is_short)) {
        r->all = (struct domain_cut){DOMAIN_NONE, DOMAIN_NONE, DOMAIN_SECTION_NONE};
        r->icann = r->all;
        return;
    }
    size_t end = host[len - 1] == '.' ? len - 1 : len;
    size_t at = label_start(host, end, dots, is_short), outer = end;
    struct reading icann = {at, DOMAIN_SECTION_UNLISTED, false}, all = icann;
    uint32_t parent = SUFFIX_ROOT;
    for (;;) {
        parent = find(s, parent, host + end, end - at);
        if (parent == SUFFIX_ROOT)
            break;
        unsigned flags = s->nodes[parent].flags;
        read_node(&icann, flags, &icann_flags, at, outer);
        read_node(&all, flags, &icann_flags, at, outer);
        read_node(&all, flags, &private_flags, at, outer);
        if (at == 0 || (flags & SUFFIX_HAS_CHILDREN) == 0)
            break;
        outer = at;
        end = at - 1;
        at = label_start(host, end, dots, is_short);
        if (UNLIKELY((flags & (SUFFIX_WILD_ICANN | SUFFIX_WILD_PRIVATE)) != 0)) {
            read_wildcard(&icann, flags, &icann_flags, at);
            read_wildcard(&all, flags, &private_flags, at);
            read_wildcard(&all, flags, &icann_flags, at); /* of equals ICANN's counts */
        }
    }
    r->icann = cut_of(host, &icann, dots, is_short);
    r->all = cut_of(host, &all, dots, is_short);
}
