/* coro/resolve.h - names to addresses, without holding up the loop.
 *
 * The system's resolver (getaddrinfo, so hosts file, mDNS and the rest apply)
 * runs on the offload pool; an address written in numbers is answered at once.
 * Nothing is cached: getaddrinfo does not tell how long an answer lives.
 *
 *   context   CO_FN: only inside a task; may yield
 *   deadline  absolute ns; a lookup given up goes on elsewhere, unheard
 *   returns   0 or -errno: -ENOENT no such name, -EAGAIN try later (or too
 *             many lookups under way), -EINVAL, -ENOMEM, -EIO */
#pragma once

#include <netdb.h>

#include "coro/coro.h"

EXTERN_C_BEGIN

/* service and hints may be NULL.  The list is owned by the caller: freeaddrinfo. */
CO_FN MUST_USE int co_resolve(const char *host, const char *service, const struct addrinfo *hints,
                              int64_t deadline_ns, struct addrinfo **ret_list);

EXTERN_C_END
