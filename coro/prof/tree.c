/* The rare paths of the tree: new nodes, healing after a longjmp, switches. */
#include "coro/prof/prof.h"
#include "coro/prof/sched.h"
#include "coro/prof/worker.h"

_Thread_local struct prof_thread prof_self __attribute__((tls_model("initial-exec")));

static const struct prof_site overflow_site = {.name = "{other paths}", .file = __FILE__};

void prof_tree_init(struct prof_slot *slot)
{
    slot->nodes[PROF_NODE_ROOT] = (struct prof_node){.index = PROF_NODE_ROOT};
    slot->nodes[PROF_NODE_OVERFLOW] =
        (struct prof_node){.index = PROF_NODE_OVERFLOW, .site = &overflow_site};
    __atomic_store_n(&slot->used, 2, __ATOMIC_RELEASE);
}

/* The loads stay in order: what a reader loads after them (the sequence number)
 * is newer than they are. */
void prof_nodes_copy(struct prof_node *to, const struct prof_node *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        to[i] = (struct prof_node){
            .site = from[i].site,
            .parent = from[i].parent,
            .index = from[i].index,
            .calls = __atomic_load_n(&from[i].calls, __ATOMIC_ACQUIRE),
            .self = __atomic_load_n(&from[i].self, __ATOMIC_ACQUIRE),
            .wait = __atomic_load_n(&from[i].wait, __ATOMIC_ACQUIRE),
            .ready = __atomic_load_n(&from[i].ready, __ATOMIC_ACQUIRE),
            .slice = __atomic_load_n(&from[i].slice, __ATOMIC_ACQUIRE),
            .in_flight = __atomic_load_n(&from[i].in_flight, __ATOMIC_ACQUIRE),
        };
    }
}

/* The table is open addressing without deletion.  Not in the probe order of
 * the path: insert, or fall back to the overflow node, whose children are
 * itself, so that a recursion without end costs one node. */
struct prof_node *prof_child_slow(struct prof_slot *slot, struct prof_node *parent,
                                  const struct prof_site *site)
{
    if (parent->index == PROF_NODE_OVERFLOW) {
        PROF_ADD(slot->overflowed, 1);
        return parent;
    }
    uint32_t at = prof_hash(parent->index, site);
    /* ends: the table has twice as many entries as there are nodes */
    for (; slot->table[at] != 0; at = (at + 1) & (PROF_TABLE_SIZE - 1)) {
        struct prof_node *n = &slot->nodes[slot->table[at]];
        if (n->site == site && n->parent == parent->index)
            return n;
    }
    if (slot->used == PROF_NODES_MAX) {
        PROF_ADD(slot->overflowed, 1);
        return &slot->nodes[PROF_NODE_OVERFLOW];
    }
    struct prof_node *n = &slot->nodes[slot->used];
    *n = (struct prof_node){.site = site, .parent = parent->index, .index = slot->used};
    slot->table[at] = n->index;
    /* readers look at nodes below `used` only */
    __atomic_store_n(&slot->used, slot->used + 1, __ATOMIC_RELEASE);
    return n;
}

/* Scopes between c->node and `until` will never see their exit. */
static bool abandon(struct prof_slot *slot, struct prof_node *from, const struct prof_node *until)
{
    const struct prof_node *n = from;
    while (n != until && n->index != PROF_NODE_ROOT)
        n = &slot->nodes[n->parent];
    if (n != until)
        return false;
    for (struct prof_node *lost = from; lost != until; lost = &slot->nodes[lost->parent]) {
        PROF_ADD(lost->in_flight, -1);
        PROF_ADD(slot->abandoned, 1);
    }
    return true;
}

static void exit_slow(struct prof_scope *s)
{
    struct prof_cursor *c = s->cursor;
    struct prof_slot *slot = prof_self.slot;
    if (slot == NULL || c->top == NULL)
        return; /* opened before the slot was closed, or before a fork */
    if (c->top != s && !abandon(slot, c->node, s->node))
        return;
    uint64_t now = prof_ticks();
    if (!c->is_off) {
        PROF_ADD(c->node->self, now - c->last);
        prof_note_slice(s->node, now - (s->entered > c->slice_start ? s->entered : c->slice_start));
        c->last = now;
    }
    PROF_ADD(s->node->in_flight, -1);
    c->node = s->caller;
    c->top = s->up;
}

NOINLINE void prof_enter_recorded(struct prof_scope *s, const struct prof_site *site)
{
    struct prof_cursor *c = s->cursor;
    uint64_t now = prof_ticks();
    struct prof_node *caller = c->node;
    struct prof_node *n = prof_child(prof_self.slot, caller, site);
    PROF_ADD(caller->self, now - c->last);
    PROF_ADD(n->calls, 1);
    PROF_ADD(n->in_flight, 1);
    s->up = c->top;
    s->node = n;
    s->caller = caller;
    s->entered = now;
    c->node = n;
    c->top = s;
    c->last = now;
}

