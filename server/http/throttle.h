/* server/http/throttle.h - how many connections there are, in all and from one
 * address, and how many requests an address makes in a second.
 *
 * One table for all workers, in memory mapped before the first fork.  An
 * address hashes to a cell; the cell is its own as long as it has connections
 * or made requests in this second.  When a hash's few cells are all taken by
 * others the address is not limited: a full table must not lock anybody out.
 *
 *   context    any thread, any process that shares the mapping; lock-free
 *   ownership  the table is the caller's; whoever was counted in must be
 *              counted out, also on behalf of a worker that died: one that has
 *              a connection at a time notes it in a struct http_held */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "server/http/address.h"
#include "server/http/limits.h"

struct http_throttle;

/* A table in shared memory; NULL: no memory. */
struct http_throttle *http_throttle_new(void);
void http_throttle_free(struct http_throttle *throttle);

/* Total connections: one more; false, and not counted, when that is more than
 * limits.connections_max: those that only hear the refusal keep nobody else out. */
bool http_throttle_open(struct http_throttle *throttle, const struct http_limits *limits);
void http_throttle_close(struct http_throttle *throttle);

/* One more connection from the address; *ret_cell (0: not counted) goes to
 * http_throttle_leave.  false: too many, and not counted. */
bool http_throttle_enter(struct http_throttle *throttle, const struct http_limits *limits,
                         const struct http_address *address, int64_t now_ns, uint32_t *ret_cell);
void http_throttle_leave(struct http_throttle *throttle, uint32_t cell);

/* What a worker with one connection at a time is counted for.  In shared memory, so
 * that whoever outlives the worker can give it back. */
struct http_held {
    _Atomic uint32_t connections;
    _Atomic uint32_t cell;
};
/* From here on this thread's connections are noted in held (borrowed; NULL: nowhere). */
void http_throttle_note_in(struct http_held *held);
/* The worker is gone: uncount what it held.  Nobody writes held any more. */
void http_throttle_give_back(struct http_throttle *throttle, struct http_held *held);

/* One more request from the address in the second of now_ns; false: too many. */
bool http_throttle_request(struct http_throttle *throttle, const struct http_limits *limits,
                           const struct http_address *address, int64_t now_ns);
