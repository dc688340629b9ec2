#include "server/http/work.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* The idle buffers of a thread.  They go when the thread ends. */
struct pool {
    struct http_work *free;
    unsigned count;
};

#define POOL_MAX 64

static __thread struct pool pool;
static pthread_key_t pool_key;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

static void work_free(struct http_work *w)
{
    buf_fini(&w->out);
    buf_fini(&w->res.body);
    buf_fini(&w->res.fields);
    free(w);
}

static void pool_drop(void *arg)
{
    struct pool *p = arg;
    while (p->free != NULL) {
        struct http_work *w = p->free;
        p->free = w->next;
        work_free(w);
    }
    p->count = 0;
}

static void pool_make_key(void)
{
    if (pthread_key_create(&pool_key, pool_drop) != 0)
        abort(); /* the process has used up its keys: nothing could be cleaned up */
}

static struct http_work *work_new(const struct http_limits *limits)
{
    size_t fields = limits->header_max_count * sizeof(struct http_field);
    size_t cap = limits->header_max_bytes + WORK_READ_BYTES;
    struct http_work *w = malloc(sizeof *w + fields + cap);
    if (w == NULL)
        return NULL;
    *w = (struct http_work){
        .cap = cap, .in = (char *)w->fields + fields, .field_cap = limits->header_max_count};
    buf_init(&w->out, SIZE_MAX / 2);
    buf_init(&w->res.body, SIZE_MAX / 2);
    buf_init(&w->res.fields, limits->header_max_bytes);
    pthread_once(&pool_once, pool_make_key);
    pthread_setspecific(pool_key, &pool);
    return w;
}

struct http_work *http_work_borrow(const struct http_limits *limits)
{
    while (pool.free != NULL) {
        struct http_work *w = pool.free;
        pool.free = w->next;
        pool.count--;
        if (w->field_cap == limits->header_max_count &&
            w->cap == limits->header_max_bytes + WORK_READ_BYTES)
            return w;
        work_free(w); /* made for limits that a reload has changed */
    }
    return work_new(limits);
}

static void keep_small(struct buf *b)
{
    b->len = 0;
    if (b->cap > WORK_KEEP_BYTES)
        buf_fini(b);
}

void http_work_return(struct http_work *w)
{
    keep_small(&w->out);
    keep_small(&w->res.body);
    if (pool.count >= POOL_MAX) {
        work_free(w);
        return;
    }
    w->next = pool.free;
    pool.free = w;
    pool.count++;
}

void http_work_close(struct http_work *w, enum http_close_reason why, bool linger)
{
    /* a fault is why, even where the end was planned anyway */
    if (!w->is_closing || (http_close_is_fault(why) && !http_close_is_fault(w->reason))) {
        w->is_closing = true;
        w->reason = (uint8_t)why;
    }
    w->is_lingering |= linger;
}

void http_work_yield(struct http_work *w)
{
    if (atomic_load_explicit(&w->app->is_crowded, memory_order_relaxed) && w->at == w->end &&
        w->io->ops->now_ns(w->io) - w->session->opened_ns >= HTTP_CROWDED_SLICE_NS)
        http_work_close(w, HTTP_CLOSE_YIELDED, !http_decoder_is_done(&w->body.decoder));
}

/* A write failed: nothing more can be said on this connection. */
static int write_failed(struct http_work *w, int error)
{
    enum http_close_reason why = error == -ETIMEDOUT    ? HTTP_CLOSE_WRITE_TIMEOUT
                                 : error == -ECANCELED  ? HTTP_CLOSE_CANCELLED
                                 : error == -EPIPE      ? HTTP_CLOSE_ABORTED
                                 : error == -ECONNRESET ? HTTP_CLOSE_ABORTED
                                                        : HTTP_CLOSE_ERROR;
    w->error = error;
    w->is_closing = true;
    w->is_lingering = false;
    w->reason = (uint8_t)why; /* whatever was planned: this is why it ends */
    return error;
}

int http_work_write(struct http_work *w, struct iovec *iov, int count)
{
    if (w->error != 0)
        return w->error;
    int64_t now_ns = w->io->ops->now_ns(w->io);
    ssize_t rv =
        w->io->ops->writev(w->io, iov, count, clock_add_ns(now_ns, w->limits->write_timeout_ns));
    return rv < 0 ? write_failed(w, (int)rv) : 0;
}

int http_work_flush(struct http_work *w)
{
    size_t at = 0;
    /* In slices: the deadline is for progress, not for the whole. */
    while (w->error == 0 && at < w->out.len) {
        size_t n = w->out.len - at < WORK_FLUSH_BYTES ? w->out.len - at : WORK_FLUSH_BYTES;
        (void)!http_work_write(w, &(struct iovec){w->out.data + at, n}, 1);
        at += n;
    }
    w->out.len = 0;
    return w->error;
}

void http_work_finish(struct http_work *w)
{
    w->io->is_last = !w->session->is_cut_off; /* what is held back a reset would drop */
    if (w->out.len > 0 && http_work_flush(w) == 0 && !w->session->is_cut_off)
        (void)w->io->ops->shut_write(w->io); /* the peer may be gone already */
    w->io->is_last = false;
}
