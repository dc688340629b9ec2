/* Any bytes as answers: how they are cut into reads changes nothing, and what is
 * wrong with them is always said.
 *
 * The input: a byte of flags (bit 0: the requests were HEAD), a byte for the
 * length of the pieces, then what the server sends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "loadgen/reply.h"

enum { MOST_BYTES = 16384, MOST_ANSWERS = 64 };

/* What was seen: the statuses of complete answers, and how it ended. */
struct seen {
    int statuses[MOST_ANSWERS];
    size_t n;
    enum lg_reply_turn last;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum lg_reply_turn feed(struct lg_reply *r, const char *bytes, size_t n, struct seen *seen)
{
    enum lg_reply_turn turn = LG_REPLY_MORE;
    do {
        size_t used = 0;
        turn = lg_reply_feed(r, bytes, n, &used);
        if (used > n || (turn == LG_REPLY_MORE && used != n))
            abort();
        if (turn == LG_REPLY_BAD && r->problem == NULL)
            abort();
        if (turn != LG_REPLY_DONE)
            return turn;
        if (r->status < 200 || r->status > 999)
            abort();
        if (seen->n < MOST_ANSWERS)
            seen->statuses[seen->n++] = r->status;
        if (!r->keep_alive || seen->n == MOST_ANSWERS)
            return LG_REPLY_DONE;
        bytes += used;
        n -= used;
    } while (n > 0);
    return LG_REPLY_MORE;
}

static void read_all(const char *bytes, size_t n, size_t piece, bool is_head, struct seen *seen)
{
    struct lg_reply r = {0};
    *seen = (struct seen){.last = LG_REPLY_MORE};
    lg_reply_init(&r, is_head);
    while (n > 0 && seen->last == LG_REPLY_MORE) {
        size_t now = piece < n ? piece : n;
        seen->last = feed(&r, bytes, now, seen);
        bytes += now;
        n -= now;
    }
    if (seen->last == LG_REPLY_MORE) /* the connection ends */
        (void)feed(&r, NULL, 0, seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole, pieces;
    if (size < 3 || size > MOST_BYTES)
        return 0;
    const char *bytes = (const char *)data + 2;
    read_all(bytes, size - 2, size, data[0] & 1, &whole);
    read_all(bytes, size - 2, (size_t)data[1] + 1, data[0] & 1, &pieces);
    if (whole.n != pieces.n || whole.last != pieces.last ||
        memcmp(whole.statuses, pieces.statuses, sizeof whole.statuses) != 0)
        abort();
    return 0;
}
