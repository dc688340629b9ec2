/* client/output.h - buffered standard output that notices a full disk and a closed pipe.
 *
 *   context  blocks the thread; inside a task it parks the task instead, so
 *            that a slow reader (a pager) does not stop the loop
 *   returns  0 or -errno; the first failure is kept: every later call returns
 *            it too, so a caller may check once a line or once at the end */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"

/* All of it to the descriptor, at once; blocks the thread, also inside a task. */
MUST_USE int cl_write_all(int fd, const char *at, size_t n);

struct cl_output {
    int fd; /* borrowed */
    bool is_pollable;
    int err; /* the first failure; 0: none */
    struct buf pending;
};

void cl_output_init(struct cl_output *out, int fd);
void cl_output_fini(struct cl_output *out);

/* Keep the bytes; write when enough have come together. */
int cl_output_write(struct cl_output *out, const char *bytes, size_t n);
int cl_output_flush(struct cl_output *out);
/* Flush and close the descriptor: some file systems report a full disk only then. */
MUST_USE int cl_output_close(struct cl_output *out);
