/* coro/resolve.c - how a name is looked up: as a number, in the cache, by the
 * loop's DNS client, or by the system's resolver on the offload pool. */
#include "coro/resolve.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/dns.h"
#include "coro/offload.h"

/* What our own client does as getaddrinfo would; ADDRCONFIG only saves a failing connect. */
#define DNS_FLAGS (AI_CANONNAME | AI_NUMERICSERV | AI_ADDRCONFIG | AI_PASSIVE)

static int map_error(int code, int err)
{
    switch (code) {
    case 0:
        return 0;
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return -ENOENT;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_BADFLAGS:
    case EAI_FAMILY:
    case EAI_SOCKTYPE:
    case EAI_SERVICE:
        return -EINVAL;
    case EAI_SYSTEM:
        return err > 0 ? -err : -EIO;
    default:
        return -EIO;
    }
}

/* Takes the system's list over. */
static int answer_of(const char *key, struct addrinfo *list, struct dns_answer **ret_answer)
{
    size_t count = 0;
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
        count++;
    struct dns_answer *answer = dns_answer_new(key, count);
    for (const struct addrinfo *a = list; a != NULL && answer != NULL; a = a->ai_next)
        dns_answer_add(answer, a->ai_addr);
    if (answer != NULL && list != NULL && list->ai_canonname != NULL)
        snprintf(answer->canonical, sizeof(answer->canonical), "%s", list->ai_canonname);
    freeaddrinfo(list);
    *ret_answer = answer;
    return answer != NULL ? 0 : -ENOMEM;
}

/* ---- the system's resolver ---- */

/* The lookup owns copies of everything: its task may be gone when it ends. */
struct lookup {
    char key[DNS_KEY_BYTES];
    struct addrinfo hints;
    struct dns_answer *answer;
};

static void lookup_free(void *job)
{
    struct lookup *lookup = job;
    free(lookup->answer);
    free(lookup);
}

static int lookup_run(void *job)
{
    struct lookup *lookup = job;
    struct addrinfo *list = NULL;
    int code = getaddrinfo(lookup->key + 1, NULL, &lookup->hints, &list);
    return code != 0 ? map_error(code, errno) : answer_of(lookup->key, list, &lookup->answer);
}

static int ask_system(const char *key, const struct addrinfo *hints, const struct dns_want *want,
                      int64_t deadline_ns, struct addrinfo **ret_list)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (lookup == NULL)
        return -ENOMEM;
    snprintf(lookup->key, sizeof(lookup->key), "%s", key);
    lookup->hints = *hints;
    int result = 0;
    int rv = co_offload(lookup_run, lookup, lookup_free, deadline_ns, &result);
    if (rv < 0)
        return rv == -EBUSY ? -EAGAIN : rv;
    if (result == 0)
        result = dns_answer_list(lookup->answer, want, ret_list);
    lookup_free(lookup);
    return result;
}

/* ---- */

/* Numbers need no lookup, and neither does no host at all.  1: it is a name. */
static int ask_nobody(const char *host, const struct addrinfo *hints, const struct dns_want *want,
                      struct addrinfo **ret_list)
{
    struct addrinfo numeric = *hints, *list = NULL;
    numeric.ai_flags |= AI_NUMERICHOST;
    int code = getaddrinfo(host, host == NULL ? "0" : NULL, &numeric, &list);
    if (code == EAI_NONAME && host != NULL && !(hints->ai_flags & AI_NUMERICHOST))
        return 1;
    if (code != 0)
        return map_error(code, errno);
    struct dns_answer *answer = NULL;
    int rv = answer_of("", list, &answer);
    if (rv == 0)
        rv = dns_answer_list(answer, want, ret_list);
    free(answer);
    return rv;
}

/* A service by name may be looked up in a file, no further. */
static int find_port(const char *service, const struct addrinfo *hints, struct dns_want *want)
{
    struct addrinfo any = {.ai_family = AF_INET,
                           .ai_socktype = hints->ai_socktype,
                           .ai_protocol = hints->ai_protocol,
                           .ai_flags = hints->ai_flags & AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int code = getaddrinfo(NULL, service != NULL ? service : "0", &any, &list);
    if (code != 0)
        return code == EAI_NONAME ? -EINVAL : map_error(code, errno);
    want->port = ((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_port;
    want->socktype = list->ai_socktype;
    want->protocol = list->ai_protocol;
    freeaddrinfo(list);
    return 0;
}

static int make_key(const char *host, int family, char key[DNS_KEY_BYTES])
{
    size_t len = strlen(host);
    if (len == 0 || len > DNS_KEY_BYTES - 2)
        return -ENOENT;
    key[0] = family == AF_INET ? '4' : family == AF_INET6 ? '6' : '*';
    for (size_t i = 0; i < len; i++)
        key[i + 1] = (char)tolower((unsigned char)host[i]);
    key[len + 1] = 0;
    return 0;
}

int co_resolve(const char *host, const char *service, const struct addrinfo *hints,
               int64_t deadline_ns, struct addrinfo **ret_list)
{
    struct co_loop *loop = coro_self_or_die("co_resolve")->loop;
    struct addrinfo all = hints != NULL ? *hints : (struct addrinfo){.ai_family = AF_UNSPEC};
    if (all.ai_socktype == 0)
        all.ai_socktype = SOCK_STREAM; /* one entry an address */
    if (host == NULL && service == NULL)
        return -EINVAL;
    struct dns_want want = {.is_canonical = (all.ai_flags & AI_CANONNAME) != 0};
    int rv = find_port(service, &all, &want);
    if (rv == 0)
        rv = ask_nobody(host, &all, &want, ret_list);
    if (rv <= 0)
        return rv;
    char key[DNS_KEY_BYTES];
    rv = make_key(host, all.ai_family, key);
    if (rv < 0)
        return rv;
    struct dns *dns;
    rv = (all.ai_flags & ~DNS_FLAGS) != 0 ? -ENOTSUP : dns_open(loop, &dns);
    if (rv == -ENOTSUP)
        return ask_system(key, &all, &want, deadline_ns, ret_list);
    return rv < 0 ? rv : dns_ask(dns, key, &want, deadline_ns, ret_list);
}
