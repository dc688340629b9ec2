/* coro/post.c - calls from other threads, run on the loop's own flow.
 *
 * A mutex-guarded list; the first entry of a list that was empty also rings
 * the loop's eventfd.  The loop takes the whole list at once, so a post made
 * while it runs is found in the next turn. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "coro/internal.h"

struct co_post_lock {
    pthread_mutex_t mutex;
    bool is_closed;
};

static void on_ring(void *arg, unsigned events)
{
    /* Edge-triggered: only the edge matters, the counter is never read. */
    (void)arg, (void)events;
}

int coro_posts_init(struct co_loop *loop)
{
    loop->post_lock = calloc(1, sizeof(*loop->post_lock));
    if (loop->post_lock == NULL)
        return -ENOMEM;
    pthread_mutex_init(&loop->post_lock->mutex, NULL);
    loop->post_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->post_fd < 0)
        return -errno;
    struct reactor_watch *watch = malloc(reactor_watch_bytes());
    if (watch == NULL)
        return -ENOMEM;
    int rv = reactor_watch(loop->reactor, watch, loop->post_fd, REACTOR_READ, REACTOR_EDGE, on_ring,
                           loop);
    if (rv < 0)
        free(watch);
    else
        loop->post_watch = watch;
    return rv;
}

void coro_posts_fini(struct co_loop *loop)
{
    if (loop->post_lock == NULL)
        return;
    /* What is still queued runs: its memory is somebody's. */
    pthread_mutex_lock(&loop->post_lock->mutex);
    loop->post_lock->is_closed = true;
    pthread_mutex_unlock(&loop->post_lock->mutex);
    coro_posts_run(loop);
    if (loop->post_watch != NULL)
        reactor_unwatch(loop->post_watch);
    free(loop->post_watch);
    if (loop->post_fd >= 0)
        close(loop->post_fd);
    pthread_mutex_destroy(&loop->post_lock->mutex);
    free(loop->post_lock);
}

int co_loop_post(struct co_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct co_post *post = malloc(sizeof(*post));
    if (post == NULL)
        return -ENOMEM;
    *post = (struct co_post){.fn = fn, .arg = arg};
    pthread_mutex_lock(&loop->post_lock->mutex);
    if (loop->post_lock->is_closed) {
        pthread_mutex_unlock(&loop->post_lock->mutex);
        free(post);
        return -ESHUTDOWN;
    }
    bool was_empty = loop->posts == NULL;
    post->next = loop->posts; /* newest first; turned round when taken */
    loop->posts = post;
    __atomic_store_n(&loop->is_posted, true, __ATOMIC_RELEASE);
    /* Inside the lock: the loop closes the descriptor only after taking it. */
    if (was_empty)
        (void)!write(loop->post_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_mutex_unlock(&loop->post_lock->mutex);
    return 0;
}

void coro_posts_run(struct co_loop *loop)
{
    if (LIKELY(!__atomic_load_n(&loop->is_posted, __ATOMIC_ACQUIRE)))
        return;
    pthread_mutex_lock(&loop->post_lock->mutex);
    struct co_post *newest = loop->posts;
    loop->posts = NULL;
    __atomic_store_n(&loop->is_posted, false, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&loop->post_lock->mutex);

    struct co_post *oldest = NULL;
    while (newest != NULL) {
        struct co_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct co_post *post = oldest;
        oldest = post->next;
        post->fn(post->arg);
        free(post);
    }
}
