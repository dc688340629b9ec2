/* server/mode/coroutine_conn.c - the connections of a worker of coroutine mode.
 *
 * Life of a connection: accepted -> serve() as a task, on a stack -> idle:
 * parked by descriptor alone, without task or stack -> readable: serve() again
 * in a new task -> closed.  A struct conn is on its worker's `idle` list
 * exactly while it is parked, so draining knows which ones may be closed. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/coro.h"
#include "coro/io.h"
#include "server/http/session.h"
#include "server/io/io.h"
#include "server/metrics/metrics.h"
#include "server/mode/coroutine.h"

struct conn {
    struct co_list link;
    struct worker *worker;
    int fd;
    int64_t idle_since_ns;
    struct http_io io;
    struct http_session session;
};

static void conn_close(struct conn *c)
{
    http_session_fini(&c->session);
    if (http_session_is_reset(&c->session))
        io_drop_unsent(c->fd);
    co_close(c->fd);
    c->worker->conn_count--;
    free(c);
}

static int on_readable(void *arg, int why);

static int park(struct conn *c)
{
    int rv = co_park_fd(c->fd, http_session_deadline(&c->session), on_readable, c);
    if (rv < 0)
        return rv;
    c->idle_since_ns = co_now();
    list_add_tail(&c->worker->idle, &c->link);
    metrics_add(METRICS_IDLE, 1);
    return 0;
}

static void unpark(struct conn *c)
{
    list_del(&c->link);
    metrics_sub(METRICS_IDLE, 1);
}

static void serve(struct conn *c, enum http_turn turn)
{
    while (turn == HTTP_TURN_NOW)
        turn = http_session_turn(&c->session);
    if (turn == HTTP_TURN_IDLE && park(c) == 0)
        return;
    conn_close(c);
}

static int on_readable(void *arg, int why)
{
    struct conn *c = arg;
    unpark(c);
    if (why == 0) {
        serve(c, HTTP_TURN_NOW);
        return 0;
    }
    http_session_end(&c->session, why != -ETIMEDOUT       ? HTTP_CLOSE_CANCELLED
                                  : c->session.served > 0 ? HTTP_CLOSE_IDLE
                                                          : HTTP_CLOSE_HEADER_TIMEOUT);
    conn_close(c);
    return 0;
}

static int serve_new(void *arg)
{
    struct conn *c = arg;
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    bool is_known = getpeername(c->fd, (struct sockaddr *)&addr, &len) == 0;
    io_coro_init(&c->io, c->fd);
    enum http_turn turn = http_session_init(&c->session, c->worker->mode->server->app, &c->io,
                                            (struct sockaddr *)&addr, is_known ? len : 0);
    if (is_known) {
        serve(c, turn);
        return 0;
    }
    /* reset while it was queued: nobody waits for an answer, and whose it was,
     * and so what it may do, is not to be known any more */
    http_session_end(&c->session, HTTP_CLOSE_ABORTED);
    conn_close(c);
    return 0;
}

void coroutine_serve(struct worker *w, int fd)
{
    struct conn *c = malloc(sizeof *c);
    struct co_task *task = NULL;
    if (c != NULL) {
        *c = (struct conn){.worker = w, .fd = fd};
        list_init(&c->link);
        task = co_spawn(serve_new, c);
    }
    if (task == NULL) {
        metrics_add(METRICS_REFUSED, 1);
        free(c);
        close(fd);
        return;
    }
    w->conn_count++;
    co_detach(task);
}

/* Close what has been idle for long; serve it instead when a request is there. */
void coroutine_close_idle(struct worker *w)
{
    int64_t since_ns = co_now() - MODE_DRAIN_IDLE_NS;
    LIST_FOR_EACH_SAFE(it, &w->idle)
    {
        struct conn *c = LIST_ENTRY(it, struct conn, link);
        char byte;
        if (c->idle_since_ns > since_ns)
            return;
        if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0 || !co_unpark_fd(c->fd))
            continue; /* on_readable is on its way */
        unpark(c);
        http_session_end(&c->session, HTTP_CLOSE_DRAIN);
        conn_close(c);
    }
}
