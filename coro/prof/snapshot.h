/* coro/prof/snapshot.h - every worker's tree at one moment, copied.
 *
 * A worker that rests (blocked in a call between prof_wait_begin and _end, or
 * gone) is copied by the reader under the slot's sequence number; a running
 * one is asked for a copy and makes it at its next wait.  A worker that does
 * not get there within the reader's patience is read as it runs, which can be
 * off by the call it is in, and marked stale.
 *
 * A snapshot is one block without inner pointers (but for the sites, which are
 * the same in every process forked from this one), so it can be stored and
 * copied as bytes:
 *
 *   | struct prof_snapshot | worker[worker_count] | node[node_count] |
 *
 *   context   any thread; it may sleep for as long as `patience_ns`
 *   ownership the block is the caller's: prof_snapshot_free */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/prof/tree.h"

struct prof_snapshot_worker {
    uint32_t slot;
    int32_t pid;
    int32_t tid;
    uint32_t generation; /* workers that used the slot so far */
    bool is_open;        /* has a worker now */
    bool is_stale;       /* it did not answer in time: read as it ran */
    uint32_t abandoned;
    uint32_t first_node; /* its tree: node_count nodes from here, parents first */
    uint32_t node_count;
    uint64_t run; /* ticks of all run slices */
    uint64_t switches;
    uint64_t overflowed;
    char name[PROF_WORKER_NAME_WORDS * sizeof(uint64_t)];
};

struct prof_snapshot {
    uint64_t id; /* 0 until it is stored */
    size_t bytes;
    int64_t at_ns;   /* monotonic */
    int64_t wall_ns; /* since the epoch */
    double tick_ns;  /* one tick; the same for every rendering of this snapshot */
    uint64_t missed; /* workers that found no slot */
    bool is_recording;
    uint32_t worker_count;
    uint32_t node_count;
};

/* 0 and the block, or -ENOENT (no segment), -ENOMEM. */
MUST_USE int prof_snapshot_take(int64_t patience_ns, struct prof_snapshot **ret_snapshot);
void prof_snapshot_free(struct prof_snapshot *snapshot);

static inline const struct prof_snapshot_worker *prof_snapshot_workers(
    const struct prof_snapshot *snapshot)
{
    return (const struct prof_snapshot_worker *)(const void *)(snapshot + 1);
}

/* All nodes; a node's parent is an index into its own worker's. */
static inline const struct prof_node *prof_snapshot_nodes(const struct prof_snapshot *snapshot)
{
    const char *end = (const char *)snapshot + snapshot->bytes;
    return (const struct prof_node *)(const void *)end - snapshot->node_count;
}

/* Forget the longest slices seen so far, in every worker. */
void prof_slices_reset(void);
