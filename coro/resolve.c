#include "coro/resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coro/offload.h"

/* The lookup owns copies of everything: its task may be gone when it ends. */
struct lookup {
    char *host;
    char *service;
    struct addrinfo hints;
    struct addrinfo *list;
    int err; /* errno as getaddrinfo left it */
};

static int map_error(int code, int err)
{
    switch (code) {
    case 0:
        return 0;
    case EAI_NONAME:
    case EAI_NODATA:
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

static void lookup_free(void *job)
{
    struct lookup *lookup = job;
    if (lookup->list != NULL)
        freeaddrinfo(lookup->list);
    free(lookup->host);
    free(lookup->service);
    free(lookup);
}

static int lookup_run(void *job)
{
    struct lookup *lookup = job;
    int code = getaddrinfo(lookup->host, lookup->service, &lookup->hints, &lookup->list);
    lookup->err = errno;
    return code;
}

static struct lookup *lookup_new(const char *host, const char *service,
                                 const struct addrinfo *hints)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (lookup == NULL)
        return NULL;
    lookup->host = strdup(host);
    lookup->service = service != NULL ? strdup(service) : NULL;
    lookup->hints = *hints;
    if (lookup->host == NULL || (service != NULL && lookup->service == NULL)) {
        lookup_free(lookup);
        return NULL;
    }
    return lookup;
}

int co_resolve(const char *host, const char *service, const struct addrinfo *hints,
               int64_t deadline_ns, struct addrinfo **ret_list)
{
    struct addrinfo any = {.ai_family = AF_UNSPEC};
    if (hints == NULL)
        hints = &any;
    struct addrinfo numeric = *hints, *list = NULL;
    numeric.ai_flags |= AI_NUMERICHOST;
    /* A service by name may be looked up in a file, no further. */
    if (getaddrinfo(host, service, &numeric, &list) == 0) {
        *ret_list = list;
        return 0;
    }
    struct lookup *lookup = lookup_new(host, service, hints);
    if (lookup == NULL)
        return -ENOMEM;
    int code = 0;
    int rv = co_offload(lookup_run, lookup, lookup_free, deadline_ns, &code);
    if (rv < 0)
        return rv == -EBUSY ? -EAGAIN : rv;
    rv = map_error(code, lookup->err);
    if (rv == 0) {
        *ret_list = lookup->list;
        lookup->list = NULL;
    }
    lookup_free(lookup);
    return rv;
}
