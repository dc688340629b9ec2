/* coro/resolve.h - names to addresses, without holding up the loop.
 *
 * An address written in numbers is answered at once.  A name is looked up the
 * way the system says (the hosts: line of /etc/nsswitch.conf): where that is
 * the hosts file and DNS, by a DNS client on the loop itself, with a cache that
 * keeps answers for as long as their records live; where it names anything else
 * (mDNS, LDAP, ...), by the system's getaddrinfo on the offload pool, whose
 * answers tell no lifetime and are not cached.
 *
 *   context   CO_FN: only inside a task; may let others run.  The others: any code
 *             on the loop's thread, unless they say more; they never wait
 *   deadline  absolute ns; a lookup given up goes on unheard, at most until the
 *             servers' own time-outs
 *   returns   0 or -errno: what coro.h says of every wait; -ENOENT no such name or no
 *             address of that family, -EAGAIN try later (no server answers, or too
 *             many lookups under way), -EINVAL arguments or hints that getaddrinfo(3)
 *             refuses, -EIO and the rest: what the system's resolver stumbled over */
#pragma once

#include <netdb.h>

#include "coro/coro.h"

CO_C_BEGIN

/* Queries under way in one loop at most; beyond that co_resolve returns -EAGAIN. */
#define CO_RESOLVE_QUERIES 1024

/* As getaddrinfo(3), RFC 3493 section 6.1, with these differences: one entry per
 * address, for SOCK_STREAM unless the hints say otherwise, and of a name with more
 * than 64 addresses, 64.  host or service (a name or a number) may be NULL, not
 * both; hints may be NULL; all borrowed.  The list is owned by the caller:
 * co_resolve_free.  After an error *ret_list is untouched. */
CO_FN CO_MUST_USE int co_resolve(const char *host, const char *service,
                                 const struct addrinfo *hints, int64_t deadline_ns,
                                 struct addrinfo **ret_list);
/* NULL is accepted.  Any thread. */
void co_resolve_free(struct addrinfo *list);

/* Have this loop ask these DNS servers ("192.0.2.1,[2001:db8::1]:5353") and the
 * hosts file; NULL: what the system is configured for, as at first.  Forgets
 * the cache.  The string is borrowed for the call.  -EBUSY: queries are under way;
 * -EPERM: no loop here; -EINVAL: not such a list; -ENOMEM. */
CO_MUST_USE int co_resolve_servers(const char *servers);

/* Of the calling thread's loop. */
struct co_resolve_counts {
    size_t cached;    /* names */
    size_t pending;   /* queries under way */
    uint64_t queries; /* so far */
    uint64_t hits;    /* answered from the cache */
};
/* -EPERM: no loop here. */
int co_resolve_counts(struct co_resolve_counts *ret_counts);

CO_C_END
