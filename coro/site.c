/* coro/site.c - spawn sites: a number each, and per loop what their tasks did.
 *
 * A site gets its number when it first spawns, from whatever thread; a loop's
 * figures for it have one writer, the loop. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "coro/internal.h"

static pthread_mutex_t number_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t last_number;

static uint32_t number_of(struct co_site *site)
{
    pthread_mutex_lock(&number_lock);
    if (site->id == 0)
        __atomic_store_n(&site->id, ++last_number, __ATOMIC_RELAXED);
    uint32_t id = site->id;
    pthread_mutex_unlock(&number_lock);
    return id;
}

struct co_site_stats *coro_site_find_slow(struct co_loop *loop, struct co_site *site)
{
    uint32_t id = number_of(site);
    if (id >= loop->sites_cap) {
        uint32_t cap = id * 2 + 16;
        struct co_site_stats **sites = realloc(loop->sites, cap * sizeof(struct co_site_stats *));
        if (sites == NULL)
            return NULL;
        memset(sites + loop->sites_cap, 0, (cap - loop->sites_cap) * sizeof(*sites));
        loop->sites = sites;
        loop->sites_cap = cap;
    }
    if (loop->sites[id] == NULL) {
        loop->sites[id] = calloc(1, sizeof(struct co_site_stats));
        if (loop->sites[id] != NULL)
            loop->sites[id]->site = site;
    }
    return loop->sites[id];
}

void coro_sites_fini(struct co_loop *loop)
{
    for (uint32_t i = 0; i < loop->sites_cap; i++)
        free(loop->sites[i]);
    free(loop->sites);
}
