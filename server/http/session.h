/* server/http/session.h - one connection, served turn by turn.
 *
 * A turn reads, answers every request that is complete, writes all answers at
 * once, and goes on until the connection has nothing half-received: then it is
 * idle and costs only this struct (buffers are borrowed from a pool of the
 * thread during a turn).  The mode decides how to wait for the next one:
 *
 *     turn = http_session_init(&s, app, io, addr, len);
 *     for (;;) {
 *         if (turn == HTTP_TURN_IDLE)
 *             wait until readable or http_session_deadline(&s)   (or do not wait:
 *             a blocking io waits inside the turn as well)
 *         turn = http_session_turn(&s);
 *         if (turn == HTTP_TURN_CLOSE)
 *             break;
 *     }
 *     http_session_fini(&s), close the descriptor
 *
 *   context    one task or thread at a time; a turn may park or block
 *   ownership  app and io are borrowed for the session's life */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "server/http/http_io.h"
#include "server/http/route.h"

enum http_turn {
    HTTP_TURN_IDLE,  /* wait for readability until http_session_deadline, then call again */
    HTTP_TURN_NOW,   /* call http_session_turn without waiting */
    HTTP_TURN_CLOSE, /* the connection is finished: http_session_fini, close */
};

struct http_session {
    struct http_app *app;
    struct http_io *io;
    int64_t deadline_ns;        /* of the next first byte */
    int64_t opened_ns;          /* when http_session_init was called */
    uint32_t served;            /* requests answered on this connection */
    uint8_t reason;             /* enum http_close_reason */
    uint8_t state;              /* session.c */
    bool is_cut_off;            /* its last answer ends with it (HTTP/1.0), and is not whole */
    uint32_t cell;              /* of throttle.h; 0: none */
    struct http_address peer;   /* of the socket */
    struct http_address client; /* as the PROXY header says, else the peer */
};

/* addr NULL: unknown (a UNIX socket).  HTTP_TURN_NOW: too many connections; the
 * turn that follows refuses and closes. */
enum http_turn http_session_init(struct http_session *s, struct http_app *app, struct http_io *io,
                                 const struct sockaddr *addr, socklen_t len);
enum http_turn http_session_turn(struct http_session *s);
/* Nothing came in time, or the connection is given up while idle: note why. */
void http_session_end(struct http_session *s, enum http_close_reason why);
/* Tells hooks.on_close; the descriptor stays open for the mode to close. */
void http_session_fini(struct http_session *s);

static inline int64_t http_session_deadline(const struct http_session *s)
{
    return s->deadline_ns;
}
static inline enum http_close_reason http_session_reason(const struct http_session *s)
{
    return (enum http_close_reason)s->reason;
}
/* Is the connection to end in a reset, where it can (TCP)?  The peer does not take what is left, or
 * would take the end for that of a whole answer. */
static inline bool http_session_is_reset(const struct http_session *s)
{
    return s->reason == HTTP_CLOSE_WRITE_TIMEOUT || s->is_cut_off;
}
