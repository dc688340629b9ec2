/* server/io/access_log.h - a line for each request, written off the hot path.
 *
 * A request's line is copied into a buffer; a thread of the process writes the
 * buffer out a few times a second.  When the disk cannot keep up, lines are
 * dropped and their number is written in their place: requests do not wait, and
 * the operator is told now and then.
 * The same holds for a FIFO whose reader stops reading.
 *
 *   context    access_log_record: any thread; the others: the main thread.
 *              A forked child has a writer of its own from its first line on
 *   returns    0 or -errno; -ENXIO: a FIFO that nobody reads */
#pragma once

#include <stdbool.h>

#include "coro/base/attr.h"
#include "server/http/route.h"

enum access_log_format { ACCESS_LOG_COMBINED, ACCESS_LOG_JSON };

/* Append to the file ("-": standard output).  Before any fork. */
MUST_USE int access_log_open(const char *path, enum access_log_format format);
/* Nothing when no log is open. */
void access_log_record(const struct http_record *record);
/* The file was moved away: begin it again.  For the process that calls it.  On failure
 * the old one stays. */
int access_log_reopen(void);
/* Write out what this process has gathered. */
void access_log_flush(void);
void access_log_close(void);
