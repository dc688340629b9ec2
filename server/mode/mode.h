/* server/mode/mode.h - the three ways to serve connections, and the life they share.
 *
 * A mode starts workers that accept from the listeners and serve sessions; it
 * knows how to stop them.  When to do so is decided once, for all of them, in
 * life.c: the main thread waits for signals and takes the modes through the
 * same states.
 *
 *   RUN     --TERM, INT-->  DELAY   readiness says no, everything is served
 *   DELAY   --drain_delay-> DRAIN   no new connections; what is queued or in
 *                                   flight is answered, with Connection: close;
 *                                   idle connections are closed
 *   DRAIN   --timeout-----> CUT     what is left is cancelled
 *   any     --2nd TERM----> CUT
 *   DRAIN, CUT --no worker left--> the end
 *
 *   context    mode_run: the main thread, once; the table's functions: called
 *              by life.c on the main thread
 *   returns    0, or -errno
 *   ownership  struct mode_server and all it points to is the caller's */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"
#include "coro/base/clock.h"
#include "server/config/config.h"
#include "server/http/route.h"
#include "server/mode/listen.h"

struct mode_server;

struct mode_ops {
    const char *name;
    bool has_processes; /* workers are processes: the main one stays without threads */
    MUST_USE int (*start)(struct mode_server *server);
    /* No handshakes any more; accept what is queued, then close the listeners.
     * Workers end when their last connection has. */
    void (*drain)(struct mode_server *server);
    /* Every MODE_TICK_NS, and at once after SIGCHLD: upkeep, in whatever state. */
    void (*tick)(struct mode_server *server);
    /* The configuration was loaded again, or the logs are to be opened again: tell the
     * workers that do not share this process's memory. */
    void (*relay)(struct mode_server *server, int signo);
    /* No worker hangs, as far as can be told. */
    bool (*is_healthy)(struct mode_server *server);
    /* The number of the reload that every worker has obeyed, or a later one; NULL: workers
     * share all that a reload changes. */
    unsigned (*oldest_reload)(struct mode_server *server);
    /* What each worker is doing (mode_list_workers); NULL: nothing to tell.  Any thread,
     * and any process of the family, as the next one. */
    int (*list_workers)(struct mode_server *server, struct buf *out, bool as_json);
    /* Connections that wait to be accepted. */
    int (*queue_len)(struct mode_server *server);
    /* Every worker has ended. */
    bool (*is_finished)(struct mode_server *server);
    /* Cancel what is left; is_finished follows soon. */
    void (*cut)(struct mode_server *server);
    /* Join and free; also after a start that failed. */
    void (*finish)(struct mode_server *server);
};

extern const struct mode_ops mode_coroutine;
extern const struct mode_ops mode_thread;
extern const struct mode_ops mode_prefork;

#define MODE_TICK_NS (100 * NS_PER_MS)
/* While draining, a connection that has been without a request for this long is
 * closed; one that still gets requests is told with an answer. */
#define MODE_DRAIN_IDLE_NS NS_PER_S

/* Handshakes that had begun when new ones were shut out may still complete for so
 * long: closing a listener sooner would reset whoever has just connected. */
#define MODE_SETTLE_NS (100 * NS_PER_MS)

/* What the composition root does when a signal asks for it; on the main thread. */
struct mode_hooks {
    void *arg;
    /* HUP: take a new configuration, or keep the old one when it is bad. */
    void (*reload)(void *arg);
    /* The same, in a prefork child, for what is not in shared memory; its thread. */
    void (*reload_child)(void *arg);
    /* USR1: close and open the logs again.  0 or -errno: the old ones are kept. */
    int (*reopen_logs)(void *arg);
};

struct mode_server {
    const struct mode_ops *ops;
    struct http_app *app;     /* in memory that children share: draining is seen by all */
    const struct config *cfg; /* may change at a reload: read on the main thread */
    struct listen_set listeners;
    struct mode_hooks hooks;
    void *state; /* the mode's own */
    int wake_fd; /* eventfd: a worker has news for the main thread */
    bool has_failed;
    int ended_by;     /* the first signal that told it to stop; 0: none did */
    unsigned reloads; /* so far; hooks.reload is called for the next one */
    unsigned workers; /* event loops, whatever cfg says; 0: what cfg says */
    int slot;         /* of metrics, leased for its only worker already; 0: it leases one */
    /* The administrators' own application and listeners, served by an event loop
     * beside the workers; NULL: none. */
    struct mode_server *admin;
    pid_t admin_pid; /* the process that serves it, where workers are processes; 0: none */
    int64_t admin_retry_ns;
    void (*on_tick)(void); /* on the main thread, every MODE_TICK_NS; NULL: none */
};

/* First thing in main: HUP, USR1 and QUIT are held until mode_run takes them, so that
 * whoever sends one too early does not end the server.  stops_too: TERM, INT and
 * CHLD likewise, for when there is something to clean up. */
void mode_hold_signals(bool stops_too);

/* Start, say so, serve until a signal ends it.  0, or -errno when it could not
 * start or a worker was lost. */
MUST_USE int mode_run(struct mode_server *server);

/* What each worker of the running server is doing: a table of text, or JSON objects with
 * commas between.  Any worker.  1: told, though there may be none just now; 0: nothing to
 * tell, workers are no processes; or -errno. */
MUST_USE int mode_list_workers(struct buf *out, bool as_json);

/* The number of the reload that every worker has obeyed. */
unsigned mode_oldest_reload(struct mode_server *server);

/* A worker ended, or died: the main thread looks at once. */
void mode_wake(struct mode_server *server);
/* A worker was lost that no mode can replace: the server ends with an error. */
void mode_fail(struct mode_server *server);
