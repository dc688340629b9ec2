/* server/mode/scoreboard.c - the scoreboard as metrics. */
#include "server/mode/scoreboard.h"

#include "coro/base/clock.h"

static const char *const words[SCORE_STATE_COUNT] = {
#define SCORE_STATE(NAME, word, what) word,
#include "server/mode/score_state.def"
#undef SCORE_STATE
};

int scoreboard_export(void *arg, struct buf *out)
{
    const struct scoreboard *board = arg;
    unsigned counts[SCORE_STATE_COUNT] = {0};
    int64_t now_ns = clock_now_ns(), longest_ns = 0;
    for (unsigned i = 0; i < board->count; i++) {
        const struct score *score = &board->scores[i];
        int state = atomic_load_explicit(&score->state, memory_order_relaxed);
        int64_t age_ns = now_ns - atomic_load_explicit(&score->since_ns, memory_order_relaxed);
        if (state >= 0 && state < SCORE_STATE_COUNT)
            counts[state]++;
        if (state == SCORE_SERVING && age_ns > longest_ns)
            longest_ns = age_ns;
    }
    int rv = buf_append_str(out, "# HELP domaind_children Prefork children by what they do.\n"
                                 "# TYPE domaind_children gauge\n");
    for (unsigned i = 0; i < SCORE_STATE_COUNT && rv == 0; i++)
        rv = buf_printf(out, "domaind_children{state=\"%s\"} %u\n", words[i], counts[i]);
    if (rv == 0)
        rv = buf_printf(out,
                        "# HELP domaind_child_longest_seconds For how long the child that is "
                        "longest at its request has been.\n"
                        "# TYPE domaind_child_longest_seconds gauge\n"
                        "domaind_child_longest_seconds %.6f\n",
                        (double)longest_ns / (double)NS_PER_S);
    return rv;
}
