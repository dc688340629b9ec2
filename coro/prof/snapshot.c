#include "coro/prof/snapshot.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coro/prof/worker.h"

#define POLL_NS     (50 * NS_PER_US)
#define REST_TRIES  4
#define NODES_FIRST 256

/* A snapshot in the making; the parts become one block at the end. */
struct making {
    struct prof_snapshot_worker *workers;
    bool *is_asked; /* by slot: an answer to this snapshot is due */
    struct prof_node *nodes;
    uint32_t worker_count;
    uint32_t node_count;
    uint32_t node_cap;
};

static int reserve_nodes(struct making *m, uint32_t more)
{
    uint32_t cap = m->node_cap == 0 ? NODES_FIRST : m->node_cap;
    while (cap < m->node_count + more)
        cap *= 2;
    if (cap == m->node_cap)
        return 0;
    struct prof_node *nodes =
        aligned_alloc(_Alignof(struct prof_node), cap * sizeof(struct prof_node));
    if (nodes == NULL)
        return -ENOMEM;
    if (m->node_count != 0)
        memcpy(nodes, m->nodes, m->node_count * sizeof nodes[0]);
    free(m->nodes);
    m->nodes = nodes;
    m->node_cap = cap;
    return 0;
}

static int copy_live(struct making *m, struct prof_snapshot_worker *w, const struct prof_slot *slot)
{
    uint32_t used = __atomic_load_n(&slot->used, __ATOMIC_ACQUIRE);
    int rv = reserve_nodes(m, used);
    if (rv < 0)
        return rv;
    prof_nodes_copy(m->nodes + m->node_count, slot->nodes, used);
    w->node_count = used;
    w->run = __atomic_load_n(&slot->run, __ATOMIC_ACQUIRE);
    return 0;
}

/* 1: the copy is exact; 0: the worker moves. */
static int copy_at_rest(struct making *m, struct prof_snapshot_worker *w,
                        const struct prof_slot *slot)
{
    for (int i = 0; i < REST_TRIES; i++) {
        uint64_t seq = __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE);
        if ((seq & 1) != 0)
            return 0;
        int rv = copy_live(m, w, slot);
        if (rv < 0)
            return rv;
        if (PROF_GET(slot->seq) == seq)
            return 1;
    }
    return 0;
}

static int copy_answer(struct making *m, struct prof_snapshot_worker *w,
                       const struct prof_slot *slot)
{
    int rv = reserve_nodes(m, slot->copy_used);
    if (rv < 0)
        return rv;
    memcpy(m->nodes + m->node_count, slot->copy, slot->copy_used * sizeof slot->copy[0]);
    w->node_count = slot->copy_used;
    w->run = slot->copy_run;
    return 0;
}

static bool has_answered(const struct prof_slot *slot)
{
    return __atomic_load_n(&slot->answered, __ATOMIC_ACQUIRE) == PROF_GET(slot->asked);
}

static void ask(struct making *m, struct prof_slot *slot, unsigned index)
{
    if (m->is_asked[index])
        return;
    m->is_asked[index] = true;
    __atomic_store_n(&slot->asked, PROF_GET(slot->asked) + 1, __ATOMIC_RELEASE);
}

/* Exact while the worker rests or once it has answered; else ask once, and
 * take what can be had when the patience is over. */
