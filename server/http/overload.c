/* Refusing work before it starts, when there is more than can be done in time.
 *
 * Happy path: a place is free, nothing is late: the handler runs.  Lateness is
 * asked of the kernel (a system call), so not for every request: while nothing
 * is late a look in every eighth of queue_delay_max is enough, for a queue that
 * grows takes that long to become too long; once half of it is reached every
 * request is looked at.  One late request is no overload (the machine may have
 * been busy elsewhere, and all is answered in a moment): refused is what comes
 * late when for queue_delay_max nothing has come in time.
 *
 * Refused with 503, which costs little, so that those behind need not wait as
 * long: a request that waited too long for a worker or for a place, or would,
 * as others just did, and one beyond in_flight_max.  The connection goes on,
 * unless others wait for its worker.  Health and administration are never refused:
 * they say why.
 *
 * What a process holds is told (hooks.on_stage) before it has it and after it has
 * given it back: whoever counts for one that was killed in between restores one
 * place too many, which does no harm; one too few, again and again, would. */
#include "server/http/overload.h"

#include <errno.h>
#include <time.h>

#include "coro/prof/prof.h"
#include "server/http/work.h"

#define STALE       16       /* times queue_delay_max: then what was seen is forgotten */
#define LOOKS       8        /* in the time of queue_delay_max */
#define PATIENCE_NS NS_PER_S /* who waits for a place looks up so often whether all is cut */
#define MISSED_NS   NS_PER_S /* so long one that waited in vain tells of others */
#define SMOOTHING   8        /* of grants */

/* What this thread knows about how late its requests come. */
static __thread struct {
    int64_t next_look_ns;
    int64_t late_look_ns;  /* the last one that found a late request */
    int64_t late_since_ns; /* the first of those without another between */
    bool is_pressed;
    bool is_late;
} watch;

int http_places_init(struct http_places *places, unsigned count)
{
    atomic_init(&places->waiting, 0);
    atomic_init(&places->grant_ns, 0);
    atomic_init(&places->missed_ns, 0);
    return sem_init(&places->free, 1, count) < 0 ? -errno : 0;
}

void http_places_fini(struct http_places *places)
{
    sem_destroy(&places->free);
}

void http_places_restore(struct http_places *places, unsigned count, bool was_waiting)
{
    atomic_fetch_sub(&places->waiting, was_waiting);
    while (count-- > 0)
        sem_post(&places->free);
}

static void tell(const struct http_work *w, enum http_stage stage, bool begins)
{
    if (w->app->hooks.on_stage != NULL)
        w->app->hooks.on_stage(w->app->hooks.arg, stage, begins);
}

/* Asked of the kernel once for each request. */
static int64_t queued_ns(struct http_work *w)
{
    if (w->queued_ns < 0)
        w->queued_ns = w->io->ops->queued_ns != NULL ? w->io->ops->queued_ns(w->io) : 0;
    return w->queued_ns;
}

/* Only as exact as it must be: see the head of this file. */
static bool is_late(struct http_work *w)
{
    int64_t most_ns = w->limits->queue_delay_max_ns;
    if (most_ns == 0 || (!watch.is_pressed && w->now_ns < watch.next_look_ns))
        return false;
    int64_t waited_ns = queued_ns(w);
    watch.is_pressed = waited_ns > most_ns / 2;
    watch.next_look_ns = clock_add_ns(w->now_ns, most_ns / LOOKS);
    bool was_late = watch.is_late && w->now_ns - watch.late_look_ns < STALE * most_ns;
    watch.is_late = waited_ns > most_ns;
    if (!watch.is_late)
        return false;
    watch.late_look_ns = w->now_ns;
    if (!was_late)
        watch.late_since_ns = w->now_ns;
    return w->now_ns - watch.late_since_ns >= most_ns;
}

/* Are so many before it that it would wait in vain, as others do?  Then its worker is
 * sooner free for the next, and nobody is woken only to refuse. */
static bool is_hopeless(struct http_work *w, int ahead)
{
    struct http_places *places = w->app->places;
    int64_t most_ns = w->limits->queue_delay_max_ns;
    int64_t missed_ns = atomic_load_explicit(&places->missed_ns, memory_order_relaxed);
    if (most_ns == 0 || ahead <= 0 || missed_ns == 0 || clock_now_ns() - missed_ns > MISSED_NS)
        return false;
    int64_t grant_ns = atomic_load_explicit(&places->grant_ns, memory_order_relaxed);
    return queued_ns(w) + (ahead + 1) * grant_ns > most_ns;
}

/* Waited for so long, behind so many: with a place, or in vain. */
static void note_wait(struct http_places *places, bool has_place, int64_t since_ns, int ahead)
{
    int64_t now_ns = clock_now_ns();
    if (!has_place) {
        atomic_store_explicit(&places->missed_ns, now_ns, memory_order_relaxed);
        return;
    }
    int64_t sample_ns = (now_ns - since_ns) / (ahead > 0 ? ahead + 1 : 1);
    int64_t grant_ns = atomic_load_explicit(&places->grant_ns, memory_order_relaxed);
    /* another's sample may be lost: it is a mean of many */
    atomic_store_explicit(&places->grant_ns, grant_ns + (sample_ns - grant_ns) / SMOOTHING,
                          memory_order_relaxed);
}

