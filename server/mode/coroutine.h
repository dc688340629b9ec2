/* server/mode/coroutine.h - the parts of coroutine mode: coroutine.c, _worker.c, _conn.c.
 *
 *   context    a worker's fields are its own thread's, but for the atomic ones and
 *              what port_lock guards
 *   ownership  struct coroutine_mode and its workers are coroutine.c's */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "coro/base/list.h"
#include "coro/inspect.h"
#include "server/mode/mode.h"

struct coroutine_mode;

struct worker;

struct accepting {
    struct worker *worker;
    int fd;
    bool is_shared; /* the one listener of all workers */
    bool is_inherited;
    struct co_task *task;
};

struct worker {
    struct coroutine_mode *mode;
    unsigned index;
    pthread_t thread;
    bool has_thread;
    int slot; /* of metrics */
    struct accepting accepting[LISTEN_MAX];
    size_t accepting_count;
    struct co_task *gate; /* sleeps until the worker is told to stop */
    struct co_list idle;  /* struct conn, the longest idle first */
    size_t conn_count;
    unsigned next; /* whom the next connection of an unclonable listener goes to */
    bool is_cut;
    atomic_llong beat_sent_ns; /* 0: answered */
    struct co_counts told;     /* to the metrics already */
    pthread_mutex_t port_lock; /* who posts finds the port, or that the loop is ending */
    struct co_port *port;      /* NULL before and after */
};

struct coroutine_mode {
    struct mode_server *server;
    sem_t started;
    struct worker *workers;
    unsigned count;
    atomic_int start_rv;  /* the first failure of a worker to start */
    atomic_uint running;  /* workers whose thread has not ended */
    atomic_uint arriving; /* accepting tasks, and connections on their way to another worker */
    atomic_bool is_ending;
    int64_t next_beat_ns;
};

/* The thread; arg: its struct worker, with the listeners open. */
void *coroutine_worker_main(void *arg);
/* Run fn on the worker's loop, from any thread; -ESHUTDOWN when it has ended. */
MUST_USE int coroutine_post(struct worker *w, void (*fn)(void *arg), void *arg);

/* Serve a connection to its end; takes the descriptor over, on the worker's own thread. */
void coroutine_serve(struct worker *w, int fd);
/* Close what has been idle for long; serve it instead when a request is there. */
void coroutine_close_idle(struct worker *w);
