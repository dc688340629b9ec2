/* client/progress.h - one line on the terminal that says how far we are.
 *
 * Only where standard error is a terminal that can clear a line; at most ten
 * times a second.  Anything else that is printed calls cl_progress_clear
 * before, so that the line is not in its way. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coro/base/attr.h"

struct cl_progress {
    bool is_on;
    bool is_shown;
    int64_t next_ns;
};

void cl_progress_init(struct cl_progress *progress);
/* Is it time for another one?  Cheap: ask before formatting. */
bool cl_progress_is_due(const struct cl_progress *progress, int64_t now_ns);
void cl_progress_show(struct cl_progress *progress, int64_t now_ns, const char *format, ...)
    PRINTF_LIKE(3, 4);
void cl_progress_clear(struct cl_progress *progress);
