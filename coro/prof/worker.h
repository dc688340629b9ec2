/* coro/prof/worker.h - slots: who records where, across threads and processes.
 *
 * One shared mapping, made before the first fork, holds a slot per worker.  A
 * worker (thread or process) opens a free slot, is its only writer, and closes
 * it; the counts stay and the next worker in that slot adds to them, so totals
 * never fall.  The slots of a child that died are freed by its parent.
 *
 *   returns   0, or -errno
 *   context   any thread unless said otherwise; open, close and answer are
 *             about the calling thread */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "coro/base/attr.h"
#include "coro/prof/tree.h"

/* Make the segment, with recording on; once, before threads and forks.
 * Address space only: a slot costs memory as its tree grows.
 * -EALREADY: there is one; -ENOMEM. */
MUST_USE int prof_segment_create(unsigned slots);
/* Unmap it; every worker must have closed. */
void prof_segment_destroy(void);
bool prof_segment_exists(void);
/* Slots that were ever open; they come first. */
unsigned prof_slot_count(void);
/* Slot i; NULL while nobody has ever used it. */
struct prof_slot *prof_slot_at(unsigned i);
/* The process that has slot i open; 0: nobody. */
pid_t prof_slot_owner(unsigned i);

/* Record this thread; name is copied.  -ENOENT: no segment; -EAGAIN: every
 * slot is taken (counted: prof_workers_missed); the thread then runs
 * unrecorded, at the price of recording switched off. */
int prof_worker_open(const char *name);
/* Charge what is open, free the slot for the next worker. */
void prof_worker_close(void);
/* In the parent, after waitpid: free what the dead child had open. */
void prof_worker_died(pid_t pid);
uint64_t prof_workers_missed(void);

/* Start or stop recording in every worker; each notices at its next switch or
 * wait.  Counts stay. */
void prof_record(bool on);
/* Ticks since when recording is on; 0: it is stopped. */
uint64_t prof_recording_since(void);

/* All slots added up, as they run: for rates, not for tables. */
struct prof_totals {
    uint64_t calls; /* scopes that were entered */
    double run_ns;  /* of all run slices */
};
struct prof_totals prof_totals(void);

/* Charge this thread up to now and copy its tree for the reader that asked. */
void prof_worker_answer(uint64_t now);

/* One reader at a time, over all processes.  0, or -errno. */
MUST_USE int prof_readers_lock(void);
void prof_readers_unlock(void);

/* Copy n nodes cell by cell, from a tree that may be moving. */
void prof_nodes_copy(struct prof_node *to, const struct prof_node *from, uint32_t n);

/* First use of a slot: an empty tree. */
void prof_tree_init(struct prof_slot *slot);
