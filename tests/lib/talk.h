/* tests/lib/talk.h - one conversation with a session over memory, for tests of what
 * stands behind it: `app` (of test_app.h) and `limits` are the test's to change. */
#pragma once

#include <netinet/in.h>

#include "pair_io.h"
#include "test_app.h"

static struct http_app app;
static struct http_limits limits;

/* Serve what p brings, from 127.0.0.1, to the end of the connection, or until it is idle
 * and p has no more (at_end -EAGAIN).  True: the server closed. */
static inline bool talk_serve(struct pair_io *p)
{
    static const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {0x0100007F}};
    struct http_session s;
    enum http_turn turn =
        http_session_init(&s, &app, &p->io, (const struct sockaddr *)&from, sizeof from);
    while (turn != HTTP_TURN_CLOSE &&
           !(turn == HTTP_TURN_IDLE && p->at == p->in_len && p->at_end == -EAGAIN))
        turn = http_session_turn(&s);
    http_session_fini(&s);
    return turn == HTTP_TURN_CLOSE;
}

/* All that is answered to n bytes (pair_fini when done with it). */
static inline const char *talk_bytes(struct pair_io *p, const char *in, size_t n, size_t step)
{
    pair_init(p, in, n);
    p->step = step;
    p->at_end = -EAGAIN;
    talk_serve(p);
    return pair_out(p);
}

static inline const char *talk(struct pair_io *p, const char *in)
{
    return talk_bytes(p, in, strlen(in), 0);
}

/* The answer's text holds it, or the test fails and shows the answer. */
static inline void ck_says(const char *out, const char *part)
{
    ck_assert_msg(strstr(out, part) != NULL, "no \"%s\" in:\n%s", part, out);
}
static inline void ck_says_not(const char *out, const char *part)
{
    ck_assert_msg(strstr(out, part) == NULL, "\"%s\" in:\n%s", part, out);
}