static int copy_worker(struct making *m, struct prof_slot *slot, unsigned index,
                       int64_t deadline_ns)
{
    struct prof_snapshot_worker *w = &m->workers[m->worker_count];
    *w = (struct prof_snapshot_worker){
        .slot = index,
        .pid = PROF_GET(slot->pid),
        .tid = PROF_GET(slot->tid),
        .generation = PROF_GET(slot->generation),
        .is_open = prof_slot_owner(index) != 0,
        .first_node = m->node_count,
        .abandoned = PROF_GET(slot->abandoned),
        .switches = PROF_GET(slot->switches),
        .overflowed = PROF_GET(slot->overflowed),
    };
    for (size_t i = 0; i < PROF_WORKER_NAME_WORDS; i++) {
        uint64_t word = PROF_GET(slot->name[i]);
        memcpy(w->name + i * sizeof word, &word, sizeof word);
    }
    int rv = copy_at_rest(m, w, slot);
    if (rv == 0)
        ask(m, slot, index);
    if (rv == 0 && slot == prof_self.slot)
        prof_worker_answer(prof_ticks());
    while (rv == 0) {
        if (has_answered(slot)) {
            rv = copy_answer(m, w, slot);
            break;
        }
        rv = copy_at_rest(m, w, slot);
        if (rv != 0)
            break;
        if (clock_now_ns() >= deadline_ns) {
            w->is_stale = true;
            rv = copy_live(m, w, slot);
            break;
        }
        usleep((useconds_t)(POLL_NS / NS_PER_US));
    }
    if (rv < 0)
        return rv;
    m->node_count += w->node_count;
    m->worker_count++;
    return 0;
}

/* Ask first, all at once: the busy ones answer while the others are copied. */
static void ask_running(struct making *m, unsigned slots)
{
    for (unsigned i = 0; i < slots; i++) {
        struct prof_slot *slot = prof_slot_at(i);
        if (slot != NULL && (PROF_GET(slot->seq) & 1) != 0)
            ask(m, slot, i);
    }
}

static int join_parts(const struct making *m, struct prof_snapshot **ret_snapshot)
{
    size_t align = _Alignof(struct prof_node);
    size_t head =
        sizeof(struct prof_snapshot) + m->worker_count * sizeof(struct prof_snapshot_worker);
    size_t bytes = (head + align - 1) / align * align + m->node_count * sizeof(struct prof_node);
    struct prof_snapshot *s = aligned_alloc(align, bytes);
    if (s == NULL)
        return -ENOMEM;
    *s = (struct prof_snapshot){
        .bytes = bytes,
        .at_ns = clock_now_ns(),
        .wall_ns = clock_wall_ns(),
        .tick_ns = prof_tick_ns(),
        .missed = prof_workers_missed(),
        .is_recording = prof_recording_since() != 0,
        .worker_count = m->worker_count,
        .node_count = m->node_count,
    };
    memcpy(s + 1, m->workers, m->worker_count * sizeof m->workers[0]);
    if (m->node_count != 0)
        memcpy((char *)s + bytes - m->node_count * sizeof(struct prof_node), m->nodes,
               m->node_count * sizeof(struct prof_node));
    *ret_snapshot = s;
    return 0;
}

int prof_snapshot_take(int64_t patience_ns, struct prof_snapshot **ret_snapshot)
{
    if (!prof_segment_exists())
        return -ENOENT;
    unsigned slots = prof_slot_count();
    struct making m = {.workers = calloc(slots + 1, sizeof(struct prof_snapshot_worker)),
                       .is_asked = calloc(slots + 1, sizeof(bool))};
    int rv = m.workers == NULL || m.is_asked == NULL ? -ENOMEM : prof_readers_lock();
    if (rv < 0)
        goto out;
    int64_t deadline_ns = clock_now_ns() + patience_ns;
    ask_running(&m, slots);
    for (unsigned i = 0; i < slots && rv == 0; i++) {
        struct prof_slot *slot = prof_slot_at(i);
        if (slot != NULL)
            rv = copy_worker(&m, slot, i, deadline_ns);
    }
    prof_readers_unlock();
    if (rv == 0)
        rv = join_parts(&m, ret_snapshot);
out:
    free(m.workers);
    free(m.is_asked);
    free(m.nodes);
    return rv;
}

void prof_snapshot_free(struct prof_snapshot *snapshot)
{
    free(snapshot);
}

/* Not the slots' writer, but nothing is lost: a writer stores only what is
 * longer than what it sees. */
void prof_slices_reset(void)
{
    for (unsigned i = 0; i < prof_slot_count(); i++) {
        struct prof_slot *slot = prof_slot_at(i);
        uint32_t used = slot == NULL ? 0 : __atomic_load_n(&slot->used, __ATOMIC_ACQUIRE);
        for (uint32_t n = 0; n < used; n++)
            PROF_SET(slot->nodes[n].slice, 0);
    }
}
