/* coro/dns_cache.h - addresses of names, kept as long as their owners allow.
 *
 * Plain data, no I/O: a loop has one, and only its thread sees it.
 *
 *   returns    0 or -errno
 *   ownership  an answer is on the heap; dns_cache_put transfers it */
#pragma once

#include <netinet/in.h>

#include "coro/base/attr.h"
#include "coro/base/list.h"
#include "coro/resolve.h"

/* Addresses kept of one answer; a hostile one may have thousands. */
#define DNS_ADDRS_MAX 64
/* What is asked: the family ('4', '6', or '*'), then the name in lower case. */
#define DNS_KEY_BYTES 258

struct dns_addr {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
};

struct dns_answer {
    struct co_list link; /* in the cache, the last used first */
    int64_t expires_ns;
    char key[DNS_KEY_BYTES];
    char canonical[DNS_KEY_BYTES]; /* "": not told */
    size_t count;
    struct dns_addr addrs[];
};

/* An empty answer with room for `count` addresses (DNS_ADDRS_MAX at most); NULL: no memory. */
struct dns_answer *dns_answer_new(const char *key, size_t count);
void dns_answer_add(struct dns_answer *answer, const struct sockaddr *addr);

/* What the caller of co_resolve wants to see in the list. */
struct dns_want {
    int socktype;
    int protocol;
    in_port_t port; /* as it travels */
    bool is_canonical;
};
/* The answer as a list for co_resolve_free.  0 or -ENOMEM. */
MUST_USE int dns_answer_list(const struct dns_answer *answer, const struct dns_want *want,
                             struct addrinfo **ret_list);

struct dns_cache {
    struct co_list answers;
    size_t count;
    size_t max;
};

void dns_cache_init(struct dns_cache *cache, size_t max);
/* Forget everything; it may be used on. */
void dns_cache_clear(struct dns_cache *cache);
/* NULL: not known, or not any more.  Borrowed until the next call. */
const struct dns_answer *dns_cache_find(struct dns_cache *cache, const char *key, int64_t now_ns);
/* In place of what was known under its key, and of the least used when full. */
void dns_cache_put(struct dns_cache *cache, struct dns_answer *answer, int64_t expires_ns);
