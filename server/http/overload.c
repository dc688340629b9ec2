/* Refusing work before it starts, when there is more than can be done in time.
 *
 * A request that waited too long (queue_delay_max: its bytes came in, and only
 * now is there a worker for it) is answered 503 at once, which costs little,
 * so that those behind it need not wait as long; one beyond in_flight_max
 * likewise.  Health and administration are never refused: they say why. */
#include "server/http/work.h"

static void refuse(struct http_work *w, const char *why)
{
    http_add_field(&w->res, "Retry-After", "1");
    http_problem(&w->res, 503, "%s; nothing was done, try again", why);
}

static bool is_late(const struct http_work *w)
{
    const struct http_io_ops *ops = w->io->ops;
    int64_t most_ns = w->limits->queue_delay_max_ns;
    return most_ns > 0 && ops->queued_ns != NULL && ops->queued_ns(w->io) > most_ns;
}

bool http_overload_enter(struct http_work *w)
{
    int64_t most = w->limits->in_flight_max;
    w->is_in_flight = false;
    if ((w->route->flags & (HTTP_ROUTE_ADMIN | HTTP_ROUTE_QUIET)) != 0)
        return true;
    if (is_late(w)) {
        refuse(w, "the request waited too long");
        return false;
    }
    if (most == 0)
        return true;
    if (atomic_fetch_add_explicit(&w->app->in_flight, 1, memory_order_relaxed) >= most) {
        atomic_fetch_sub_explicit(&w->app->in_flight, 1, memory_order_relaxed);
        refuse(w, "too many requests are in work");
        return false;
    }
    w->is_in_flight = true;
    if (w->app->hooks.on_in_flight != NULL)
        w->app->hooks.on_in_flight(w->app->hooks.arg, true);
    return true;
}

void http_overload_leave(struct http_work *w)
{
    if (!w->is_in_flight)
        return;
    atomic_fetch_sub_explicit(&w->app->in_flight, 1, memory_order_relaxed);
    if (w->app->hooks.on_in_flight != NULL)
        w->app->hooks.on_in_flight(w->app->hooks.arg, false);
}
