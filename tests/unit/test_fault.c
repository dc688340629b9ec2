/* Every call that can fail, made to fail, one at a time: a program that uses
 * each part of the runtime ends with an error code or without one, gives all
 * memory, mappings and descriptors back, and the next loop works.
 *
 * The linker sends the calls of the runtime's objects through wrap_ functions
 * here (--wrap, tests/unit/coro.cmake); call number `fail_at` fails. */
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/inspect.h"
#include "coro/io.h"
#include "coro/offload.h"
#include "coro/resolve.h"
#include "coro/signal.h"
#include "coro/sync.h"
#include "suite.h"

/* ---- faults ---- */

static int calls, fail_at; /* atomic; fail_at 0: none */
static const char *failed;

static bool fails(const char *name)
{
    if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) != fail_at)
        return false;
    failed = name;
    return true;
}

/* Blocks that the runtime has from the heap. */
#define BLOCKS_MAX 65536
static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;
static void *blocks[BLOCKS_MAX];
static int block_count;

static void *track(void *block)
{
    pthread_mutex_lock(&blocks_lock);
    if (block != NULL && block_count < BLOCKS_MAX)
        blocks[block_count++] = block;
    pthread_mutex_unlock(&blocks_lock);
    return block;
}

static void untrack(const void *block)
{
    pthread_mutex_lock(&blocks_lock);
    for (int i = block_count - 1; i >= 0; i--)
        if (blocks[i] == block) {
            blocks[i] = blocks[--block_count];
            break;
        }
    pthread_mutex_unlock(&blocks_lock);
}

/* CALL(result type, name, (parameters), (arguments), result when it fails) */
#define CALL(type, name, params, args, error, bad)                                                 \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        if (fails(#name)) {                                                                        \
            errno = (error);                                                                       \
            return bad;                                                                            \
        }                                                                                          \
        return __real_##name args;                                                                 \
    }
CALL(void *, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t offset),
     (at, n, prot, flags, fd, offset), ENOMEM, MAP_FAILED)
CALL(int, madvise, (void *at, size_t n, int advice), (at, n, advice), EINVAL, -1)
CALL(int, mprotect, (void *at, size_t n, int prot), (at, n, prot), ENOMEM, -1)
CALL(int, mincore, (void *at, size_t n, unsigned char *vec), (at, n, vec), EAGAIN, -1)
CALL(int, timerfd_create, (int clock, int flags), (clock, flags), EMFILE, -1)
CALL(int, eventfd, (unsigned value, int flags), (value, flags), EMFILE, -1)
CALL(int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), EMFILE, -1)
CALL(int, sigaltstack, (const stack_t *stack, stack_t *old), (stack, old), ENOMEM, -1)
CALL(int, event_add, (struct event * event, const struct timeval *tv), (event, tv), ENOSPC, -1)
CALL(struct event_base *, event_base_new_with_config, (const struct event_config *config), (config),
     ENOMEM, NULL)
CALL(struct event_config *, event_config_new, (void), (), ENOMEM, NULL)
CALL(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg),
     (thread, attr, fn, arg), EAGAIN, EAGAIN)

#define HEAP_CALL(name, params, args)                                                              \
    void *__real_##name params;                                                                    \
    void *__wrap_##name params;                                                                    \
    void *__wrap_##name params                                                                     \
    {                                                                                              \
        return fails(#name) ? NULL : track(__real_##name args);                                    \
    }
HEAP_CALL(malloc, (size_t n), (n))
HEAP_CALL(calloc, (size_t n, size_t size), (n, size))
HEAP_CALL(aligned_alloc, (size_t align, size_t n), (align, n))

void *__real_realloc(void *block, size_t n);
void *__wrap_realloc(void *block, size_t n);
void *__wrap_realloc(void *block, size_t n)
{
    if (fails("realloc"))
        return NULL;
    untrack(block);
    return track(__real_realloc(block, n));
}

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    untrack(block);
    __real_free(block);
}

/* ---- a program that uses everything ---- */

static int give(void *arg)
{
    (void)arg;
    return 0;
}

static int receiver(void *arg)
{
    int item;
    while (co_chan_recv(arg, &item, CO_NO_DEADLINE) == 0)
        ;
    return 0;
}