NOINLINE void prof_exit_recorded(struct prof_scope *s)
{
    struct prof_cursor *c = s->cursor;
    if (UNLIKELY(c->top != s || c->is_off)) {
        exit_slow(s);
        return;
    }
    uint64_t now = prof_ticks();
    struct prof_node *n = s->node;
    PROF_ADD(n->self, now - c->last);
    PROF_ADD(n->in_flight, -1);
    prof_note_slice(n, now - (s->entered > c->slice_start ? s->entered : c->slice_start));
    c->node = s->caller;
    c->top = s->up;
    c->last = now;
}

/* A long run slice ends: every open scope of it may have a new longest one. */
void prof_slice_ends(struct prof_cursor *c, uint64_t now)
{
    for (const struct prof_scope *s = c->top; s != NULL; s = s->up)
        prof_note_slice(s->node, now - (s->entered > c->slice_start ? s->entered : c->slice_start));
    prof_note_slice(&prof_self.slot->nodes[PROF_NODE_ROOT], now - c->slice_start);
}

void prof_resume_slow(struct prof_cursor *c, uint64_t now)
{
    struct prof_slot *slot = prof_self.slot;
    if (c->node == NULL)
        c->node = &slot->nodes[PROF_NODE_ROOT];
    uint64_t since = prof_recording_since();
    if (since == 0) { /* stopped */
        c->is_off = true;
        prof_self.current = NULL;
        return;
    }
    if (c->is_off || c->parked < since) {
        c->is_off = false;
        c->parked = now > since ? since : now;
        c->readied = now;
    }
    /* A loop that let its tasks run did not wait; one that polled was told so. */
    bool has_waited = c != &prof_self.own || c->readied != 0;
    if (!has_waited)
        c->parked = now;
    uint64_t ready = c->readied >= c->parked && c->readied <= now ? c->readied : now;
    PROF_ADD(c->node->wait, ready - c->parked);
    PROF_ADD(c->node->ready, now - ready);
    PROF_ADD(slot->switches, 1);
    c->last = now;
    c->slice_start = now;
    c->run_from = now;
    prof_self.current = c;
}

void prof_cursor_fini(struct prof_cursor *c)
{
    struct prof_slot *slot = prof_self.slot;
    if (slot != NULL && c->top != NULL)
        abandon(slot, c->node, &slot->nodes[PROF_NODE_ROOT]);
    c->top = NULL;
    c->is_off = true;
    if (prof_self.current == c)
        prof_self.current = NULL;
    if (prof_self.running == c)
        prof_self.running = NULL;
}

/* The slot's tree may be read from here on: nothing in it moves. */
static void rest(struct prof_slot *slot, uint64_t now)
{
    prof_park(prof_self.current, now);
    prof_self.is_resting = true;
    __atomic_store_n(&slot->seq, slot->seq + 1, __ATOMIC_RELEASE); /* even */
}

void prof_wait_begin(void)
{
    struct prof_slot *slot = prof_self.slot;
    if (slot != NULL && !prof_self.is_resting)
        rest(slot, prof_ticks());
}

void prof_wait_enter(const struct prof_site *site)
{
    struct prof_slot *slot = prof_self.slot;
    struct prof_cursor *c = prof_self.current;
    if (slot == NULL || prof_self.is_resting)
        return;
    uint64_t now = prof_ticks();
    if (c == NULL) {
        rest(slot, now);
        return;
    }
    struct prof_node *caller = c->node;
    struct prof_node *n = prof_child(slot, caller, site);
    PROF_ADD(n->calls, 1);
    PROF_ADD(n->in_flight, 1);
    PROF_ADD(caller->self, now - c->last);
    c->last = now;
    c->node = n;
    prof_self.wait_node = n;
    prof_self.wait_caller = caller;
    rest(slot, now);
}

static void leave_wait(struct prof_cursor *c)
{
    PROF_ADD(prof_self.wait_node->in_flight, -1);
    if (c != NULL)
        c->node = prof_self.wait_caller;
    prof_self.wait_node = NULL;
}

void prof_wait_end(void)
{
    struct prof_slot *slot = prof_self.slot;
    if (slot == NULL)
        return;
    uint64_t now = 0;
    if (prof_self.is_resting) {
        /* odd, before any write that follows */
        __atomic_fetch_add(&slot->seq, 1, __ATOMIC_ACQ_REL);
        prof_self.is_resting = false;
        now = prof_ticks();
        if (prof_self.running != NULL) {
            prof_ready(prof_self.running, now);
            prof_resume(prof_self.running, now);
        }
        if (prof_self.wait_node != NULL)
            leave_wait(prof_self.running);
    }
    if (UNLIKELY(__atomic_load_n(&slot->asked, __ATOMIC_ACQUIRE) != slot->answered))
        prof_worker_answer(now != 0 ? now : prof_ticks());
}
