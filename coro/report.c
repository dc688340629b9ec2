/* coro/report.c - snapshots of loops as text and as JSON. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "coro/base/json.h"
#include "coro/snapshot.h"

/* an IPv6 address in brackets, and its port */
#define PEER_BYTES (INET6_ADDRSTRLEN + 10)

static const char *const state_names[] = {
    [CO_TASK_FREE] = "free",     [CO_TASK_READY] = "ready", [CO_TASK_RUNNING] = "running",
    [CO_TASK_PARKED] = "parked", [CO_TASK_DEAD] = "ended",
};

static const char *const wait_names[] = {
    [CO_WAIT_NONE] = "",           [CO_WAIT_SLEEP] = "sleep",
    [CO_WAIT_JOIN] = "join",       [CO_WAIT_READ] = "read",
    [CO_WAIT_WRITE] = "write",     [CO_WAIT_FD] = "fd",
    [CO_WAIT_MUTEX] = "mutex",     [CO_WAIT_COND] = "cond",
    [CO_WAIT_SEM] = "semaphore",   [CO_WAIT_EVENT] = "event",
    [CO_WAIT_SEND] = "send",       [CO_WAIT_RECV] = "receive",
    [CO_WAIT_SELECT] = "select",   [CO_WAIT_PUT] = "queue put",
    [CO_WAIT_GET] = "queue get",   [CO_WAIT_QUEUE] = "queue join",
    [CO_WAIT_GROUP] = "group",     [CO_WAIT_OFFLOAD] = "offload",
    [CO_WAIT_RESOLVE] = "resolve",
};

const char *coro_wait_name(uint8_t wait)
{
    return wait_names[wait];
}

static bool waits_on_fd(const struct co_task_info *task)
{
    return task->wait == CO_WAIT_READ || task->wait == CO_WAIT_WRITE || task->wait == CO_WAIT_FD;
}

static bool waits_on_object(const struct co_task_info *task)
{
    return task->wait >= CO_WAIT_MUTEX && task->object != 0;
}

/* ---- text ---- */

static int text_wait(struct buf *out, const struct co_task_info *task)
{
    int rv = 0;
    if (task->wait != CO_WAIT_NONE)
        rv = buf_printf(out, ", %s", wait_names[task->wait]);
    if (rv == 0 && waits_on_fd(task))
        rv = buf_printf(out, " %" PRIu64, task->object);
    else if (rv == 0 && task->wait == CO_WAIT_JOIN)
        rv = buf_printf(out, " of task %" PRIu64, task->object);
    else if (rv == 0 && waits_on_object(task))
        rv = buf_printf(out, " 0x%" PRIx64, task->object);
    if (rv == 0 && task->holder[0] != 0)
        rv = buf_printf(out, task->wait == CO_WAIT_MUTEX ? " held by %s" : " (%s)", task->holder);
    return rv;
}

static int text_task(struct buf *out, const struct co_loop_info *loop,
                     const struct co_task_info *task)
{
    int rv = buf_printf(out, "\ntask %" PRIu64 " %s: %s", task->id, task->name,
                        state_names[task->state]);
    if (rv == 0)
        rv = text_wait(out, task);
    if (rv == 0)
        rv = buf_printf(out,
                        "%s, age %.3f s, cpu %.3f ms, longest slice %.3f ms, stack %zu, "
                        "spawned at %s:%d (%s)\n",
                        task->is_cancelled ? ", cancelled" : "", (double)task->age_ns / 1e9,
                        (double)task->cpu_ticks * loop->tick_ns / 1e6,
                        (double)task->longest_ticks * loop->tick_ns / 1e6, task->stack_bytes,
                        task->site->file, task->site->line, task->site->function);
    return rv < 0 ? rv : coro_trace_text(out, task->pcs, task->frames);
}

