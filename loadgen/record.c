#include "loadgen/record.h"

#include <errno.h>
#include <string.h>

#include "coro/base/clock.h"

const char *const lg_outcome_word[LG_OUTCOMES] = {
#define LG_OUTCOME(name, word, text) [LG_##name] = (word),
#include "loadgen/outcome.def"
#undef LG_OUTCOME
};
const char *const lg_outcome_text[LG_OUTCOMES] = {
#define LG_OUTCOME(name, word, text) [LG_##name] = (text),
#include "loadgen/outcome.def"
#undef LG_OUTCOME
};

int lg_record_init(struct lg_record *r, int64_t start_ns)
{
    *r = (struct lg_record){.start_ns = start_ns,
                            .tick_ns = LG_TICK_FIRST_NS,
                            .window_start_ns = start_ns,
                            .window_end_ns = CLOCK_NEVER};
    struct hist *all[] = {&r->latency, &r->raw, &r->errors, &r->lag};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (hist_init(all[i], HIST_FINE) < 0) {
            lg_record_fini(r);
            return -ENOMEM;
        }
    return 0;
}

void lg_record_fini(struct lg_record *r)
{
    hist_fini(&r->latency);
    hist_fini(&r->raw);
    hist_fini(&r->errors);
    hist_fini(&r->lag);
    for (unsigned i = 0; i < LG_TICKS; i++)
        hist_fini(&r->ticks[i].latency);
    r->n_ticks = 0;
}

static int merge_tick(struct lg_tick *into, const struct lg_tick *from)
{
    into->ok += from->ok;
    into->failed += from->failed;
    if (from->latency.counts == NULL)
        return 0;
    if (into->latency.counts == NULL && hist_init(&into->latency, HIST_COARSE) < 0)
        return -ENOMEM;
    hist_merge(&into->latency, &from->latency);
    return 0;
}

/* Tick i takes what 2i and 2i+1 hold.  Where memory is short a curve point is lost, no count. */
static void double_tick(struct lg_record *r)
{
    for (unsigned i = 0; i < LG_TICKS; i++) {
        struct lg_tick tick = {0};
        for (unsigned from = 2 * i; from < 2 * i + 2 && from < LG_TICKS; from++) {
            if (merge_tick(&tick, &r->ticks[from]) < 0)
                tick.latency.counts = NULL;
            hist_fini(&r->ticks[from].latency);
            r->ticks[from] = (struct lg_tick){0};
        }
        r->ticks[i] = tick;
    }
    r->n_ticks = (r->n_ticks + 1) / 2;
    r->tick_ns *= 2;
}

static struct lg_tick *tick_at(struct lg_record *r, int64_t at_ns)
{
    int64_t since = at_ns < r->start_ns ? 0 : at_ns - r->start_ns;
    while (since / r->tick_ns >= LG_TICKS)
        double_tick(r);
    unsigned i = (unsigned)(since / r->tick_ns);
    if (i >= r->n_ticks)
        r->n_ticks = i + 1;
    return &r->ticks[i];
}

void lg_record_end(struct lg_record *r, enum lg_outcome outcome, int64_t due_ns, int64_t sent_ns,
                   int64_t end_ns)
{
    struct lg_tick *tick = tick_at(r, end_ns);
    int64_t latency_ns = end_ns - due_ns;
    r->outcomes[outcome]++;
    if (end_ns > r->last_ns)
        r->last_ns = end_ns;
    if (outcome <= LG_STATUS && end_ns >= r->window_start_ns && end_ns < r->window_end_ns)
        r->answered++;
    if (LIKELY(outcome == LG_OK)) {
        tick->ok++;
        if (LIKELY(tick->latency.counts != NULL) || hist_init(&tick->latency, HIST_COARSE) == 0)
            hist_record(&tick->latency, latency_ns);
    } else {
        tick->failed++;
    }
    if (outcome == LG_STATUS) {
        hist_record(&r->errors, latency_ns);
    } else if (outcome == LG_OK || outcome == LG_TIMEOUT || outcome == LG_CONNECT_TIMEOUT ||
               outcome == LG_UNFINISHED) {
        hist_record(&r->latency, latency_ns);
        hist_record(&r->raw, end_ns - (sent_ns != 0 ? sent_ns : due_ns));
    }
}

void lg_record_unsent(struct lg_record *r, int64_t due_ns, int64_t end_ns)
{
    r->unsent++;
    hist_record(&r->latency, end_ns - due_ns);
}

int lg_record_merge(struct lg_record *into, const struct lg_record *from)
{
    into->sent += from->sent;
    into->unsent += from->unsent;
    into->answered += from->answered;
    if (from->last_ns > into->last_ns)
        into->last_ns = from->last_ns;
    for (int i = 0; i < LG_OUTCOMES; i++) {
        into->outcomes[i] += from->outcomes[i];
        if (into->first_why[i] == NULL)
            into->first_why[i] = from->first_why[i];
    }
    for (size_t i = 0; i < ARRAY_LEN(into->statuses); i++)
        into->statuses[i] += from->statuses[i];
    into->connects += from->connects;
    into->read_bytes += from->read_bytes;
    into->written_bytes += from->written_bytes;
    hist_merge(&into->latency, &from->latency);
    hist_merge(&into->raw, &from->raw);
    hist_merge(&into->errors, &from->errors);
    hist_merge(&into->lag, &from->lag);
    int rv = 0;
    for (unsigned i = 0; i < from->n_ticks && rv == 0; i++)
        rv =
            merge_tick(tick_at(into, from->start_ns + (int64_t)i * from->tick_ns), &from->ticks[i]);
    return rv;
}

void lg_countable(const struct lg_record *r, uint64_t *least, uint64_t *most)
{
    *least += r->outcomes[LG_OK] + r->outcomes[LG_STATUS];
    *most +=
        r->sent - r->outcomes[LG_CONNECT] - r->outcomes[LG_CONNECT_TIMEOUT] - r->outcomes[LG_LOCAL];
}

uint64_t lg_record_failed(const struct lg_record *r)
{
    uint64_t failed = 0;
    for (int i = 0; i < LG_OUTCOMES; i++)
        failed += i == LG_OK ? 0 : r->outcomes[i];
    return failed;
}

bool lg_record_latency(const struct lg_record *r, double percent, double *ret_ns)
{
    double known = (double)r->latency.total;
    double due = (double)(r->sent + r->unsent);
    double of_known = known > 0 ? percent * due / known : 100;
    bool is_proven = due * (100 - percent) / 100 >= HIST_MIN_BEYOND - 1e-6;
    if (!is_proven || of_known >= 100)
        return false;
    *ret_ns = (double)hist_percentile_ns(&r->latency, of_known);
    return true;
}

bool lg_record_is_true(const struct lg_record *r)
{
    return r->sent == r->outcomes[LG_OK] + lg_record_failed(r);
}
