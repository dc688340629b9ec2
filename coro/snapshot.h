/* coro/snapshot.h - a loop's state copied in one go on its own thread, so that
 * it can be written out later, on another.
 *
 *   ownership  a snapshot is on the heap and holds copies only */
#pragma once

#include <sys/socket.h>

#include "coro/base/buf.h"
#include "coro/inspect.h"
#include "coro/internal.h"
#include "coro/trace.h"

struct co_task_info {
    uint64_t id;
    char name[40];
    uint8_t state;
    uint8_t wait;
    bool is_cancelled;
    uint64_t object; /* what it waits on: a descriptor, a task's id, or an address */
    char holder[40]; /* who holds that, when somebody does; "" */
    int64_t age_ns;
    const struct co_site *site;
    uint64_t cpu_ticks;
    uint64_t longest_ticks;
    size_t stack_bytes; /* in use */
    int frames;
    uintptr_t pcs[CO_TRACE_MAX];
};

/* A parked descriptor. */
struct co_fd_info {
    int fd;
    int64_t age_ns;
    const struct co_site *site;   /* where it was parked */
    struct sockaddr_storage peer; /* family AF_UNSPEC: it has none */
};

struct co_loop_info {
    char name[40];
    bool is_busy; /* it did not answer: nothing else is known */
    double tick_ns;
    struct co_counts counts;
    uint64_t lag[CO_LAG_BUCKETS];
    struct co_site_stats *sites;
    size_t site_count;
    struct co_task_info *tasks;
    size_t task_count;
    size_t unlisted; /* tasks beyond CO_DUMP_TASKS_MAX */
    struct co_fd_info *fds;
    size_t fd_count; /* the others are beyond CO_DUMP_FDS_MAX */
};

/* On the loop's thread.  0 or -ENOMEM. */
MUST_USE int coro_snapshot(struct co_loop *loop, struct co_loop_info **ret_info);
void coro_snapshot_free(struct co_loop_info *info);
/* Write loops out; any thread. */
MUST_USE int coro_snapshot_write(struct buf *out, enum co_dump_format format,
                                 struct co_loop_info *const *loops, size_t count);
/* The name of a wait, "sleep". */
const char *coro_wait_name(uint8_t wait);
