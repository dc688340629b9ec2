/* coro/dns.h - the DNS client of a loop, on c-ares.
 *
 *   context    the loop's thread
 *   returns    0 or -errno
 *   ownership  a loop makes its client at the first question and ends it with itself */
#pragma once

#include "coro/dns_cache.h"
#include "coro/internal.h"

struct dns;

/* The loop's client, after a look at whether the system's configuration has
 * changed.  -ENOTSUP: the system wants other sources asked than the hosts file
 * and DNS, so the system's own resolver has to do it. */
MUST_USE int dns_open(struct co_loop *loop, struct dns **ret_dns);
/* The key's addresses, from the cache or from a server; several tasks that ask for
 * one key share a query. */
CO_FN MUST_USE int dns_ask(struct dns *dns, const char *key, const struct dns_want *want,
                           int64_t deadline_ns, struct addrinfo **ret_list);

/* True when a hosts: line of nsswitch.conf names files and dns alone, unconditionally. */
bool dns_is_plain_hosts_line(const char *line);
