/* server/http/parse.h - http-parser behind the strict scan. */
#pragma once

#include "server/http/strict.h"

/* Parse the head that `h` describes and fill in what the request says: target,
 * path, query, host, fields (stored in `fields`, at least h->field_count).
 * 0; -EBADMSG: http-parser refuses what the scan let through, or sees another
 * framing (refuse with 400). */
MUST_USE int http_parse_head(const struct http_head *h, const char *bytes,
                             struct http_field *fields, struct http_request *ret_req);
/* Of a head that was refused: the fields before the line at fault, at most cap; their
 * count.  Each has passed the strict scan. */
size_t http_parse_sound_fields(const struct http_head *h, const char *bytes,
                               struct http_field *fields, size_t cap);