static int text_sites(struct buf *out, const struct co_loop_info *loop)
{
    int rv = buf_printf(out, "%8s %10s %12s %12s %10s  %s\n", "alive", "total", "cpu ms",
                        "longest ms", "stack", "spawn site");
    for (size_t i = 0; rv == 0 && i < loop->site_count; i++) {
        const struct co_site_stats *s = &loop->sites[i];
        rv = buf_printf(out, "%8" PRIu64 " %10" PRIu64 " %12.3f %12.3f %10zu  %s:%d (%s)\n",
                        s->alive, s->total, (double)s->cpu_ticks * loop->tick_ns / 1e6,
                        (double)s->longest_ticks * loop->tick_ns / 1e6, s->stack_high_bytes,
                        s->site->file, s->site->line, s->site->function);
    }
    return rv;
}

/* "127.0.0.1:80", "[::1]:80", "unix"; "" for what has no peer. */
static void peer_text(const struct co_fd_info *fd, char *text, size_t cap)
{
    char addr[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = (const void *)&fd->peer;
    const struct sockaddr_in6 *v6 = (const void *)&fd->peer;
    text[0] = 0;
    if (fd->peer.ss_family == AF_INET &&
        inet_ntop(AF_INET, &v4->sin_addr, addr, sizeof(addr)) != NULL)
        snprintf(text, cap, "%s:%d", addr, ntohs(v4->sin_port));
    else if (fd->peer.ss_family == AF_INET6 &&
             inet_ntop(AF_INET6, &v6->sin6_addr, addr, sizeof(addr)) != NULL)
        snprintf(text, cap, "[%s]:%d", addr, ntohs(v6->sin6_port));
    else if (fd->peer.ss_family == AF_UNIX)
        snprintf(text, cap, "unix");
}

static int text_fds(struct buf *out, const struct co_loop_info *loop)
{
    int rv = loop->fd_count > 0 ? buf_append_char(out, '\n') : 0;
    for (size_t i = 0; rv == 0 && i < loop->fd_count; i++) {
        const struct co_fd_info *fd = &loop->fds[i];
        char peer[PEER_BYTES];
        peer_text(fd, peer, sizeof(peer));
        rv = buf_printf(out, "descriptor %d: parked, %s%s%sage %.3f s, parked at %s:%d (%s)\n",
                        fd->fd, peer[0] != 0 ? "peer " : "", peer, peer[0] != 0 ? ", " : "",
                        (double)fd->age_ns / 1e9, fd->site->file, fd->site->line,
                        fd->site->function);
    }
    if (rv == 0 && loop->counts.parked_fds > loop->fd_count)
        rv = buf_printf(out, "and %zu more parked descriptors\n",
                        loop->counts.parked_fds - loop->fd_count);
    return rv;
}

static int text_loop(struct buf *out, const struct co_loop_info *loop)
{
    if (loop->is_busy)
        return buf_printf(out, "loop %s: busy, it did not answer\n\n", loop->name);
    const struct co_counts *c = &loop->counts;
    int rv = buf_printf(out,
                        "loop %s: %zu tasks, %zu ready, %zu parked descriptors, %zu stacks "
                        "(%zu pooled, %zu unguarded), %" PRIu64 " switches, %" PRIu64 " turns\n",
                        loop->name, c->alive, c->ready, c->parked_fds, c->stacks, c->pooled,
                        c->unguarded, c->switches, c->turns);
    if (rv == 0)
        rv = text_sites(out, loop);
    for (size_t i = 0; rv == 0 && i < loop->task_count; i++)
        rv = text_task(out, loop, &loop->tasks[i]);
    if (rv == 0 && loop->unlisted > 0)
        rv = buf_printf(out, "\nand %zu more tasks\n", loop->unlisted);
    if (rv == 0)
        rv = text_fds(out, loop);
    return rv < 0 ? rv : buf_append_char(out, '\n');
}

/* ---- JSON ---- */

static int json_text(struct buf *out, const char *key, const char *value)
{
    int rv = buf_printf(out, "\"%s\":", key);
    return rv < 0 ? rv : json_append_string(out, value, strlen(value));
}

static int json_site(struct buf *out, const struct co_site *site)
{
    int rv = buf_append_str(out, "{");
    if (rv == 0)
        rv = json_text(out, "file", site->file);
    if (rv == 0)
        rv = buf_printf(out, ",\"line\":%d,", site->line);
    if (rv == 0)
        rv = json_text(out, "function", site->function);
    return rv < 0 ? rv : buf_append_char(out, '}');
}

static int json_frames(struct buf *out, const struct co_task_info *task)
{
    int rv = buf_append_str(out, ",\"stack\":[");
    for (int i = 0; rv == 0 && i < task->frames; i++) {
        struct co_frame frame;
        coro_trace_name(task->pcs[i], 1, &frame);
        rv = buf_append_str(out, i == 0 ? "{" : ",{");
        if (rv == 0)
            rv = json_text(out, "function", frame.function);
        if (rv == 0 && frame.file[0] != 0) {
            rv = buf_append_char(out, ',');
            if (rv == 0)
                rv = json_text(out, "file", frame.file);
            if (rv == 0)
                rv = buf_printf(out, ",\"line\":%d", frame.line);
        }
        if (rv == 0)
            rv = buf_append_char(out, '}');
    }
    return rv < 0 ? rv : buf_append_str(out, "]");
}

static int json_wait(struct buf *out, const struct co_task_info *task)
{
    if (task->wait == CO_WAIT_NONE)
        return 0;
    int rv = buf_append_char(out, ',');
    if (rv == 0)
        rv = json_text(out, "wait", wait_names[task->wait]);
    if (rv == 0 && waits_on_fd(task))
        rv = buf_printf(out, ",\"fd\":%" PRIu64, task->object);
    else if (rv == 0 && task->wait == CO_WAIT_JOIN)
        rv = buf_printf(out, ",\"task\":%" PRIu64, task->object);
    else if (rv == 0 && waits_on_object(task))
        rv = buf_printf(out, ",\"object\":\"0x%" PRIx64 "\"", task->object);
    if (rv == 0 && task->holder[0] != 0) {
        rv = buf_append_char(out, ',');
        if (rv == 0)
            rv = json_text(out, "holder", task->holder);
    }
    return rv;
}

static int json_task(struct buf *out, const struct co_loop_info *loop,
                     const struct co_task_info *task)
{
    int rv = buf_printf(out, "{\"id\":%" PRIu64 ",", task->id);
    if (rv == 0)
        rv = json_text(out, "name", task->name);
    if (rv == 0)
        rv = buf_printf(out, ",\"state\":\"%s\"", state_names[task->state]);
    if (rv == 0)
        rv = json_wait(out, task);
    if (rv == 0)
        rv = buf_printf(out,
                        ",\"cancelled\":%s,\"age_ns\":%" PRId64 ",\"cpu_ns\":%.0f"
                        ",\"longest_slice_ns\":%.0f,\"stack_bytes\":%zu,\"site\":",
                        task->is_cancelled ? "true" : "false", task->age_ns,
                        (double)task->cpu_ticks * loop->tick_ns,
                        (double)task->longest_ticks * loop->tick_ns, task->stack_bytes);
    if (rv == 0)
        rv = json_site(out, task->site);
    if (rv == 0)
        rv = json_frames(out, task);
    return rv < 0 ? rv : buf_append_char(out, '}');
}

static int json_sites(struct buf *out, const struct co_loop_info *loop)
{
    int rv = 0;
    for (size_t i = 0; rv == 0 && i < loop->site_count; i++) {
        const struct co_site_stats *s = &loop->sites[i];
        rv = buf_append_str(out, i == 0 ? "{\"site\":" : ",{\"site\":");
        if (rv == 0)
            rv = json_site(out, s->site);
        if (rv == 0)
            rv = buf_printf(out,
                            ",\"alive\":%" PRIu64 ",\"total\":%" PRIu64 ",\"cpu_ns\":%.0f"
                            ",\"longest_slice_ns\":%.0f,\"stack_high_bytes\":%zu}",
                            s->alive, s->total, (double)s->cpu_ticks * loop->tick_ns,
                            (double)s->longest_ticks * loop->tick_ns, s->stack_high_bytes);
    }
    return rv;
}

static int json_counts(struct buf *out, const struct co_loop_info *loop)
{
    const struct co_counts *c = &loop->counts;
    int rv = buf_printf(out,
                        ",\"alive\":%zu,\"ready\":%zu,\"parked_fds\":%zu,\"stacks\":%zu"
                        ",\"pooled\":%zu,\"unguarded\":%zu,\"spawned\":%" PRIu64
                        ",\"switches\":%" PRIu64 ",\"turns\":%" PRIu64 ",\"trimmed\":%" PRIu64
                        ",\"unlisted\":%zu,\"turn_ns_log2\":[",
                        c->alive, c->ready, c->parked_fds, c->stacks, c->pooled, c->unguarded,
                        c->spawned, c->switches, c->turns, c->trimmed, loop->unlisted);
    for (int i = 0; rv == 0 && i < CO_LAG_BUCKETS; i++)
        rv = buf_printf(out, i == 0 ? "%" PRIu64 : ",%" PRIu64, loop->lag[i]);
    return rv < 0 ? rv : buf_append_str(out, "],\"sites\":[");
}

static int json_fds(struct buf *out, const struct co_loop_info *loop)
{
    int rv = buf_printf(out, ",\"parked_unlisted\":%zu,\"parked\":[",
                        loop->counts.parked_fds - loop->fd_count);
    for (size_t i = 0; rv == 0 && i < loop->fd_count; i++) {
        const struct co_fd_info *fd = &loop->fds[i];
        char peer[PEER_BYTES];
        peer_text(fd, peer, sizeof(peer));
        rv = buf_printf(out, "%s{\"fd\":%d,", i == 0 ? "" : ",", fd->fd);
        if (rv == 0)
            rv = json_text(out, "peer", peer);
        if (rv == 0)
            rv = buf_printf(out, ",\"age_ns\":%" PRId64 ",\"site\":", fd->age_ns);
        if (rv == 0)
            rv = json_site(out, fd->site);
        if (rv == 0)
            rv = buf_append_char(out, '}');
    }
    return rv < 0 ? rv : buf_append_char(out, ']');
}

static int json_loop(struct buf *out, const struct co_loop_info *loop)
{
    int rv = buf_append_str(out, "{");
    if (rv == 0)
        rv = json_text(out, "loop", loop->name);
    if (rv == 0)
        rv = buf_printf(out, ",\"busy\":%s", loop->is_busy ? "true" : "false");
    if (rv < 0 || loop->is_busy)
        return rv < 0 ? rv : buf_append_char(out, '}');
    rv = json_counts(out, loop);
    if (rv == 0)
        rv = json_sites(out, loop);
    if (rv == 0)
        rv = buf_append_str(out, "],\"tasks\":[");
    for (size_t i = 0; rv == 0 && i < loop->task_count; i++) {
        if (i > 0)
            rv = buf_append_char(out, ',');
        if (rv == 0)
            rv = json_task(out, loop, &loop->tasks[i]);
    }
    if (rv == 0)
        rv = buf_append_char(out, ']');
    if (rv == 0)
        rv = json_fds(out, loop);
    return rv < 0 ? rv : buf_append_char(out, '}');
}

int coro_snapshot_write(struct buf *out, enum co_dump_format format,
                        struct co_loop_info *const *loops, size_t count)
{
    int rv = format == CO_DUMP_JSON ? buf_append_str(out, "{\"loops\":[") : 0;
    for (size_t i = 0; rv == 0 && i < count; i++) {
        if (format == CO_DUMP_TEXT) {
            rv = text_loop(out, loops[i]);
            continue;
        }
        if (i > 0)
            rv = buf_append_char(out, ',');
        if (rv == 0)
            rv = json_loop(out, loops[i]);
    }
    if (rv == 0 && format == CO_DUMP_JSON)
        rv = buf_append_str(out, "]}\n");
    return rv;
}
