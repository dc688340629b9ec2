/* coro/post.c - calls from other threads, run on the loop's own flow.
 *
 * A loop's port is what other threads hold of it: shared, counted, and closed
 * when the loop ends, so that a late caller meets a closed port and no freed
 * memory.  It closes in two steps: when no task is left, programs may not post
 * any more; what is queued runs, and the tasks that it spawns; when nothing is
 * queued and no task is left, it is closed to the runtime's threads too.
 *
 * A loop whose port a program holds may be woken from outside and is not
 * deadlocked; whoever gives the last hold back rings, so that it looks again.
 *
 * Posts are a mutex-guarded list; the first entry of a list that was empty also
 * rings the loop's eventfd.  The loop takes the whole list at once, so a post
 * made while it runs is found in the next turn. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "coro/internal.h"

enum port_state {
    PORT_OPEN,
    PORT_ENDING, /* closed to programs, not to the runtime's own threads */
    PORT_CLOSED,
};

struct co_port {
    pthread_mutex_t mutex;
    unsigned refs;  /* atomic */
    unsigned holds; /* atomic: of these, the programs' */
    enum port_state state;
    bool is_posted; /* atomic: something may be in posts */
    int ring_fd;
    struct co_post *posts; /* newest first */
    struct reactor_watch *watch;
};

/* A post made by co_loop_post, which frees itself. */
struct posted_call {
    struct co_post post;
    void (*fn)(void *arg);
    void *arg;
};

static void on_ring(void *arg, unsigned events)
{
    /* Edge-triggered: only the edge matters, the counter is never read. */
    (void)arg, (void)events;
}

struct co_port *coro_port_ref(struct co_port *port)
{
    __atomic_add_fetch(&port->refs, 1, __ATOMIC_RELAXED);
    return port;
}

void coro_port_unref(struct co_port *port)
{
    if (__atomic_sub_fetch(&port->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    pthread_mutex_destroy(&port->mutex);
    free(port);
}

int coro_port_open(struct co_loop *loop)
{
    struct co_port *port = calloc(1, sizeof(*port));
    if (port == NULL)
        return -ENOMEM;
    pthread_mutex_init(&port->mutex, NULL);
    port->refs = 1;
    loop->port = port;
    port->ring_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (port->ring_fd < 0)
        return -errno;
    struct reactor_watch *watch = malloc(reactor_watch_bytes());
    if (watch == NULL)
        return -ENOMEM;
    int rv = reactor_watch(loop->reactor, watch, port->ring_fd, REACTOR_READ, REACTOR_EDGE, on_ring,
                           loop);
    if (rv < 0)
        free(watch);
    else
        port->watch = watch;
    return rv;
}

void coro_port_close(struct co_loop *loop)
{
    struct co_port *port = loop->port;
    if (port == NULL)
        return;
    pthread_mutex_lock(&port->mutex);
    port->state = PORT_CLOSED;
    pthread_mutex_unlock(&port->mutex);
    /* Queued only when the loop has failed.  It runs: its memory is somebody's. */
    coro_port_run(port);
    if (port->watch != NULL)
        reactor_unwatch(port->watch);
    free(port->watch);
    if (port->ring_fd >= 0)
        close(port->ring_fd);
    coro_port_unref(port);
}

bool coro_port_end(struct co_port *port)
{
    pthread_mutex_lock(&port->mutex);
    port->state = port->posts == NULL ? PORT_CLOSED : PORT_ENDING;
    bool is_closed = port->state == PORT_CLOSED;
    pthread_mutex_unlock(&port->mutex);
    return is_closed;
}

/* Inside the lock: the loop closes the descriptor only after taking it. */
static void ring(const struct co_port *port)
{
    (void)!write(port->ring_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static int post_until(struct co_port *port, struct co_post *post, enum port_state last)
{
    pthread_mutex_lock(&port->mutex);
    bool is_refused = port->state > last;
    if (!is_refused) {
        bool was_empty = port->posts == NULL;
        post->next = port->posts;
        port->posts = post;
        __atomic_store_n(&port->is_posted, true, __ATOMIC_RELEASE);
        if (was_empty)
            ring(port);
    }
    pthread_mutex_unlock(&port->mutex);
    return is_refused ? -ESHUTDOWN : 0;
}

int coro_port_post(struct co_port *port, struct co_post *post)
{
    return post_until(port, post, PORT_ENDING);
}

int coro_port_fd(const struct co_port *port)
{
    return port->ring_fd;
}

bool coro_port_is_posted(const struct co_port *port)
{
    return __atomic_load_n(&port->is_posted, __ATOMIC_ACQUIRE);
}

bool coro_port_is_held(const struct co_port *port)
{
    return __atomic_load_n(&port->holds, __ATOMIC_ACQUIRE) > 0;
}

void coro_port_run(struct co_port *port)
{
    if (LIKELY(!coro_port_is_posted(port)))
        return;
    pthread_mutex_lock(&port->mutex);
    struct co_post *newest = port->posts;
    port->posts = NULL;
    __atomic_store_n(&port->is_posted, false, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&port->mutex);

    struct co_post *oldest = NULL;
    while (newest != NULL) {
        struct co_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        /* fn may free the post */
        struct co_post *post = oldest;
        oldest = post->next;
        post->fn(post->arg);
    }
}

/* ---- what programs hold ---- */

struct co_port *co_port_ref(struct co_port *port)
{
    __atomic_add_fetch(&port->holds, 1, __ATOMIC_RELAXED);
    return coro_port_ref(port);
}

struct co_port *co_port_get(void)
{
    if (coro_loop_tls == NULL) {
        errno = EPERM;
        return NULL;
    }
    return co_port_ref(coro_loop_tls->port);
}

void co_port_unref(struct co_port *port)
{
    if (port == NULL)
        return;
    if (__atomic_sub_fetch(&port->holds, 1, __ATOMIC_ACQ_REL) == 0) {
        pthread_mutex_lock(&port->mutex);
        if (port->state != PORT_CLOSED)
            ring(port);
        pthread_mutex_unlock(&port->mutex);
    }
    coro_port_unref(port);
}

static void run_call(void *arg)
{
    struct posted_call *call = arg;
    call->fn(call->arg);
    free(call);
}

int co_port_post(struct co_port *port, void (*fn)(void *arg), void *arg)
{
    struct posted_call *call = malloc(sizeof(*call));
    if (call == NULL)
        return -ENOMEM;
    *call = (struct posted_call){.post = {.fn = run_call, .arg = call}, .fn = fn, .arg = arg};
    int rv = post_until(port, &call->post, PORT_OPEN);
    if (rv < 0)
        free(call);
    return rv;
}
