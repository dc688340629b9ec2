/* server/mode/prefork.h - the parts of prefork mode: prefork.c, _child.c, _upkeep.c.
 *
 *   context    prefork_child_main: the child, just forked; the others: the master's
 *              main thread
 *   ownership  struct prefork_mode is prefork.c's; children have a copy of it, and
 *              share the scoreboard */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/mode/mode.h"
#include "server/mode/scoreboard.h"

struct prefork_mode {
    struct mode_server *server;
    struct scoreboard *board; /* shared */
    size_t board_bytes;
    int *slots; /* of metrics, for each line */
    int ahead;  /* of the children's share of the CPU: cpu_share_ahead() */
    unsigned burst;
    int64_t next_spawn_ns;  /* back-off after short lives */
    int64_t next_reduce_ns; /* when the next surplus child may be ended */
    int64_t backoff_ns;
    bool is_draining;
    int64_t settled_ns; /* while draining: when no handshake completes any more */
    bool is_cut;
    bool is_listening;
};

struct census {
    unsigned alive;
    unsigned idle; /* or about to be */
};

/* Serve as child `index` until told to leave, or the master is gone. */
NORETURN void prefork_child_main(struct prefork_mode *m, unsigned index, pid_t master);

/* Bury every child that has ended. */
void prefork_reap(struct prefork_mode *m);
struct census prefork_census(const struct prefork_mode *m);
/* Start up to `want` children, as back-off and room allow. */
void prefork_start_some(struct prefork_mode *m, unsigned want);
/* Keep min_spare to max_spare children idle. */
void prefork_keep_spares(struct prefork_mode *m, struct census census);
/* Make room when every child is taken and connections wait. */
void prefork_relieve_queue(struct prefork_mode *m, struct census census);
/* SIGUSR2 to at most `count` children that have been in the state for so long; how many. */
unsigned prefork_prod(struct prefork_mode *m, enum score_state state, int64_t since_ns,
                      unsigned count);
/* The same to those whose connection is idle, longer when it has never asked. */
void prefork_prod_idle(struct prefork_mode *m, int64_t idle_ns, unsigned count);
void prefork_signal_all(const struct prefork_mode *m, int signo);
/* Connections that wait for a child of ours. */
int prefork_queued(const struct prefork_mode *m);
