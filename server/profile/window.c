/* server/profile/window.c - rings of snapshots in shared memory.
 *
 * A ring is an array of entries and a stretch of bytes that is written round
 * and round; what a new snapshot overwrites is forgotten, oldest first.
 * Writers and readers hold a lock of the mapping while they copy some KB; a
 * holder that is killed leaves at worst one entry whose bytes are torn, which
 * was not entered yet.
 *
 * A tick of the ring for tens is the tick of the ring for seconds copied, with
 * the same id. */
#include "server/profile/window.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "coro/base/clock.h"

#define RING_BYTES   (16u << 20)
#define RING_ENTRIES 368
#define TICK_NS      NS_PER_S
#define TICKS_A_TEN  10
/* Ticks come a little early or late. */
#define TICK_SLACK_NS (TICK_NS / 20)

enum ring_name { RING_SECONDS, RING_TENS, RING_ASKED, RING_ORIGIN, RING_COUNT };

static const uint32_t ring_keeps[RING_COUNT] = {
    [RING_SECONDS] = 64, [RING_TENS] = 366, [RING_ASKED] = 64, [RING_ORIGIN] = 1};

struct entry {
    uint64_t id;
    int64_t at_ns;
    size_t offset;
    size_t bytes;
};

struct ring {
    struct entry entries[RING_ENTRIES]; /* the oldest is entries[first], round the array */
    uint32_t first;
    uint32_t count;
    size_t end; /* where the next snapshot goes */
};

static struct store {
    pthread_mutex_t lock;
    uint64_t last_id;
    int64_t next_tick_ns;
    uint64_t ticks;
    struct ring rings[RING_COUNT];
    char bytes[RING_COUNT][RING_BYTES];
} * store;

int profile_store_create(void)
{
    if (store != NULL)
        return -EALREADY;
    struct store *made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED)
        return -errno;
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&made->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    store = made;
    return 0;
}

void profile_store_destroy(void)
{
    if (store != NULL)
        munmap(store, sizeof *store);
    store = NULL;
}

static int lock(void)
{
    if (store == NULL)
        return -ENOENT;
    int rv = pthread_mutex_lock(&store->lock);
    if (rv == EOWNERDEAD)
        rv = pthread_mutex_consistent(&store->lock);
    return -rv;
}

static void unlock(void)
{
    pthread_mutex_unlock(&store->lock);
}

static struct entry *entry_at(struct ring *ring, uint32_t i)
{
    return &ring->entries[(ring->first + i) % RING_ENTRIES];
}

static void drop_oldest(struct ring *ring)
{
    ring->first = (ring->first + 1) % RING_ENTRIES;
    ring->count--;
}

/* Drop every old snapshot that lies in [from, from + bytes). */
static void make_room(struct ring *ring, size_t from, size_t bytes)
{
    while (ring->count > 0) {
        const struct entry *oldest = entry_at(ring, 0);
        if (oldest->offset >= from + bytes || oldest->offset + oldest->bytes <= from)
            return;
        drop_oldest(ring);
    }
}

static int put(enum ring_name name, const struct prof_snapshot *s)
{
    struct ring *ring = &store->rings[name];
    if (s->bytes > RING_BYTES)
        return -EMSGSIZE;
    if (ring->count == ring_keeps[name])
        drop_oldest(ring);
    if (ring->end + s->bytes > RING_BYTES) {
        make_room(ring, ring->end, RING_BYTES - ring->end);
        ring->end = 0;
    }
    make_room(ring, ring->end, s->bytes);
    memcpy(store->bytes[name] + ring->end, s, s->bytes);
    *entry_at(ring, ring->count) =
        (struct entry){.id = s->id, .at_ns = s->at_ns, .offset = ring->end, .bytes = s->bytes};
    ring->count++;
    ring->end += s->bytes;
    return 0;
}

static int copy_out(enum ring_name name, const struct entry *e, struct prof_snapshot **ret_snapshot)
{
    struct prof_snapshot *s = aligned_alloc(_Alignof(struct prof_node), e->bytes);
    if (s == NULL)
        return -ENOMEM;
    memcpy(s, store->bytes[name] + e->offset, e->bytes);
    *ret_snapshot = s;
    return 0;
}

