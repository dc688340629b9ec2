/* server/domain/suffix.h - the suffix table: a tree of labels in one hash table.
 *
 * A node is a label under a parent label ("co" under "uk").  The nodes lie in
 * groups of 16 slots; beside them stands one tag byte per slot, 16 KiB for the
 * whole list, so a look-up that fails (most do: "example" under "com") costs
 * one 16-byte compare in a cache line that is warm.
 *
 *      tags   [t t t . t t t t t . t t t t t t]  [ ... ]    0: an empty slot
 *      nodes  [n n n . n n n n n . n n n n n n]  [ ... ]
 *
 * A group with an empty slot ends the search; a full one sends it on to the
 * next group. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/domain/domain.h"

enum { SUFFIX_GROUP = 16 };

enum suffix_node_flag {
    SUFFIX_HAS_CHILDREN = 1,
    SUFFIX_RULE_ICANN = 2,
    SUFFIX_RULE_PRIVATE = 4,
    SUFFIX_WILD_ICANN = 8, /* *.NODE is a rule */
    SUFFIX_WILD_PRIVATE = 16,
    SUFFIX_EXCEPT_ICANN = 32, /* !NODE is a rule */
    SUFFIX_EXCEPT_PRIVATE = 64,
};

struct suffix_node {
    uint64_t word;   /* the label's last 8 bytes, see suffix_word() */
    uint32_t parent; /* slot; SUFFIX_ROOT for a top-level label */
    uint32_t text;   /* where the label stands in the text, when longer than 8 */
    uint8_t len;
    uint8_t flags; /* set of enum suffix_node_flag */
};

#define SUFFIX_ROOT UINT32_MAX

struct domain_suffixes {
    atomic_uint refs;
    bool is_placed;            /* lies in the caller's memory: never freed */
    uint32_t group_mask;       /* groups - 1 */
    unsigned char *tags;       /* a byte per slot */
    struct suffix_node *nodes; /* a node per slot */
    char *text;
    size_t text_bytes;
    struct domain_suffixes_info info;
};

/* The last min(len, 8) bytes before `end` as a number.  Reads 8 bytes before
 * `end`, whatever len is. */
uint64_t suffix_word(const char *end, size_t len);

/* Slot of the label end[-len..-1] under parent, or SUFFIX_ROOT: there is none. */
uint32_t suffix_find(const struct domain_suffixes *s, uint32_t parent, const char *end, size_t len);
/* Its slot, made when there is none; the table must have room.  text is the
 * offset of the label in s->text. */
uint32_t suffix_insert(struct domain_suffixes *s, uint32_t parent, const char *end, size_t len,
                       uint32_t text, bool *ret_is_new);
