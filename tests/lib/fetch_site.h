/* tests/lib/fetch_site.h - a site for domainc fetch, which counts what it is asked.
 *
 *   /ok-N     200, "ok"          /busy-N   503
 *   /gone-N   404, "no"          /once-N   503 the first time, then 200
 *   /half-N   breaks off         /kill-N   kills the asking process, a child of this one
 *   /meet-N   200 once site.meet requests have been here at the same time
 *
 * N below SITE_MAX. */
#pragma once

#include <signal.h>

#include "coro/base/clock.h"
#include "scripted_server.h"

enum { SITE_MAX = 512, SITE_URL_BYTES = 64 };

static struct {
    struct scripted_server server;
    pthread_mutex_t lock;
    pthread_cond_t change;
    unsigned seen[SITE_MAX];
    unsigned requests, busy, most_busy, meet;
} site = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

/* How many times this one has been asked for, now included. */
static inline unsigned site_enter(unsigned n)
{
    pthread_mutex_lock(&site.lock);
    unsigned times = ++site.seen[n];
    site.requests++;
    if (++site.busy > site.most_busy)
        site.most_busy = site.busy;
    pthread_cond_broadcast(&site.change);
    pthread_mutex_unlock(&site.lock);
    return times;
}

/* Before the reply: after it the next request may be here at once. */
static inline void site_leave(void)
{
    pthread_mutex_lock(&site.lock);
    site.busy--;
    pthread_mutex_unlock(&site.lock);
}

static inline void site_meet(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 120;
    pthread_mutex_lock(&site.lock);
    while (site.most_busy < site.meet)
        if (pthread_cond_timedwait(&site.change, &site.lock, &until) != 0)
            site.meet = 0; /* they never meet, as most_busy tells: no more waiting for it */
    pthread_mutex_unlock(&site.lock);
}

static inline void site_kill_children(void)
{
    char path[64];
    int child;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *list = fopen(path, "re");
    ck_assert_ptr_nonnull(list);
    while (fscanf(list, "%d", &child) == 1)
        kill(child, SIGKILL);
    fclose(list);
}

static inline const char *site_reply(const char *what, unsigned times)
{
    if (strcmp(what, "gone") == 0)
        return "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
    if (strcmp(what, "half") == 0)
        return "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
    if (strcmp(what, "busy") == 0 || (strcmp(what, "once") == 0 && times == 1))
        return "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
}

static void site_serve(int fd, unsigned number MAYBE_UNUSED)
{
    char head[4096], what[5];
    unsigned n;
    while (scripted_read_head(fd, head, sizeof head)) {
        if (sscanf(head, "GET /%4[a-z]-%u ", what, &n) != 2 || n >= SITE_MAX)
            return;
        unsigned times = site_enter(n);
        if (strcmp(what, "meet") == 0)
            site_meet();
        if (strcmp(what, "kill") == 0)
            site_kill_children();
        site_leave();
        scripted_send(fd, site_reply(what, times));
        if (strcmp(what, "half") == 0)
            return;
    }
}

/* Nothing has been asked. */
static inline void site_forget(void)
{
    pthread_mutex_lock(&site.lock);
    memset(site.seen, 0, sizeof site.seen);
    site.requests = site.most_busy = site.meet = 0;
    pthread_mutex_unlock(&site.lock);
}

static inline void site_start(void)
{
    site_forget();
    scripted_start(&site.server, site_serve, true);
}

static inline void site_stop(void)
{
    scripted_stop(&site.server);
}

static inline char *site_url(char url[SITE_URL_BYTES], const char *what, unsigned n)
{
    snprintf(url, SITE_URL_BYTES, "http://127.0.0.1:%d/%s-%u", site.server.port, what, n);
    return url;
}

/* From now on; the server's threads are at work meanwhile. */
static inline void site_set_meet(unsigned meet)
{
    pthread_mutex_lock(&site.lock);
    site.meet = meet;
    pthread_mutex_unlock(&site.lock);
}

/* One of the numbers of the site. */
static inline unsigned site_read(const unsigned *number)
{
    pthread_mutex_lock(&site.lock);
    unsigned value = *number;
    pthread_mutex_unlock(&site.lock);
    return value;
}

/* Each of the first n has been asked for so many times, and nothing else. */
static inline void site_check_seen(unsigned n, unsigned times)
{
    pthread_mutex_lock(&site.lock);
    for (unsigned i = 0; i < n; i++)
        ck_assert_uint_eq(site.seen[i], times);
    ck_assert_uint_eq(site.requests, n * times);
    pthread_mutex_unlock(&site.lock);
}