static int take_into(enum ring_name name, struct prof_snapshot **ret_snapshot)
{
    struct prof_snapshot *s;
    int rv = prof_snapshot_take(PROFILE_PATIENCE_NS, &s);
    if (rv < 0)
        return rv;
    rv = lock();
    if (rv == 0) {
        s->id = ++store->last_id;
        rv = put(name, s);
        unlock();
    }
    if (rv < 0)
        prof_snapshot_free(s);
    else
        *ret_snapshot = s;
    return rv;
}

int profile_store_take(struct prof_snapshot **ret_snapshot)
{
    return take_into(RING_ASKED, ret_snapshot);
}

/* Is it time, and whose turn: several threads may tick, one takes the snapshot. */
static bool is_tick_due(bool *ret_is_ten)
{
    bool is_due = false;
    int64_t now_ns = clock_now_ns();
    if (lock() < 0)
        return false;
    if (now_ns >= store->next_tick_ns - TICK_SLACK_NS) {
        is_due = true;
        *ret_is_ten = store->ticks++ % TICKS_A_TEN == 0;
        store->next_tick_ns = now_ns - store->next_tick_ns > TICK_NS
                                  ? now_ns + TICK_NS
                                  : store->next_tick_ns + TICK_NS;
    }
    unlock();
    return is_due;
}

void profile_tick(void)
{
    bool is_ten;
    struct prof_snapshot *s;
    if (store == NULL || !is_tick_due(&is_ten) || take_into(RING_SECONDS, &s) < 0)
        return;
    if (is_ten && lock() == 0) {
        (void)put(RING_TENS, s); /* too big: the window is as short as the seconds */
        unlock();
    }
    prof_snapshot_free(s);
}

int profile_store_get(uint64_t id, struct prof_snapshot **ret_snapshot)
{
    int rv = lock();
    if (rv < 0)
        return rv;
    rv = -ENOENT;
    for (enum ring_name name = RING_SECONDS; name < RING_COUNT && rv == -ENOENT; name++)
        for (uint32_t i = 0; i < store->rings[name].count && rv == -ENOENT; i++) {
            const struct entry *e = entry_at(&store->rings[name], i);
            if (e->id == id)
                rv = copy_out(name, e, ret_snapshot);
        }
    unlock();
    return rv;
}

/* Better: the last one not after at_ns, or the oldest while none is that old. */
static bool is_better(const struct entry *e, const struct entry *best, int64_t at_ns)
{
    if (best == NULL)
        return true;
    if (best->at_ns > at_ns)
        return e->at_ns < best->at_ns;
    return e->at_ns <= at_ns && e->at_ns > best->at_ns;
}

int profile_store_before(int64_t at_ns, struct prof_snapshot **ret_snapshot)
{
    int rv = lock();
    if (rv < 0)
        return rv;
    const struct entry *best = NULL;
    enum ring_name where = RING_SECONDS;
    for (enum ring_name name = RING_SECONDS; name <= RING_TENS; name++)
        for (uint32_t i = 0; i < store->rings[name].count; i++) {
            const struct entry *e = entry_at(&store->rings[name], i);
            if (is_better(e, best, at_ns)) {
                best = e;
                where = name;
            }
        }
    rv = best == NULL ? -ENOENT : copy_out(where, best, ret_snapshot);
    unlock();
    return rv;
}

int profile_store_reset(void)
{
    /* Slices first: those of the moment counted from are none, so all later ones are new. */
    prof_slices_reset();
    struct prof_snapshot *s;
    int rv = take_into(RING_ORIGIN, &s);
    if (rv == 0)
        prof_snapshot_free(s);
    return rv;
}

int profile_store_origin(struct prof_snapshot **ret_snapshot)
{
    int rv = lock();
    if (rv < 0)
        return rv;
    rv = store->rings[RING_ORIGIN].count == 0
             ? -ENOENT
             : copy_out(RING_ORIGIN, entry_at(&store->rings[RING_ORIGIN], 0), ret_snapshot);
    unlock();
    return rv;
}
