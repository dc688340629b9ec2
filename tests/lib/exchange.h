/* tests/lib/exchange.h - requests to a handler, through a session in memory.
 *
 *     struct http_app app = {.routes = routes, .route_count = ARRAY_LEN(routes)};
 *     struct pair_io p;
 *     exchange_get(&p, &app, "/livez", "text/plain");
 *     ck_assert_int_eq(exchange_status(&p), 200);
 *     pair_fini(&p); */
#pragma once

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair_io.h"
#include "server/http/limits.h"
#include "server/http/session.h"

/* The whole answer in p->out, NUL terminated; the client sends `step` bytes at a time
 * (0: all), then nothing more. */
static inline void exchange(struct pair_io *p, struct http_app *app, const char *request,
                            size_t len, size_t step)
{
    static struct http_limits limits;
    struct http_session s;
    limits = http_limits_default;
    atomic_store(&app->limits, &limits);
    pair_init(p, request, len);
    p->step = step;
    enum http_turn turn = http_session_init(&s, app, &p->io, NULL, 0);
    while (turn != HTTP_TURN_CLOSE && p->at < p->in_len)
        turn = http_session_turn(&s);
    http_session_fini(&s);
    (void)pair_out(p);
}

static inline void exchange_get(struct pair_io *p, struct http_app *app, const char *target,
                                const char *accept)
{
    static char request[512];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nAccept: %s\r\n\r\n",
                     target, accept);
    ck_assert_int_lt(n, (int)sizeof request);
    exchange(p, app, request, (size_t)n, 0);
}

static inline int exchange_status(const struct pair_io *p)
{
    int status = 0;
    ck_assert_msg(sscanf(p->out.data, "HTTP/1.1 %d ", &status) == 1, "%s", p->out.data);
    return status;
}

/* Behind the head; of a chunked answer: with the chunks' lengths. */
static inline const char *exchange_body(const struct pair_io *p)
{
    const char *head_end = strstr(p->out.data, "\r\n\r\n");
    ck_assert_ptr_nonnull(head_end);
    return head_end + 4;
}

/* The chunks of the answer's body, joined, NUL terminated (free it). */
static inline char *exchange_unchunked(const struct pair_io *p)
{
    const char *at = exchange_body(p);
    char *body = malloc(p->out.len), *to = body;
    for (;;) {
        char *end;
        size_t n = strtoul(at, &end, 16);
        ck_assert_msg(memcmp(end, "\r\n", 2) == 0, "%s", at);
        if (n == 0)
            break;
        memcpy(to, end + 2, n);
        to += n;
        at = end + 2 + n + 2;
    }
    *to = '\0';
    return body;
}
