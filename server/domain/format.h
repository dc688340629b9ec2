/* server/domain/format.h - one answer as JSON: the same bytes from the service,
 * its batch route and the command line.
 *
 *   returns    0, or -ENOMEM / -EMSGSIZE of the buffer (which may then hold a part)
 *   ownership  everything is borrowed for the call */
#pragma once

#include "coro/base/buf.h"
#include "server/domain/domain.h"

/* {"url":...,"domain":...,...}, no newline.  cut: one of the result's own two. */
MUST_USE int domain_format_json(struct buf *out, const char *url, size_t url_len,
                                const struct domain_result *r, const struct domain_cut *cut);

/* {"url":...,"line":N,"error":WORD,"detail":TEXT}, no newline; line 0: left out. */
MUST_USE int domain_format_error(struct buf *out, const char *url, size_t url_len, uint64_t line,
                                 const char *word, const char *text);

/* {"url":...,"domain":...,"engine":WORD}, no newline: what a regex engine says. */
MUST_USE int domain_format_sample(struct buf *out, const char *url, size_t url_len,
                                  struct domain_text domain, const char *engine);