static int use_channels(void)
{
    struct co_chan *chan = co_chan_new(sizeof(int), 2);
    struct co_queue *queue = co_queue_new(0);
    struct co_group group;
    int item = 1, rv = -ENOMEM;
    co_group_init(&group, 2, 0);
    if (chan == NULL || queue == NULL)
        goto out;
    rv = co_group_spawn(&group, receiver, chan, CO_NO_DEADLINE);
    for (int i = 0; i < 20 && rv == 0; i++)
        rv = co_queue_put(queue, &item, CO_NO_DEADLINE);
    if (rv == 0)
        rv = co_chan_send(chan, &item, co_after(NS_PER_S));
    co_chan_close(chan);
out:
    co_group_close(&group);
    co_chan_free(chan);
    co_queue_free(queue);
    return rv;
}

static int on_parked(void *arg, int why)
{
    char c;
    int rv = why < 0 ? why : (int)co_read((int)(intptr_t)arg, &c, 1, co_after(NS_PER_S));
    (void)rv;
    return 0;
}

static int use_sockets(void)
{
    int pair[2];
    char c;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    int rv = (int)co_read(pair[0], &c, 1, co_after(NS_PER_MS));
    if (rv == -ETIMEDOUT)
        rv = co_park_fd(pair[0], co_after(NS_PER_S), on_parked, (void *)(intptr_t)pair[0]);
    if (rv == 0)
        rv = (int)co_write(pair[1], "x", 1, co_after(NS_PER_S));
    if (rv == 1)
        rv = co_sleep(5 * NS_PER_MS);
    if (rv == 0)
        rv = co_wait_fd(pair[1], CO_WRITABLE, co_after(NS_PER_S));
    if (rv > 0)
        rv = co_wait_fd(pair[1], CO_READABLE, co_after(NS_PER_MS));
    co_close(pair[0]), co_close(pair[1]);
    return rv == -ETIMEDOUT ? 0 : rv;
}

static int use_threads(void)
{
    int result;
    struct addrinfo *list = NULL;
    int rv = co_offload(give, NULL, NULL, co_after(5 * NS_PER_S), &result);
    if (rv == 0)
        rv = co_resolve("localhost", "80", NULL, co_after(5 * NS_PER_S), &list);
    if (list != NULL)
        co_resolve_free(list);
    return rv;
}

static int use_signals(void)
{
    struct co_signals signals;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    int rv = co_signals_open(&signals, &set);
    if (rv < 0)
        return rv;
    rv = co_signals_wait(&signals, co_after(NS_PER_MS));
    co_signals_close(&signals);
    return rv == -ETIMEDOUT ? 0 : rv;
}

static int use_reports(void)
{
    static const struct co_local local = {free};
    struct buf text;
    buf_init(&text, 1 << 20);
    int rv = co_dump_all(&text, CO_DUMP_JSON, co_after(5 * NS_PER_S));
    buf_fini(&text);
    return rv < 0 ? rv : co_local_set(&local, NULL);
}

static int everything(void *arg)
{
    static int (*const parts[])(void) = {use_channels, use_sockets, use_threads, use_signals,
                                         use_reports};
    int first = 0;
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int rv = parts[i]();
        if (rv < 0 && first == 0)
            first = rv;
    }
    return first;
}

/* ---- */

static int open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static const struct co_options unwatched = {.watchdog_ns = -1};

START_TEST(scenario_30_each_failing_call_ends_in_an_error_and_leaks_nothing)
{
    /* once without faults: what is made once per process is made now */
    ck_assert_int_eq(co_run(everything, NULL, &unwatched), 0);
    int fds = open_fds(), live = block_count, errors = 0, n = 0;
    do {
        failed = NULL;
        calls = 0;
        fail_at = ++n;
        int rv = co_run(everything, NULL, &unwatched);
        fail_at = 0;
        if (rv > 0 || rv < -4095)
            ck_abort_msg("call %d (%s): result %d", n, failed, rv);
        errors += rv < 0;
        if (block_count != live || open_fds() != fds)
            ck_abort_msg("call %d (%s): result %d, blocks %d -> %d, descriptors %d -> %d", n,
                         failed, rv, live, block_count, fds, open_fds());
        rv = co_run(give, NULL, &unwatched);
        if (rv != 0)
            ck_abort_msg("after call %d (%s): %d", n, failed, rv);
    } while (failed != NULL);
    ck_assert_int_gt(n, 30);
    ck_assert_int_gt(errors, 20);
}
END_TEST

SUITE_MAIN("fault", SUITE_TEST(scenario_30_each_failing_call_ends_in_an_error_and_leaks_nothing))