static bool wait_until(struct http_work *w, int64_t until_ns)
{
    sem_t *free_places = &w->app->places->free;
    int rv;
    do {
        int64_t look_ns = clock_add_ns(clock_now_ns(), PATIENCE_NS);
        if (look_ns > until_ns)
            look_ns = until_ns;
        struct timespec look = {look_ns / NS_PER_S, look_ns % NS_PER_S};
        PROF_WAIT_BEGIN("{sem_clockwait}");
        rv = sem_clockwait(free_places, CLOCK_MONOTONIC, &look);
        prof_wait_end();
    } while (rv < 0 && clock_now_ns() < until_ns &&
             !atomic_load_explicit(&w->app->is_cut, memory_order_relaxed));
    return rv == 0;
}

/* A free place within queue_delay_max of the request's arrival? */
static bool wait_for_place(struct http_work *w)
{
    struct http_places *places = w->app->places;
    int64_t most_ns = w->limits->queue_delay_max_ns;
    if (is_hopeless(w, atomic_load_explicit(&places->waiting, memory_order_relaxed)))
        return false;
    int64_t since_ns = clock_now_ns();
    tell(w, HTTP_STAGE_WAITING, true);
    int ahead = atomic_fetch_add_explicit(&places->waiting, 1, memory_order_relaxed);
    bool has_place = wait_until(w, most_ns > 0 ? since_ns + most_ns - queued_ns(w) : CLOCK_NEVER);
    if (has_place)
        tell(w, HTTP_STAGE_RUNNING, true); /* before all else: it is ours from here on */
    atomic_fetch_sub_explicit(&places->waiting, 1, memory_order_relaxed);
    tell(w, HTTP_STAGE_WAITING, false);
    note_wait(places, has_place, since_ns, ahead);
    return has_place;
}

static bool take_place(struct http_work *w)
{
    if (w->app->places == NULL)
        return true;
    tell(w, HTTP_STAGE_RUNNING, true);
    w->has_place = sem_trywait(&w->app->places->free) == 0;
    if (w->has_place)
        return true;
    tell(w, HTTP_STAGE_RUNNING, false);
    w->has_place = wait_for_place(w);
    return w->has_place;
}

static bool join_flight(struct http_work *w)
{
    int64_t most = w->limits->in_flight_max;
    if (most == 0)
        return true;
    tell(w, HTTP_STAGE_IN_FLIGHT, true);
    w->is_in_flight = atomic_fetch_add_explicit(&w->app->in_flight, 1, memory_order_relaxed) < most;
    if (w->is_in_flight)
        return true;
    atomic_fetch_sub_explicit(&w->app->in_flight, 1, memory_order_relaxed);
    tell(w, HTTP_STAGE_IN_FLIGHT, false);
    return false;
}

void http_overload_refuse(struct http_work *w, enum http_refusal why)
{
    static const struct {
        int status;
        const char *text;
    } answers[HTTP_REFUSAL_COUNT] = {
        [HTTP_REFUSAL_WAITED] = {503, "the request waited too long; nothing was done, try again"},
        [HTTP_REFUSAL_IN_FLIGHT] = {503,
                                    "too many requests are in work; nothing was done, try again"},
        [HTTP_REFUSAL_ADDRESS] = {429, "too many requests from your address"},
    };
    if (w->app->hooks.on_refuse != NULL)
        w->app->hooks.on_refuse(w->app->hooks.arg, why);
    /* its worker is for who can be served: sooner than when its slice is over */
    if (atomic_load_explicit(&w->app->is_crowded, memory_order_relaxed) && w->at == w->end)
        http_work_close(w, HTTP_CLOSE_YIELDED, !http_decoder_is_done(&w->body.decoder));
    http_add_field(&w->res, "Retry-After", "1");
    http_problem(&w->res, answers[why].status, "%s", answers[why].text);
}

bool http_overload_enter(struct http_work *w)
{
    w->is_in_flight = w->has_place = false;
    w->queued_ns = -1;
    if ((w->route->flags & (HTTP_ROUTE_ADMIN | HTTP_ROUTE_QUIET)) != 0)
        return true;
    bool is_admitted = join_flight(w);
    if (!is_admitted) {
        http_overload_refuse(w, HTTP_REFUSAL_IN_FLIGHT);
    } else if (is_late(w) || !take_place(w)) {
        is_admitted = false;
        http_overload_leave(w);
        http_overload_refuse(w, HTTP_REFUSAL_WAITED);
    }
    return is_admitted;
}

void http_overload_give_place(struct http_work *w)
{
    if (!w->has_place)
        return;
    w->has_place = false;
    sem_post(&w->app->places->free);
    tell(w, HTTP_STAGE_RUNNING, false);
}

void http_begin_wait(struct http_request *req)
{
    http_overload_give_place(CONTAINER_OF(req, struct http_work, req));
}

void http_overload_leave(struct http_work *w)
{
    http_overload_give_place(w);
    if (!w->is_in_flight)
        return;
    w->is_in_flight = false;
    atomic_fetch_sub_explicit(&w->app->in_flight, 1, memory_order_relaxed);
    tell(w, HTTP_STAGE_IN_FLIGHT, false);
}
