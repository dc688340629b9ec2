/* server/http/work.h - what a connection needs only while a turn runs: buffers,
 * the request, the answer.  Private to server/http.
 *
 * Borrowed from a pool of the thread and given back when the turn ends, so
 * that an idle connection holds none of it.
 *
 *   input   in[..at) is used up, in[at..end) waits; while a handler runs the
 *           request's head lies before `at` and must not move */
#pragma once

#include "coro/base/clock.h"
#include "server/http/body.h"
#include "server/http/session.h"
#include "server/http/strict.h"

enum {
    WORK_READ_BYTES = 16 * 1024,   /* read at once, beside what a head may need */
    WORK_FLUSH_BYTES = 64 * 1024,  /* gathered answers go out at this size */
    WORK_DIRECT_BYTES = 16 * 1024, /* from here on a body is written from where it lies */
    WORK_KEEP_BYTES = 64 * 1024,   /* a larger buffer is not kept in the pool */
    WORK_ID_BYTES = 64,            /* longest request id that is echoed */
};

struct http_response {
    int status;
    int error;         /* first failure of a call that returns nothing */
    const char *type;  /* Content-Type; NULL: none */
    const char *allow; /* Allow; NULL: none */
    struct buf body;
    struct buf fields; /* "Name: value\r\n"... */
    bool is_stream;
    bool is_chunked;
    bool is_bodiless;   /* HEAD, 204, 304: the head alone goes out */
    bool is_incomplete; /* a stream that must not look finished */
    uint64_t bytes_out;
};

struct http_receive {
    struct http_decoder decoder;
    uint64_t wire_bytes;
    int64_t patience_ns;   /* what is left of waiting for the client to send */
    bool is_continue_owed; /* the client waits for 100 Continue */
    int status;            /* the refusal a failed read calls for; 0: none */
    int error;             /* what body calls return from now on */
    const char *why;
};

struct http_work {
    struct http_work *next; /* in the pool */
    struct http_session *session;
    struct http_app *app;
    struct http_io *io;
    const struct http_limits *limits; /* of this turn */
    struct http_head head;
    struct http_request req;
    struct http_response res;
    struct http_receive body;
    const struct http_route *route;
    struct buf out;           /* answers on their way */
    int64_t head_deadline_ns; /* of the request being received; 0: not begun */
    uint64_t start_ticks;     /* prof_ticks() when its head was there */
    int64_t now_ns;           /* the io clock when the last read returned */
    int64_t queued_ns;        /* how long its bytes had lain in the kernel; -1: not asked yet */
    bool is_in_flight;        /* counted in app->in_flight */
    bool has_place;           /* one of app->places */
    bool is_closing;          /* after what is in `out` */
    bool is_lingering;        /* and bytes of the client may still come */
    uint8_t reason;           /* enum http_close_reason, with is_closing */
    int error;                /* of a failed write */
    char id[WORK_ID_BYTES];
    size_t head_at; /* where the head of this request begins in `in` */
    size_t at, end, cap;
    char *in;
    size_t field_cap;
    struct http_field fields[]; /* field_cap of them, then the input buffer */
};

/* NULL: no memory. */
struct http_work *http_work_borrow(const struct http_limits *limits);
void http_work_return(struct http_work *w);

/* Write these, at most WORK_FLUSH_BYTES together; they are used up.  0 or -errno (also
 * kept in w->error: then nothing more is written). */
MUST_USE int http_work_write(struct http_work *w, struct iovec *iov, int count);
/* Write out what has gathered.  0 or -errno. */
int http_work_flush(struct http_work *w);
/* The same of the last answers of a connection, and the end of its stream with them, in
 * one packet where that is possible. */
void http_work_finish(struct http_work *w);
/* Close after this answer; of several reasons the first fault stands, else the first. */
void http_work_close(struct http_work *w, enum http_close_reason why, bool linger);
/* The same when others wait for its worker, it has had its slice of time, and nothing more
 * has come. */
void http_work_yield(struct http_work *w);

/* Is its route for administrators alone? */
static inline bool http_work_is_admin(const struct http_work *w)
{
    return w->route != NULL && (w->route->flags & HTTP_ROUTE_ADMIN) != 0;
}

/* ---- overload.c ---- */
/* May the handler run?  false: the answer says why not. */
bool http_overload_enter(struct http_work *w);
void http_overload_leave(struct http_work *w);
/* The handler computes no more, or is about to wait. */
void http_overload_give_place(struct http_work *w);
void http_overload_refuse(struct http_work *w, enum http_refusal why);

/* ---- admit.c ---- */
enum http_session_state {
    HTTP_SESSION_PLAIN,
    HTTP_SESSION_PROXY,   /* a PROXY header must come first */
    HTTP_SESSION_FULL,    /* to be refused with 503 ... */
    HTTP_SESSION_CROWDED, /* ... and with 429 */
};
enum http_turn http_admit_open(struct http_session *s, const struct http_limits *limits,
                               int64_t now_ns);
void http_admit_close(struct http_session *s);
/* Take the PROXY header off the input; the state stays when it is not complete. */
void http_admit_proxy_header(struct http_work *w);
/* req.client, by what trusted proxies say. */
void http_admit_name_client(struct http_work *w);
/* false: the client makes too many requests. */
bool http_admit_request(struct http_work *w);

/* ---- respond.c ---- */
void http_respond_begin(struct http_work *w);
/* Compress a buffered report when the client asks for it (gzip.c). */
void http_respond_gzip(struct http_work *w);
/* Put the answer (or the end of the stream) into `out`. */
void http_respond_end(struct http_work *w);
/* Write a stream's gathered bytes out.  0 or -errno. */
int http_respond_push(struct http_work *w);

/* ---- receive.c ---- */
void http_receive_begin(struct http_work *w, bool is_chunked, int64_t content_length);
/* Would the rest of the body be too much to read only to throw it away? */
bool http_receive_is_hopeless(const struct http_work *w);
/* Read the rest of the body and drop it.  0 or -errno. */
int http_receive_discard(struct http_work *w);

/* ---- stamp.c ---- */
/* The Date line of this second and, with a name, the Server line, cached per thread;
 * now_ns is monotonic.  Borrowed until the next call. */
struct http_str http_stamp(int64_t now_ns, const char *server_name);
/* Nanoseconds per prof_ticks() tick, as known when the date was last made. */
double http_tick_ns(void);
/* A fresh request id into text: its length. */
#define HTTP_ID_BYTES 16
void http_make_id(char text[HTTP_ID_BYTES]);
