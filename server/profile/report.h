/* server/profile/report.h - what snapshots mean: functions, callers, one tree.
 *
 * Recording keeps call paths per worker.  A report merges the workers' trees
 * and derives from the merged one, by cProfile's rules, what readers know:
 *
 *   calls       entries; primitive: those not made, directly or not, by the
 *               function itself
 *   self        running in the function itself
 *   total       running in it and its callees, counted at the outermost of
 *               nested calls only
 *   edges       the same four for each pair of caller and callee
 *
 * Snapshots are added with a sign, so a report can be the difference of two
 * moments (a window) or of two windows; values can then be negative.
 *
 *   returns    0, or -errno
 *   ownership  the report owns its memory and copies what it needs; names
 *              point into the program's sites */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/prof/snapshot.h"

#define PROFILE_NONE          UINT32_MAX
#define PROFILE_ENDPOINTS_MAX 4

struct profile_function {
    const char *file;  /* "~" for a built-in, as pstats has it */
    const char *name;  /* "<write>" for a built-in */
    const char *label; /* as printed: "file:line(name)" or "{write}"; owned by the report */
    uint32_t line;
    uint32_t first_caller; /* edges, linked by next_caller; PROFILE_NONE ends */
    uint32_t first_callee;
    int64_t calls;
    int64_t primitive;
    int64_t self; /* these four in ticks */
    int64_t total;
    int64_t wait;  /* parked in the function itself */
    int64_t ready; /* woken in it and waiting for the CPU */
    int64_t slice; /* longest stretch without a switch, since the last reset */
    int64_t in_flight;
    bool is_slice_recent; /* that stretch lies in the span of the report */
    double tottime;       /* seconds, as every format prints them */
    double cumtime;
    bool is_shown; /* something happened: it has a row */
    const struct prof_site *site;
};

struct profile_edge {
    uint32_t caller; /* functions */
    uint32_t callee;
    uint32_t next_caller;
    uint32_t next_callee;
    int64_t calls;
    int64_t primitive;
    int64_t self;
    int64_t total;
    double tottime;
    double cumtime;
};

/* The merged tree; node 0 is the root (function PROFILE_NONE), parents come
 * before their children.  By worker, the root's children stand for the workers
 * (function PROFILE_NONE too). */
struct profile_node {
    uint32_t function;
    uint32_t parent;
    uint32_t slot; /* of the worker; PROFILE_NONE: merged */
    uint32_t first_child;
    uint32_t next_sibling;
    int64_t calls;
    int64_t self;
    int64_t total; /* with all below */
    int64_t wait;
    int64_t ready;
    int64_t slice;
    int64_t slice_before; /* as it was when the span of the report began */
    int64_t in_flight;
};

/* A route and the function that handles it. */
struct profile_endpoint {
    const char *path;
    const char *function;
};

/* What of a snapshot is added. */
struct profile_filter {
    const char *endpoints[PROFILE_ENDPOINTS_MAX]; /* only what happens inside these functions */
    size_t endpoint_count;                        /* 0: everything */
    int64_t slot;                                 /* only this worker; -1: all */
    bool is_by_worker;                            /* the trees are kept apart */
};

struct profile_map;

struct profile_report {
    struct profile_function *functions; /* in order of first appearance */
    struct profile_edge *edges;
    struct profile_node *nodes;
    uint32_t function_count;
    uint32_t edge_count;
    uint32_t node_count;
    int64_t run;             /* ticks of all run slices added */
    int64_t self;            /* ticks of all self times added, filtered or not */
    double tick_ns;          /* of the first snapshot added */
    struct profile_map *map; /* while building */
};

MUST_USE int profile_report_init(struct profile_report *r);
void profile_report_fini(struct profile_report *r);
/* sign 1 adds, -1 takes away. */
MUST_USE int profile_report_add(struct profile_report *r, const struct prof_snapshot *snapshot,
                                int sign, const struct profile_filter *filter);
/* Derive functions and edges; nothing may be added after.  Not for trees kept apart. */
MUST_USE int profile_report_finish(struct profile_report *r);

/* Did anything happen on this edge? */
bool profile_edge_is_shown(const struct profile_report *r, uint32_t edge);

/* Ticks as nanoseconds and seconds of this report. */
static inline double profile_ns(const struct profile_report *r, int64_t ticks)
{
    return (double)ticks * r->tick_ns;
}
static inline double profile_seconds(const struct profile_report *r, int64_t ticks)
{
    return (double)ticks * r->tick_ns / 1e9;
}
