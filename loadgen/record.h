/* loadgen/record.h - what a run has seen: counts, latencies, the course of time.
 *
 * Every worker thread writes its own record and nobody else's; they are merged
 * when the threads have ended.  Percentiles come from merged histograms only.
 *
 * The invariant (lg_record_is_true): sent = the sum of all outcomes.
 *
 *   context    any; one writer at a time
 *   returns    0, or -ENOMEM
 *   ownership  a record owns its histograms; lg_record_fini frees them */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coro/base/hist.h"

enum lg_outcome {
#define LG_OUTCOME(name, word, text) LG_##name,
#include "loadgen/outcome.def"
#undef LG_OUTCOME
    LG_OUTCOMES
};
extern const char *const lg_outcome_word[LG_OUTCOMES];
extern const char *const lg_outcome_text[LG_OUTCOMES];

/* The course of a run in at most LG_TICKS steps; when they are used up, pairs
 * are merged and the step doubles. */
#define LG_TICKS         600
#define LG_TICK_FIRST_NS (100 * NS_PER_MS)
struct lg_tick {
    uint64_t ok;
    uint64_t failed;
    struct hist latency; /* HIST_COARSE; counts NULL until the first answer */
};

struct lg_record {
    uint64_t sent;   /* requests begun, also those whose connection could not be opened */
    uint64_t unsent; /* open loop: due, but no connection was free until the end */
    uint64_t outcomes[LG_OUTCOMES];
    const char *first_why[LG_OUTCOMES]; /* the first such failure's reason; NULL: none known */
    uint64_t answered;                  /* answers whose last byte came within the window */
    int64_t window_start_ns;            /* what throughput is counted in; set by the owner, */
    int64_t window_end_ns;              /* CLOCK_NEVER: no end */
    int64_t last_ns;                    /* end of the last request */
    uint64_t statuses[600];             /* answers by status code */
    uint64_t connects;                  /* connections opened */
    uint64_t read_bytes;
    uint64_t written_bytes;
    /* From the instant a request was due (open loop) or begun (closed loop) to
     * its last byte.  Timeouts, unfinished and unsent requests are in it with
     * the time they had waited; answers of 400 and above are not. */
    struct hist latency;
    struct hist raw;    /* the same from the moment of sending */
    struct hist errors; /* latency of the answers of 400 and above */
    struct hist lag;    /* open loop: how late a waiting connection sent */
    int64_t start_ns;   /* of tick 0 */
    int64_t tick_ns;    /* length of a tick */
    unsigned n_ticks;   /* ticks begun */
    struct lg_tick ticks[LG_TICKS];
};

MUST_USE int lg_record_init(struct lg_record *r, int64_t start_ns);
void lg_record_fini(struct lg_record *r);

/* One request, already counted in sent, has ended: due (or begun), sent (0: it
 * never was) and ended at these instants.  OK and STATUS come with a status. */
void lg_record_end(struct lg_record *r, enum lg_outcome outcome, int64_t due_ns, int64_t sent_ns,
                   int64_t end_ns);
/* A request was due and never sent. */
void lg_record_unsent(struct lg_record *r, int64_t due_ns, int64_t end_ns);

MUST_USE int lg_record_merge(struct lg_record *into, const struct lg_record *from);

/* Add to the bounds of what the server's own counter may show: answers surely
 * were counted, requests that reached a connection may have been. */
void lg_countable(const struct lg_record *r, uint64_t *least, uint64_t *most);

/* The latency that `percent` of all requests that were due did not exceed, where
 * one that was refused or broken off counts as never answered: who refuses half
 * of them has no p99.  false: no such latency, or too few requests to know. */
bool lg_record_latency(const struct lg_record *r, double percent, double *ret_ns);

uint64_t lg_record_failed(const struct lg_record *r); /* sent, and not OK */
bool lg_record_is_true(const struct lg_record *r);
