/* tests/lib/fault.h - every call that can fail, made to fail, one at a time.
 *
 * A test program that includes this (in its one source file) and is declared
 * with fault_test() has the calls of our own objects go through here (the
 * linker's --wrap), those that libevent makes to the kernel too (the program's
 * epoll functions come before the C library's), and the heap of libevent and
 * c-ares (their own hooks).  Call number `fault.at` fails; blocks from the heap
 * and descriptors are counted.
 *
 *     FAULTS_MAIN("name", ...) instead of SUITE_MAIN
 *     fault_each(use, arg, after, span): run use(arg) with the 1st, 2nd, ... call
 *     failing, alone or with all that come after it, until it makes no more calls */
#pragma once

#include <ares.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "suite.h"

#define FAULT_BLOCKS_MAX 65536

/* How long it goes on. */
enum fault_span { FAULT_ONCE, FAULT_LASTING };

static struct {
    int calls;        /* atomic */
    int at;           /* this one fails; 0: none */
    const char *only; /* calls of this name alone are counted; NULL: of any */
    enum fault_span span;
    const char *failed; /* the one that did */
    pthread_mutex_t lock;
    void *blocks[FAULT_BLOCKS_MAX];
    int block_count;
} fault = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool fault_now(const char *name)
{
    if (fault.only != NULL && strcmp(fault.only, name) != 0)
        return false;
    int call = __atomic_add_fetch(&fault.calls, 1, __ATOMIC_RELAXED);
    if (fault.at == 0 || call < fault.at || (call > fault.at && fault.span == FAULT_ONCE))
        return false;
    if (call == fault.at)
        fault.failed = name;
    return true;
}

/* An assertion where faults are on: Check's own calls would be counted, and fail. */
static inline void fault_must(bool is_so)
{
    if (!is_so)
        abort();
}

static void *fault_track(void *block)
{
    pthread_mutex_lock(&fault.lock);
    if (block != NULL) {
        fault_must(fault.block_count < FAULT_BLOCKS_MAX);
        fault.blocks[fault.block_count++] = block;
    }
    pthread_mutex_unlock(&fault.lock);
    return block;
}

static void fault_untrack(const void *block)
{
    pthread_mutex_lock(&fault.lock);
    for (int i = fault.block_count - 1; i >= 0; i--)
        if (fault.blocks[i] == block) {
            fault.blocks[i] = fault.blocks[--fault.block_count];
            break;
        }
    pthread_mutex_unlock(&fault.lock);
}

/* ---- calls of our own objects ---- */

/* FAULT_CALL(result type, name, (parameters), (arguments), errno, result when it fails) */
#define FAULT_CALL(type, name, params, args, error, bad)                                           \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        if (fault_now(#name)) {                                                                    \
            errno = (error);                                                                       \
            return bad;                                                                            \
        }                                                                                          \
        return __real_##name args;                                                                 \
    }
FAULT_CALL(void *, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t offset),
           (at, n, prot, flags, fd, offset), ENOMEM, MAP_FAILED)
FAULT_CALL(int, madvise, (void *at, size_t n, int advice), (at, n, advice), EINVAL, -1)
FAULT_CALL(int, mprotect, (void *at, size_t n, int prot), (at, n, prot), ENOMEM, -1)
FAULT_CALL(int, mincore, (void *at, size_t n, unsigned char *vec), (at, n, vec), EAGAIN, -1)
FAULT_CALL(int, timerfd_create, (int clock, int flags), (clock, flags), EMFILE, -1)
FAULT_CALL(int, eventfd, (unsigned value, int flags), (value, flags), EMFILE, -1)
FAULT_CALL(int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), EMFILE, -1)
FAULT_CALL(int, sigaltstack, (const stack_t *stack, stack_t *old), (stack, old), ENOMEM, -1)
FAULT_CALL(int, poll, (struct pollfd * fds, nfds_t n, int timeout_ms), (fds, n, timeout_ms), ENOMEM,
           -1)
FAULT_CALL(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len),
           (fd, level, name, value, len), ENOBUFS, -1)
FAULT_CALL(int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags),
           (fd, addr, len, flags), EMFILE, -1)
FAULT_CALL(ssize_t, recv, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags), ECONNRESET,
           -1)
FAULT_CALL(ssize_t, send, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags),
           ENOBUFS, -1)
FAULT_CALL(FILE *, fopen, (const char *path, const char *mode), (path, mode), EMFILE, NULL)
FAULT_CALL(int, getaddrinfo,
           (const char *host, const char *service, const struct addrinfo *hints,
            struct addrinfo **list),
           (host, service, hints, list), ENOMEM, EAI_MEMORY)
