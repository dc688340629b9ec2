#include "coro/dns_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dns_answer *dns_answer_new(const char *key, size_t count)
{
    if (count > DNS_ADDRS_MAX)
        count = DNS_ADDRS_MAX;
    struct dns_answer *answer = calloc(1, sizeof(*answer) + count * sizeof(answer->addrs[0]));
    if (answer == NULL)
        return NULL;
    list_init(&answer->link);
    snprintf(answer->key, sizeof(answer->key), "%s", key);
    return answer;
}

void dns_answer_add(struct dns_answer *answer, const struct sockaddr *addr)
{
    if (answer->count == DNS_ADDRS_MAX)
        return;
    struct dns_addr *a = &answer->addrs[answer->count];
    if (addr->sa_family == AF_INET)
        memcpy(&a->v4, addr, sizeof(a->v4));
    else if (addr->sa_family == AF_INET6)
        memcpy(&a->v6, addr, sizeof(a->v6));
    else
        return;
    answer->count++;
}

/* One block each, as glibc makes them: its freeaddrinfo would do, too. */
struct node {
    struct addrinfo info;
    struct dns_addr addr;
};

static struct addrinfo *node_new(const struct dns_addr *addr, const struct dns_want *want)
{
    struct node *node = calloc(1, sizeof(*node));
    if (node == NULL)
        return NULL;
    bool is_v4 = addr->any.sa_family == AF_INET;
    node->addr = *addr;
    if (is_v4)
        node->addr.v4.sin_port = want->port;
    else
        node->addr.v6.sin6_port = want->port;
    node->info = (struct addrinfo){.ai_family = addr->any.sa_family,
                                   .ai_socktype = want->socktype,
                                   .ai_protocol = want->protocol,
                                   .ai_addrlen = is_v4 ? sizeof(addr->v4) : sizeof(addr->v6),
                                   .ai_addr = &node->addr.any};
    return &node->info;
}

int dns_answer_list(const struct dns_answer *answer, const struct dns_want *want,
                    struct addrinfo **ret_list)
{
    struct addrinfo *list = NULL, **tail = &list;
    for (size_t i = 0; i < answer->count; i++) {
        *tail = node_new(&answer->addrs[i], want);
        if (*tail == NULL)
            goto fail;
        tail = &(*tail)->ai_next;
    }
    if (want->is_canonical && list != NULL) {
        const char *name = answer->canonical[0] != 0 ? answer->canonical : answer->key + 1;
        list->ai_canonname = strdup(name);
        if (list->ai_canonname == NULL)
            goto fail;
    }
    *ret_list = list;
    return 0;
fail:
    co_resolve_free(list);
    return -ENOMEM;
}

void co_resolve_free(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_canonname);
        free(list);
        list = next;
    }
}

/* ---- the cache ---- */

static void drop(struct dns_cache *cache, struct dns_answer *answer)
{
    list_del(&answer->link);
    cache->count--;
    free(answer);
}

static struct dns_answer *find(struct dns_cache *cache, const char *key)
{
    LIST_FOR_EACH(link, &cache->answers)
    {
        struct dns_answer *answer = LIST_ENTRY(link, struct dns_answer, link);
        if (strcmp(answer->key, key) == 0)
            return answer;
    }
    return NULL;
}

void dns_cache_init(struct dns_cache *cache, size_t max)
{
    list_init(&cache->answers);
    cache->count = 0;
    cache->max = max;
}

void dns_cache_clear(struct dns_cache *cache)
{
    while (!list_is_empty(&cache->answers))
        drop(cache, LIST_ENTRY(cache->answers.next, struct dns_answer, link));
}

const struct dns_answer *dns_cache_find(struct dns_cache *cache, const char *key, int64_t now_ns)
{
    struct dns_answer *answer = find(cache, key);
    if (answer == NULL)
        return NULL;
    if (answer->expires_ns <= now_ns) {
        drop(cache, answer);
        return NULL;
    }
    list_del(&answer->link);
    list_add_head(&cache->answers, &answer->link);
    return answer;
}

void dns_cache_put(struct dns_cache *cache, struct dns_answer *answer, int64_t expires_ns)
{
    struct dns_answer *old = find(cache, answer->key);
    if (old != NULL)
        drop(cache, old);
    if (cache->count == cache->max)
        drop(cache, LIST_ENTRY(cache->answers.prev, struct dns_answer, link));
    answer->expires_ns = expires_ns;
    list_add_head(&cache->answers, &answer->link);
    cache->count++;
}
