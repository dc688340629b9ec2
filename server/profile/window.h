/* server/profile/window.h - snapshots kept for a while, in memory that every
 * process of the server shares.
 *
 * One process calls profile_tick; a snapshot a second is kept for a minute,
 * one of ten for an hour, and those made for a report until newer reports need
 * the room.  Each has an id, so that any report can be rendered again, and any
 * two can be subtracted.
 *
 *   context    any thread and process, after profile_store_create
 *   returns    0, or -errno; -ENOENT: no such snapshot (any more)
 *   ownership  what is got is a copy: prof_snapshot_free */
#pragma once

#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/prof/snapshot.h"

/* How long a worker may take to come to a point where its tree is exact. */
#define PROFILE_PATIENCE_NS (20 * NS_PER_MS)

/* Before the first fork, once; address space only.  -EALREADY, -ENOMEM. */
MUST_USE int profile_store_create(void);
void profile_store_destroy(void);

/* Take a snapshot every second; call it more often than that. */
void profile_tick(void);

/* Take one now and keep it. */
MUST_USE int profile_store_take(struct prof_snapshot **ret_snapshot);
MUST_USE int profile_store_get(uint64_t id, struct prof_snapshot **ret_snapshot);
/* The last one kept that was taken at or before at_ns; when all are younger, the
 * oldest. */
MUST_USE int profile_store_before(int64_t at_ns, struct prof_snapshot **ret_snapshot);

/* Count from now on: reports without a base subtract this moment. */
MUST_USE int profile_store_reset(void);
/* The moment of the last reset; -ENOENT: never. */
MUST_USE int profile_store_origin(struct prof_snapshot **ret_snapshot);
