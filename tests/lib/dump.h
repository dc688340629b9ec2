/* tests/lib/dump.h - the runtime's reports, appended to a buffer. */
#pragma once

#include <stdlib.h>

#include "coro/base/buf.h"
#include "coro/inspect.h"

static inline int dump_append(int rv, struct buf *out, char *text)
{
    if (rv < 0)
        return rv;
    rv = buf_append_str(out, text);
    free(text);
    return rv;
}

static inline int dump_one(struct buf *out, enum co_dump_format format)
{
    char *text = NULL;
    int rv = co_dump(format, &text);
    return dump_append(rv, out, text);
}

static inline int dump_all(struct buf *out, enum co_dump_format format, int64_t deadline_ns)
{
    char *text = NULL;
    int rv = co_dump_all(format, deadline_ns, &text);
    return dump_append(rv, out, text);
}