FAULT_CALL(struct event_base *, event_base_new_with_config, (const struct event_config *config),
           (config), ENOMEM, NULL)
FAULT_CALL(struct event_config *, event_config_new, (void), (), ENOMEM, NULL)
FAULT_CALL(int, pthread_create,
           (pthread_t * thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg),
           (thread, attr, fn, arg), EAGAIN, EAGAIN)

#define FAULT_HEAP_CALL(name, params, args)                                                        \
    void *__real_##name params;                                                                    \
    void *__wrap_##name params;                                                                    \
    void *__wrap_##name params                                                                     \
    {                                                                                              \
        if (!fault_now(#name))                                                                     \
            return fault_track(__real_##name args);                                                \
        errno = ENOMEM;                                                                            \
        return NULL;                                                                               \
    }
FAULT_HEAP_CALL(malloc, (size_t n), (n))
FAULT_HEAP_CALL(calloc, (size_t n, size_t size), (n, size))
FAULT_HEAP_CALL(aligned_alloc, (size_t align, size_t n), (align, n))
FAULT_HEAP_CALL(strdup, (const char *text), (text))

void *__real_realloc(void *block, size_t n);
void *__wrap_realloc(void *block, size_t n);
void *__wrap_realloc(void *block, size_t n)
{
    if (fault_now("realloc")) {
        errno = ENOMEM;
        return NULL;
    }
    fault_untrack(block);
    return fault_track(__real_realloc(block, n));
}

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    fault_untrack(block);
    __real_free(block);
}

/* ---- calls of the libraries ---- */

int epoll_create1(int flags)
{
    if (!fault_now("epoll_create1"))
        return (int)syscall(SYS_epoll_create1, flags);
    errno = EMFILE;
    return -1;
}

/* What is watched already can always be let go, and changed. */
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    if (op != EPOLL_CTL_ADD || !fault_now("epoll_ctl"))
        return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
    errno = ENOSPC;
    return -1;
}

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
    /* (an interrupted wait that lasts would be a loop) */
    if (fault.span == FAULT_LASTING || !fault_now("epoll_wait"))
        return (int)syscall(SYS_epoll_pwait, epfd, events, max, timeout_ms, NULL, (size_t)8);
    errno = EINTR;
    return -1;
}

static void fault_be_silent(int severity, const char *message)
{
    (void)severity;
    (void)message;
}

/* Before anything else uses the libraries. */
static void fault_hook_libraries(void)
{
    event_set_mem_functions(malloc, realloc, free);
    event_set_log_callback(fault_be_silent);
    fault_must(ares_library_init_mem(ARES_LIB_INIT_ALL, malloc, free, realloc) == ARES_SUCCESS);
}

#define FAULTS_MAIN(name, ...)                                                                     \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct suite_entry entries[] = {__VA_ARGS__};                                        \
        fault_hook_libraries();                                                                    \
        return suite_run(name, entries, ARRAY_LEN(entries));                                       \
    }

/* ---- the loop over all calls ---- */

static int fault_open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

struct fault_counts {
    int calls;  /* each failed once */
    int errors; /* runs that ended with one */
};

/* use(arg) returns 0 or -errno; after a failure, after(arg) returns 0: all is well again. */
static struct fault_counts fault_each(int (*use)(void *arg), void *arg, int (*after)(void *arg),
                                      enum fault_span span)
{
    fault.span = span;
    struct fault_counts counts = {0};
    /* once without faults: what is made once per process is made now */
    fault.at = 0;
    ck_assert_int_eq(use(arg), 0);
    int fds = fault_open_fds(), live = fault.block_count;
    for (int n = 1;; n++) {
        fault.failed = NULL;
        fault.calls = 0;
        fault.at = n;
        int rv = use(arg);
        fault.at = 0;
        if (fault.failed == NULL)
            return counts;
        counts.calls++;
        counts.errors += rv < 0;
        if (rv > 0 || rv < -4095)
            ck_abort_msg("call %d (%s): result %d", n, fault.failed, rv);
        if (fault.block_count != live || fault_open_fds() != fds)
            ck_abort_msg("call %d (%s): result %d, blocks %d -> %d, descriptors %d -> %d", n,
                         fault.failed, rv, live, fault.block_count, fds, fault_open_fds());
        rv = after(arg);
        if (rv != 0)
            ck_abort_msg("after call %d (%s): %d", n, fault.failed, rv);
    }
}
