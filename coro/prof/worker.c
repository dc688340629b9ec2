#include "coro/prof/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "coro/prof/sched.h"

/* What is shared with the processes forked later; the slots follow. */
struct segment {
    uint64_t recording_since; /* ticks; 0: stopped */
    uint64_t missed;
    pthread_mutex_t readers; /* one asks and copies at a time; survives its holder's death */
    size_t bytes;
    unsigned slot_count;
    unsigned slots_used; /* as many from the first on were ever open; the rest has no memory */
    /* one word per slot, together: finding a free one reads a cache line or two */
    int32_t *owner; /* pid; 0: free */
    struct prof_slot *slots;
};

static struct segment *segment;

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* The child of a fork is nobody's worker yet: it must not write its parent's
 * slot, not even from scopes that were open when it forked. */
static void forget_in_child(void)
{
    if (prof_self.running != NULL) {
        prof_self.running->top = NULL;
        prof_self.running->is_off = true;
    }
    prof_self = (struct prof_thread){.current = NULL};
}

int prof_segment_create(unsigned slots)
{
    static bool is_fork_handled;
    if (segment != NULL)
        return -EALREADY;
    size_t head = round_up(sizeof(struct segment), 64);
    size_t first_slot = round_up(head + slots * sizeof(int32_t), 4096);
    size_t bytes = first_slot + slots * sizeof(struct prof_slot);
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return -errno;
    if (!is_fork_handled && pthread_atfork(NULL, NULL, forget_in_child) != 0) {
        munmap(map, bytes);
        return -ENOMEM;
    }
    is_fork_handled = true;
    segment = (struct segment *)(void *)map;
    segment->bytes = bytes;
    segment->slot_count = slots;
    segment->owner = (int32_t *)(void *)(map + head);
    segment->slots = (struct prof_slot *)(void *)(map + first_slot);
    segment->recording_since = prof_ticks();
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&segment->readers, &attr);
    pthread_mutexattr_destroy(&attr);
    return 0;
}

int prof_readers_lock(void)
{
    int rv = pthread_mutex_lock(&segment->readers);
    if (rv == EOWNERDEAD) /* a reader died: it writes nothing that could be half done */
        rv = pthread_mutex_consistent(&segment->readers);
    return -rv;
}

void prof_readers_unlock(void)
{
    pthread_mutex_unlock(&segment->readers);
}

void prof_segment_destroy(void)
{
    if (segment == NULL)
        return;
    munmap(segment, segment->bytes);
    segment = NULL;
}

bool prof_segment_exists(void)
{
    return segment != NULL;
}

unsigned prof_slot_count(void)
{
    return segment == NULL ? 0 : __atomic_load_n(&segment->slots_used, __ATOMIC_ACQUIRE);
}

struct prof_slot *prof_slot_at(unsigned i)
{
    struct prof_slot *slot = &segment->slots[i];
    return __atomic_load_n(&slot->used, __ATOMIC_ACQUIRE) == 0 ? NULL : slot;
}

pid_t prof_slot_owner(unsigned i)
{
    return __atomic_load_n(&segment->owner[i], __ATOMIC_ACQUIRE);
}

uint64_t prof_workers_missed(void)
{
    return segment == NULL ? 0 : PROF_GET(segment->missed);
}

void prof_record(bool on)
{
    if (segment == NULL)
        return;
    uint64_t since = PROF_GET(segment->recording_since);
    if ((since != 0) != on)
        PROF_SET(segment->recording_since, on ? prof_ticks() : 0);
}

uint64_t prof_recording_since(void)
{
    return segment == NULL ? 0 : PROF_GET(segment->recording_since);
}

