/* coro/trace.h - native call stacks: walked here, named later.
 *
 * Walking follows frame pointers (the build keeps them) from saved registers,
 * touches nothing outside the task's stack and takes nanoseconds.  Naming
 * reads symbol tables and line tables through libdw, so that static functions
 * have names; it takes milliseconds and may be done on any thread.
 *
 *   context  any thread
 *   returns  counts, or 0 / -errno */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "coro/base/buf.h"
#include "coro/switch.h"

#define CO_TRACE_MAX 24

/* The return addresses of a flow that is switched away, innermost first. */
int coro_trace_parked(const struct co_context *ctx, const char *low, const char *high,
                      uintptr_t *ret_pcs, int max);
/* The same of the calling flow, skipping the caller's `skip` innermost frames.  Also
 * in a signal handler, wherever it came; 0 frames where nobody can say. */
int coro_trace_self(uintptr_t *ret_pcs, int max, int skip);

struct co_frame {
    char function[96]; /* "??" when unknown */
    char file[96];     /* its end; "" when unknown */
    int line;
};
/* Name one address.  is_return: it is a return address, the call lies before. */
void coro_trace_name(uintptr_t pc, int is_return, struct co_frame *ret_frame);
/* Append "  #0 function at file:line" for each. */
MUST_USE int coro_trace_text(struct buf *out, const uintptr_t *pcs, int count);
