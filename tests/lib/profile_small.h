/* tests/lib/profile_small.h - a tree small enough that its reports can be written by hand:
 *
 *   unscoped 5 s, serve 2 calls 1 s (waited 4 s)
 *     fib 3 calls 2 s, in itself 6 calls 3 s
 *     {read} 7 calls 0.5 s, from two places */
#pragma once

#include <check.h>
#include <errno.h>

#include "profile_tree.h"
#include "server/profile/format.h"

TREE_SITE(small_serve, "serve", "server/x.c", 7);
TREE_SITE(small_fib, "fib;n", "tests/fib.c", 2);
TREE_SITE(small_read, "{read}", "server/io.c", 40);
TREE_SITE(small_read_too, "{read}", "server/io.c", 90);

#define SMALL_S UINT64_C(1000000000)

static inline void small_fill(struct prof_slot *slot)
{
    struct prof_node *root = &slot->nodes[PROF_NODE_ROOT];
    struct prof_node *serve = prof_child(slot, root, &small_serve);
    struct prof_node *fib = prof_child(slot, serve, &small_fib);
    struct prof_node *inner = prof_child(slot, fib, &small_fib);
    struct prof_node *read = prof_child(slot, serve, &small_read);
    struct prof_node *read_too = prof_child(slot, serve, &small_read_too);
    root->self = 5 * SMALL_S;
    serve->calls = 2, serve->self = SMALL_S, serve->wait = 4 * SMALL_S;
    fib->calls = 3, fib->self = 2 * SMALL_S;
    inner->calls = 6, inner->self = 3 * SMALL_S;
    read->calls = 4, read->self = SMALL_S / 4;
    read_too->calls = 3, read_too->self = SMALL_S / 4;
    slot->run = 11 * SMALL_S + SMALL_S / 2;
}

/* A slot of the segment, open once and empty. */
static inline struct prof_slot *small_slot(unsigned i)
{
    ck_assert_int_eq(prof_worker_open("made up"), 0);
    prof_worker_close();
    struct prof_slot *slot = prof_slot_at(i);
    slot->run = slot->nodes[PROF_NODE_ROOT].self = 0;
    return slot;
}

/* The report of the tree; ticks are ns. */
static inline void small_report(struct profile_report *r)
{
    static const struct profile_filter all = {.slot = -1};
    struct prof_snapshot *s;
    ck_assert_int_eq(prof_segment_create(1), 0);
    small_fill(small_slot(0));
    ck_assert_int_eq(prof_snapshot_take(0, &s), 0);
    s->tick_ns = 1;
    ck_assert_int_eq(profile_report_init(r), 0);
    ck_assert_int_eq(profile_report_add(r, s, 1, &all), 0);
    ck_assert_int_eq(profile_report_finish(r), 0);
    prof_snapshot_free(s);
    prof_segment_destroy();
}

/* A full buffer is told, at every size that is too small. */
static inline void small_check_limits(size_t len, int (*make)(struct buf *out))
{
    size_t step = len / 40 + 1;
    for (size_t max = 0; max < len; max += step) {
        struct buf out;
        buf_init(&out, max);
        ck_assert_int_eq(make(&out), -EMSGSIZE);
        ck_assert_uint_le(out.len, max);
        buf_fini(&out);
    }
}

/* The report of the tree, made into exactly this text. */
static inline void small_check(struct profile_report *r, int (*make)(struct buf *out),
                               const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    small_report(r);
    ck_assert_int_eq(make(&out), 0);
    ck_assert_int_eq(buf_append_char(&out, 0), 0);
    ck_assert_str_eq(out.data, expected);
    small_check_limits(out.len - 1, make);
    buf_fini(&out);
    profile_report_fini(r);
}
