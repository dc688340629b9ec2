#include "coro/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/fd.h"
#include "coro/sync.h"

struct collect {
    struct co_loop *loop;
    struct co_loop_info *info;
    size_t room;
};

/* What the task waits on, as a reader can use it. */
static void describe_wait(const struct co_task *task, struct co_task_info *info)
{
    info->object = (uint64_t)(uintptr_t)task->wait_on;
    const struct co_task *holder = NULL;
    if (task->wait == CO_WAIT_JOIN) {
        holder = task->wait_on;
        info->object = holder->id;
    } else if (task->wait == CO_WAIT_MUTEX) {
        holder = ((const struct co_mutex *)task->wait_on)->owner;
    }
    if (holder == NULL)
        return;
    /* One that ended with the mutex locked: its name may have gone with it. */
    bool has_ended = task->wait == CO_WAIT_MUTEX &&
                     (holder->state == CO_TASK_DEAD || holder->state == CO_TASK_FREE);
    snprintf(info->holder, sizeof(info->holder), "%s",
             has_ended ? "(ended)" : co_task_name(holder));
}

static void describe(struct collect *collect, struct co_task *task)
{
    struct co_task_info *info = &collect->info->tasks[collect->info->task_count++];
    char *high = (char *)task;
    *info = (struct co_task_info){.id = task->id,
                                  .state = task->state,
                                  .is_cancelled = task->is_cancel_wanted,
                                  .age_ns = clock_now_ns() - task->spawned_ns,
                                  .site = task->site,
                                  .cpu_ticks = task->cpu_ticks,
                                  .longest_ticks = task->longest_ticks,
                                  .stack_bytes = coro_stack_used(task)};
    snprintf(info->name, sizeof(info->name), "%s", co_task_name(task));
    if (task->state == CO_TASK_PARKED) {
        info->wait = task->wait;
        describe_wait(task, info);
    }
    if (task->state == CO_TASK_RUNNING)
        info->frames = coro_trace_self(info->pcs, CO_TRACE_MAX, 1);
    else if (task->state != CO_TASK_DEAD)
        info->frames =
            coro_trace_parked(&task->context, task->stack_low, high, info->pcs, CO_TRACE_MAX);
}

static bool collect_one(struct co_task *task, void *arg)
{
    struct collect *collect = arg;
    struct co_site_stats *stats = task->stats;
    /* What the last life on this stack added is not in its site's sums yet. */
    for (size_t i = 0; stats != NULL && i < collect->info->site_count; i++) {
        struct co_site_stats *sum = &collect->info->sites[i];
        if (sum->site != stats->site)
            continue;
        sum->cpu_ticks += task->cpu_ticks;
        if (task->longest_ticks > sum->longest_ticks)
            sum->longest_ticks = task->longest_ticks;
        if (task->state != CO_TASK_FREE && coro_stack_high(task) > sum->stack_high_bytes)
            sum->stack_high_bytes = coro_stack_high(task);
    }
    if (task->state == CO_TASK_FREE)
        return true;
    if (collect->room > 0) {
        collect->room--;
        describe(collect, task);
    } else {
        collect->info->unlisted++;
    }
    return true;
}

static int copy_sites(const struct co_loop *loop, struct co_loop_info *info)
{
    info->sites = calloc(loop->sites_cap + 1, sizeof(*info->sites));
    if (info->sites == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < loop->sites_cap; i++)
        if (loop->sites[i] != NULL)
            info->sites[info->site_count++] = *loop->sites[i];
    return 0;
}

static int copy_fds(const struct co_loop *loop, struct co_loop_info *info)
{
    size_t room = loop->parked_fds < CO_DUMP_FDS_MAX ? loop->parked_fds : CO_DUMP_FDS_MAX;
    info->fds = calloc(room + 1, sizeof(*info->fds));
    if (info->fds == NULL)
        return -ENOMEM;
    int64_t now_ns = clock_now_ns();
    for (size_t i = 0; i < loop->fds_cap && info->fd_count < room; i++) {
        const struct co_fd *f = loop->fds[i];
        if (f == NULL || f->parked == NULL)
            continue;
        struct co_fd_info *fd_info = &info->fds[info->fd_count++];
        *fd_info =
            (struct co_fd_info){.fd = f->fd, .age_ns = now_ns - f->parked_ns, .site = f->site};
        socklen_t len = sizeof(fd_info->peer);
        if (getpeername(f->fd, (struct sockaddr *)&fd_info->peer, &len) < 0)
            fd_info->peer.ss_family = AF_UNSPEC;
    }
    return 0;
}

int coro_snapshot(struct co_loop *loop, struct co_loop_info **ret_info)
{
    struct co_loop_info *info = calloc(1, sizeof(*info));
    if (info == NULL)
        return -ENOMEM;
    size_t room = loop->arena.cut < CO_DUMP_TASKS_MAX ? loop->arena.cut : CO_DUMP_TASKS_MAX;
    info->tasks = calloc(room + 1, sizeof(*info->tasks));
    if (info->tasks == NULL || copy_sites(loop, info) < 0 || copy_fds(loop, info) < 0) {
        coro_snapshot_free(info);
        return -ENOMEM;
    }
    snprintf(info->name, sizeof(info->name), "%s", loop->name);
    info->tick_ns = prof_tick_ns();
    coro_counts_of(loop, &info->counts);
    coro_lag_of(loop, info->lag);
    struct collect collect = {.loop = loop, .info = info, .room = room};
    coro_task_each(loop, collect_one, &collect);
    *ret_info = info;
    return 0;
}

void coro_snapshot_free(struct co_loop_info *info)
{
    if (info == NULL)
        return;
    free(info->sites);
    free(info->fds);
    free(info->tasks);
    free(info);
}
