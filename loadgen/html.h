/* loadgen/html.h - the report page: one file with the data, the style and the
 * drawing code in it; nothing is loaded from anywhere.
 *
 *   returns    0, or -errno of writing
 *   ownership  everything is borrowed */
#pragma once

#include <stddef.h>

#include "coro/base/attr.h"

/* Write the page that shows this JSON (of json.h) to path; "-" is standard output. */
MUST_USE int lg_html_write(const char *path, const char *json, size_t n);
/* The same for plain text. */
MUST_USE int lg_file_write(const char *path, const char *text, size_t n);
/* Could a file be written there?  Leaves everything as it is. */
MUST_USE int lg_file_probe(const char *path);
