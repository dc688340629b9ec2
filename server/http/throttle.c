#include "server/http/throttle.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "coro/base/clock.h"

#define CELLS  65536 /* a power of two; cell 0 is nobody's */
#define PROBES 8

/* `key` names the address by 64 bits of hash: two addresses that share them, one
 * pair in 2^64, share their limits.  It is replaced when the cell is idle. */
struct cell {
    _Atomic uint64_t key;
    _Atomic uint32_t connections;
    _Atomic uint32_t requests;
    _Atomic uint32_t second; /* that `requests` counts in */
};

struct http_throttle {
    _Atomic int64_t connections;
    struct cell cells[CELLS];
};

struct http_throttle *http_throttle_new(void)
{
    void *memory = mmap(NULL, sizeof(struct http_throttle), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void http_throttle_free(struct http_throttle *throttle)
{
    if (throttle != NULL)
        munmap(throttle, sizeof *throttle);
}

/* ---- what a worker holds ----
 *
 * Noted after it is counted and struck before it is uncounted: a worker killed
 * between the two leaves one count too many, never one too few, which would let
 * counts below zero lock everybody out. */

static __thread struct http_held *held_here;

void http_throttle_note_in(struct http_held *held)
{
    held_here = held;
}

void http_throttle_give_back(struct http_throttle *throttle, struct http_held *held)
{
    atomic_fetch_sub(&throttle->connections, atomic_exchange(&held->connections, 0));
    http_throttle_leave(throttle, atomic_exchange(&held->cell, 0));
}

/* ---- connections ---- */

bool http_throttle_open(struct http_throttle *throttle, const struct http_limits *limits)
{
    int64_t before = atomic_fetch_add(&throttle->connections, 1);
    if (held_here != NULL)
        atomic_store(&held_here->connections, 1);
    if (limits->connections_max == 0 || before < limits->connections_max)
        return true;
    http_throttle_close(throttle);
    return false;
}

void http_throttle_close(struct http_throttle *throttle)
{
    if (held_here != NULL)
        atomic_store(&held_here->connections, 0);
    atomic_fetch_sub(&throttle->connections, 1);
}

/* IPv6 clients have a /64 each: its addresses are one client. */
static uint64_t key_of(const struct http_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    uint64_t high, low;
    memcpy(&high, address->ip, 8);
    memcpy(&low, address->ip + 8, 8);
    if (memcmp(address->ip, mapped, sizeof mapped) != 0)
        low = 0;
    uint64_t z = (high * 0x9E3779B97F4A7C15u) ^ low;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) | 1; /* 0 is a free cell */
}

/* The cell of the address, taken over when it had none; 0: all of its are busy. */
static uint32_t cell_of(struct http_throttle *throttle, const struct http_address *address,
                        uint32_t second)
{
    uint64_t key = key_of(address);
    for (uint32_t i = 0; i < PROBES; i++) {
        uint32_t at = (uint32_t)((key >> 1) + i) % CELLS;
        if (at != 0 && atomic_load(&throttle->cells[at].key) == key)
            return at;
    }
    for (uint32_t i = 0; i < PROBES; i++) {
        uint32_t at = (uint32_t)((key >> 1) + i) % CELLS;
        struct cell *cell = &throttle->cells[at];
        /* in this order: what another worker takes for the address meanwhile is seen as its */
        bool is_in_use = atomic_load(&cell->connections) > 0;
        uint64_t other = atomic_load(&cell->key);
        if (at != 0 && other == key)
            return at;
        if (at == 0 || is_in_use || (other != 0 && atomic_load(&cell->second) == second))
            continue;
        if (atomic_compare_exchange_strong(&cell->key, &other, key)) {
            atomic_store(&cell->requests, 0);
            return at;
        }
        if (other == key)
            return at;
    }
    return 0;
}

bool http_throttle_enter(struct http_throttle *throttle, const struct http_limits *limits,
                         const struct http_address *address, int64_t now_ns, uint32_t *ret_cell)
{
    *ret_cell = 0;
    if (limits->connections_per_address == 0)
        return true;
    uint32_t at = cell_of(throttle, address, (uint32_t)(now_ns / NS_PER_S));
    if (at == 0)
        return true;
    uint32_t before = atomic_fetch_add(&throttle->cells[at].connections, 1);
    if (held_here != NULL)
        atomic_store(&held_here->cell, at);
    if (before < limits->connections_per_address) {
        *ret_cell = at;
        return true;
    }
    http_throttle_leave(throttle, at);
    return false;
}

void http_throttle_leave(struct http_throttle *throttle, uint32_t cell)
{
    if (held_here != NULL)
        atomic_store(&held_here->cell, 0);
    if (cell != 0)
        atomic_fetch_sub(&throttle->cells[cell].connections, 1);
}

bool http_throttle_request(struct http_throttle *throttle, const struct http_limits *limits,
                           const struct http_address *address, int64_t now_ns)
{
    if (limits->requests_per_address_per_s == 0)
        return true;
    uint32_t second = (uint32_t)(now_ns / NS_PER_S);
    uint32_t at = cell_of(throttle, address, second);
    if (at == 0)
        return true;
    struct cell *cell = &throttle->cells[at];
    uint32_t last = atomic_load(&cell->second);
    if (last != second && atomic_compare_exchange_strong(&cell->second, &last, second))
        atomic_store(&cell->requests, 0);
    return atomic_fetch_add(&cell->requests, 1) < limits->requests_per_address_per_s;
}
