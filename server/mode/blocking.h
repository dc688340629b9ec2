/* server/mode/blocking.h - one connection served by the thread that calls, for
 * the thread and the prefork mode.
 *
 *   ownership  struct blocking is the caller's memory; the descriptor is its own
 *              from blocking_serve until that returns, closed */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "server/http/session.h"
#include "server/io/io.h"

struct blocking;

/* Told when a connection becomes idle (bytes: NULL) or gets a request, with the first
 * bytes of it; on the serving thread.  It may also end while it is idle (len 0). */
typedef void blocking_idle_fn(struct blocking *b, const char *bytes, size_t len);

struct blocking {
    struct http_io io; /* counts the first byte of a turn, then passes on to block */
    struct io_block block;
    struct http_session session;
    atomic_int fd; /* -1: none */
    atomic_bool is_idle;
    atomic_bool has_asked; /* a first request, or part of it, has come */
    atomic_llong idle_since_ns;
    atomic_int given_up; /* enum http_close_reason, once blocking_give_up acted */
    blocking_idle_fn *on_idle;
};

void blocking_init(struct blocking *b, blocking_idle_fn *on_idle);

/* Serve fd to its end, then call on_closing (the caller takes b off its lists:
 * nobody else may touch it from there on), then close it.  cut: see io.h. */
void blocking_serve(struct blocking *b, struct http_app *app, int fd, const atomic_bool *cut,
                    void (*on_closing)(struct blocking *b));

/* A new connection may take so long for its first request before it counts as idle. */
#define BLOCKING_FIRST_NS NS_PER_S
/* When the connection is idle, and has been for idle_ns: end it, unless a
 * request is there already, which is then still answered.  From another thread
 * (while b is on the caller's list). */
void blocking_give_up(struct blocking *b, int64_t idle_ns, enum http_close_reason why);
/* The same from a signal handler of the serving thread, repeatedly: a signal that comes
 * just before the wait begins does not end it. */
void blocking_yield(struct blocking *b, int64_t idle_ns, enum http_close_reason why);
/* When it waits for its client in mid-request, and has for patience_ns: end that wait
 * like one that timed out.  From a signal handler of the serving thread, repeatedly. */
void blocking_hurry(struct blocking *b, int64_t patience_ns);
/* Cut it, whatever it does. */
void blocking_cut(struct blocking *b);
