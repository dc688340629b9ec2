/* loadgen/server.h - a domaind that belongs to us: started, waited for, ended.
 *
 * Happy path: fork, exec with --listen=127.0.0.1:0, read its address and the
 * ready line from its stderr, later TERM and wait.  Nothing is left running
 * whatever happens: the server is a process group of its own, which is killed
 * as a whole before its leader is reaped, and it gets TERM when this process
 * dies (so lg_server_start must be called from the main thread, which lives as
 * long as the process).
 *
 *   context    main thread; blocks
 *   returns    0, or -errno with the reason, which quotes the server's own words
 *   ownership  the caller's memory; lg_server_stop always releases */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "coro/base/attr.h"
#include "loadgen/why.h"

struct lg_server {
    pid_t pid; /* 0: not running */
    int log_fd;
    char address[64]; /* "127.0.0.1:43567" */
    int64_t switches; /* context switches in its whole life; set by lg_server_stop */
};

/* argv is NULL-terminated, argv[0] the program's path; core: pin it there (-1: no).
 * *stop (may be NULL) set meanwhile: -EINTR. */
MUST_USE int lg_server_start(struct lg_server *s, const char *const *argv, int core,
                             const bool *stop, struct lg_why *why);
/* End it: TERM, then KILL after a while.  Harmless when it never started. */
void lg_server_stop(struct lg_server *s);

/* The program's path beside our own executable.  0 or -errno. */
MUST_USE int lg_server_beside(const char *name, char *ret_path, size_t bytes);
