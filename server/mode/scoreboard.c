/* server/mode/scoreboard.c - the scoreboard as metrics and as a list. */
#include "server/mode/scoreboard.h"

#include <inttypes.h>
#include <string.h>

#include "coro/base/clock.h"
#include "coro/base/json.h"

static const char *const words[SCORE_STATE_COUNT] = {
#define SCORE_STATE(NAME, word, what) word,
#include "server/mode/score_state.def"
#undef SCORE_STATE
};

void score_note_request(struct score *score, const char *bytes, size_t len)
{
    size_t n = 0;
    while (n < len && n < sizeof score->request - 1 && bytes[n] >= ' ' && bytes[n] < 0x7f)
        n++;
    memcpy(score->request, bytes, n);
    score->request[n] = '\0';
}

static int64_t age_of(const struct score *score, int64_t now_ns)
{
    return now_ns - atomic_load_explicit(&score->since_ns, memory_order_relaxed);
}

void scoreboard_export(void *arg, struct metrics_report *report)
{
    const struct scoreboard *board = arg;
    unsigned counts[SCORE_STATE_COUNT] = {0};
    int64_t now_ns = clock_now_ns(), longest_ns = 0;
    for (unsigned i = 0; i < board->count; i++) {
        const struct score *score = &board->scores[i];
        int state = atomic_load_explicit(&score->state, memory_order_relaxed);
        int64_t age_ns = age_of(score, now_ns);
        if (state >= 0 && state < SCORE_STATE_COUNT)
            counts[state]++;
        if (state == SCORE_SERVING && age_ns > longest_ns)
            longest_ns = age_ns;
    }
    metrics_head(report, METRICS_IS_GAUGE, "children", "Prefork children by what they do.");
    for (unsigned i = 0; i < SCORE_STATE_COUNT; i++)
        metrics_line(report, "domaind_children{state=\"%s\"} %u\n", words[i], counts[i]);
    metrics_head(report, METRICS_IS_GAUGE, "child_longest_seconds",
                 "For how long the child that is longest at its request has been.");
    metrics_line(report, "domaind_child_longest_seconds %.6f\n",
                 (double)longest_ns / (double)NS_PER_S);
}

/* One child as it was a moment ago: it goes on while this is read. */
static int append_child(struct buf *out, unsigned index, const struct score *score, int state,
                        int pid, bool as_json)
{
    char request[SCORE_REQUEST_BYTES];
    memcpy(request, score->request, sizeof request);
    request[sizeof request - 1] = '\0';
    double age_s = (double)age_of(score, clock_now_ns()) / (double)NS_PER_S;
    unsigned long long connections = atomic_load(&score->connections);
    unsigned long long turns = atomic_load(&score->turns);
    if (!as_json)
        return buf_printf(out, "%5u %8d  %-9s %9.3f %12llu %10llu  %s\n", index, pid, words[state],
                          age_s, connections, turns, request);
    int rv = buf_printf(out,
                        "{\"child\":%u,\"pid\":%d,\"state\":\"%s\",\"age_s\":%.6f,"
                        "\"connections\":%llu,\"turns\":%llu,\"request\":",
                        index, pid, words[state], age_s, connections, turns);
    if (rv == 0)
        rv = json_append_string(out, request, strlen(request));
    return rv < 0 ? rv : buf_append_char(out, '}');
}

int scoreboard_list(const struct scoreboard *board, struct buf *out, bool as_json)
{
    int rv = as_json ? 0
                     : buf_append_str(out, "child      pid  state         age s  connections"
                                           "      turns  request\n");
    bool is_first = true;
    for (unsigned i = 0; i < board->count && rv == 0; i++) {
        const struct score *score = &board->scores[i];
        int state = atomic_load_explicit(&score->state, memory_order_relaxed);
        int pid = atomic_load(&score->pid); /* once: it may be buried while we look */
        if (state <= SCORE_FREE || state >= SCORE_STATE_COUNT || pid == 0)
            continue; /* nobody, or not quite yet */
        if (as_json && !is_first)
            rv = buf_append_char(out, ',');
        if (rv == 0)
            rv = append_child(out, i, score, state, pid, as_json);
        is_first = false;
    }
    return rv;
}
