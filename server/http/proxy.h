/* server/http/proxy.h - whom a trusted proxy speaks for.
 *
 *   returns  0 or more, or -errno */
#pragma once

#include <sys/types.h>

#include "coro/base/attr.h"
#include "server/http/address.h"

#define HTTP_PROXY_HEADER_MAX_BYTES 536 /* version 2: 16 + two UNIX addresses + some TLVs */

/* The PROXY header (version 1 or 2) at the start of a connection.  Its length;
 * 0: not complete yet; -EBADMSG: not one.  *ret_client is left alone when the
 * proxy speaks for itself (LOCAL, UNKNOWN). */
MUST_USE ssize_t http_proxy_header(const char *bytes, size_t n, struct http_address *ret_client);

/* X-Forwarded-For, read from its end: the first address that is no trusted proxy;
 * *client is left alone where the list cannot be read.  false: it cannot, and what stands
 * before is not to be believed either. */
bool http_proxy_forwarded(const struct http_networks *proxies, struct http_str list,
                          struct http_address *client);