static void note_used(unsigned count)
{
    unsigned used = __atomic_load_n(&segment->slots_used, __ATOMIC_ACQUIRE);
    while (used < count && !__atomic_compare_exchange_n(&segment->slots_used, &used, count, false,
                                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
}

/* Take the first free slot; lowest first keeps the number of trees small. */
static struct prof_slot *claim(void)
{
    int32_t pid = (int32_t)getpid();
    for (unsigned i = 0; i < segment->slot_count; i++) {
        int32_t nobody = 0;
        if (PROF_GET(segment->owner[i]) == 0 &&
            __atomic_compare_exchange_n(&segment->owner[i], &nobody, pid, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            note_used(i + 1);
            return &segment->slots[i];
        }
    }
    return NULL;
}

/* In whole words: somebody may be reading. */
static void set_name(struct prof_slot *slot, const char *name)
{
    uint64_t words[PROF_WORKER_NAME_WORDS] = {0};
    snprintf((char *)words, sizeof words, "%s", name);
    for (size_t i = 0; i < PROF_WORKER_NAME_WORDS; i++)
        PROF_SET(slot->name[i], words[i]);
}

int prof_worker_open(const char *name)
{
    if (segment == NULL)
        return -ENOENT;
    struct prof_slot *slot = claim();
    if (slot == NULL) {
        __atomic_fetch_add(&segment->missed, 1, __ATOMIC_RELAXED);
        return -EAGAIN;
    }
    /* odd: it moves.  A predecessor killed in motion left it odd. */
    __atomic_fetch_or(&slot->seq, 1, __ATOMIC_ACQ_REL);
    if (slot->used == 0)
        prof_tree_init(slot);
    set_name(slot, name);
    PROF_SET(slot->pid, (int32_t)getpid());
    PROF_SET(slot->tid, (int32_t)syscall(SYS_gettid));
    PROF_ADD(slot->generation, 1);
    prof_self = (struct prof_thread){.slot = slot};
    uint64_t now = prof_ticks();
    prof_cursor_init(&prof_self.own, now);
    prof_resume(&prof_self.own, now);
    return 0;
}

/* At rest for good: even. */
static void settle(struct prof_slot *slot)
{
    uint64_t seq = PROF_GET(slot->seq);
    if ((seq & 1) != 0)
        __atomic_store_n(&slot->seq, seq + 1, __ATOMIC_RELEASE);
}

static void release(unsigned i)
{
    __atomic_store_n(&segment->owner[i], 0, __ATOMIC_RELEASE);
}

void prof_worker_close(void)
{
    struct prof_slot *slot = prof_self.slot;
    if (slot == NULL)
        return;
    struct prof_cursor *c = prof_self.running;
    if (prof_self.current != NULL)
        prof_park(prof_self.current, prof_ticks());
    if (c != NULL)
        prof_cursor_fini(c);
    if (c != &prof_self.own)
        prof_cursor_fini(&prof_self.own);
    prof_self = (struct prof_thread){.own = {.is_off = true}};
    settle(slot);
    release((unsigned)(slot - segment->slots));
}

/* A run slice that was cut off by death ends at its last charge, so that the
 * sums still agree; calls it was in are no longer in flight. */
static void bury(struct prof_slot *slot)
{
    uint64_t self = 0;
    for (uint32_t i = 0; i < slot->used; i++) {
        self += slot->nodes[i].self;
        if (slot->nodes[i].in_flight != 0)
            PROF_ADD(slot->abandoned, (uint32_t)slot->nodes[i].in_flight);
        PROF_SET(slot->nodes[i].in_flight, 0);
    }
    PROF_SET(slot->run, self);
    settle(slot);
}

void prof_worker_died(pid_t pid)
{
    for (unsigned i = 0; i < prof_slot_count(); i++) {
        if (prof_slot_owner(i) != pid)
            continue;
        if (segment->slots[i].used != 0)
            bury(&segment->slots[i]);
        release(i);
    }
}

void prof_worker_answer(uint64_t now)
{
    struct prof_slot *slot = prof_self.slot;
    struct prof_cursor *c = prof_self.current;
    if (c != NULL) {
        PROF_ADD(c->node->self, now - c->last);
        PROF_ADD(slot->run, now - c->run_from);
        c->last = now;
        c->run_from = now;
    }
    uint32_t number = __atomic_load_n(&slot->asked, __ATOMIC_ACQUIRE);
    prof_nodes_copy(slot->copy, slot->nodes, slot->used);
    slot->copy_used = slot->used;
    slot->copy_run = slot->run;
    __atomic_store_n(&slot->answered, number, __ATOMIC_RELEASE);
}

struct prof_totals prof_totals(void)
{
    struct prof_totals totals = {0};
    uint64_t run = 0;
    for (unsigned i = 0; i < prof_slot_count(); i++) {
        const struct prof_slot *slot = prof_slot_at(i);
        if (slot == NULL)
            continue;
        run += PROF_GET(slot->run);
        uint32_t used = __atomic_load_n(&slot->used, __ATOMIC_ACQUIRE);
        for (uint32_t n = PROF_NODE_ROOT + 1; n < used; n++)
            totals.calls += PROF_GET(slot->nodes[n].calls);
    }
    totals.run_ns = (double)run * prof_tick_ns();
    return totals;
}
