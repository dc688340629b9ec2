/* server/endpoint/ndjson.h - the URL in one line of NDJSON: "https://..." or
 * {"url": "https://...", ...}.
 *
 * A reader for one member, not a validator: what stands in other members is
 * stepped over by its quotes and brackets. */
#pragma once

#include <stddef.h>

#include "coro/base/attr.h"

/* The URL's bytes: in the line itself, or in scratch (which must have room for
 * len bytes) when it has escapes.  0, or -EINVAL: no such URL in the line. */
MUST_USE int ndjson_url(const char *line, size_t len, char *scratch, const char **ret_url,
                        size_t *ret_len);
