/* tests/lib/profile_tree.h - a call tree made up by hand: the same in every run.
 *
 * Fills a slot's nodes through prof_child, as recording does, with numbers of
 * all sizes, recursion, mutual recursion, built-ins written in several places
 * and names that need care when quoted. */
#pragma once

#include "coro/prof/prof.h"
#include "coro/prof/snapshot.h"
#include "coro/prof/worker.h"

#define TREE_SITE(var, text, path, at)                                                             \
    static const struct prof_site var = {.name = (text), .file = (path), .line = (at)}

TREE_SITE(tree_main, "main", "server/main.c", 10);
TREE_SITE(tree_handle, "domain_handle", "server/endpoint/domain.c", 31);
TREE_SITE(tree_fib, "fib", "tests/fib.c", 2);
TREE_SITE(tree_even, "is_even", "tests/even.c", 20);
TREE_SITE(tree_odd, "is_odd", "tests/even.c", 3);
TREE_SITE(tree_read, "{read}", "server/io/io_coro.c", 40);
TREE_SITE(tree_read_again, "{read}", "server/io/io_block.c", 90);
TREE_SITE(tree_write, "{write}", "server/io/io_coro.c", 80);
TREE_SITE(tree_same_name, "main", "client/main.c", 10);
TREE_SITE(tree_quoted, "it's \"odd\"\\", "tests/names.c", 1);

static uint64_t tree_seed = 1;

static inline uint64_t tree_random(uint64_t below)
{
    tree_seed = tree_seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (tree_seed >> 33) % below;
}

/* A call path below `parent`; its time goes into slot->run as well. */
static inline struct prof_node *tree_add(struct prof_slot *slot, struct prof_node *parent,
                                         const struct prof_site *site, uint64_t calls,
                                         uint64_t self)
{
    struct prof_node *n = prof_child(slot, parent, site);
    n->calls += calls;
    n->self += self;
    n->wait += self / 3;
    n->ready += self / 7;
    n->slice = self / 2;
    slot->run += self;
    return n;
}

static inline void tree_add_fib(struct prof_slot *slot, struct prof_node *parent, int depth)
{
    for (int i = 0; i < depth; i++)
        parent = tree_add(slot, parent, &tree_fib, (uint64_t)(i * i + 1), tree_random(1u << 20));
    tree_add(slot, parent, &tree_read_again, 3, tree_random(1u << 20));
}

/* `ticks` scales the times: 1 gives fractions of a ms, 100000 gives seconds. */
static inline void tree_fill(struct prof_slot *slot, uint64_t ticks)
{
    struct prof_node *root = &slot->nodes[PROF_NODE_ROOT];
    root->self += 12345;
    slot->run += 12345;
    struct prof_node *m = tree_add(slot, root, &tree_main, 1, tree_random(1000) * ticks);
    struct prof_node *h = tree_add(slot, m, &tree_handle, 4000000000u, 77777 * ticks);
    tree_add(slot, h, &tree_read, 5000000000u, tree_random(1000000) * ticks);
    tree_add(slot, h, &tree_read_again, 17, tree_random(1000000) * ticks);
    tree_add(slot, h, &tree_write, 4000000000u, tree_random(1000000) * ticks);
    tree_add_fib(slot, h, 4);
    tree_add_fib(slot, m, 6);
    struct prof_node *n = m;
    for (int i = 0; i < 9; i++)
        n = tree_add(slot, n, i % 2 == 0 ? &tree_even : &tree_odd, 100 - (uint64_t)i,
                     tree_random(50000) * ticks);
    tree_add(slot, root, &tree_same_name, 2, tree_random(1000) * ticks);
    tree_add(slot, root, &tree_odd, 2, tree_random(1000) * ticks);
    struct prof_node *q = tree_add(slot, root, &tree_quoted, 0, tree_random(1000) * ticks);
    q->in_flight = 1; /* called before, still running */
}
