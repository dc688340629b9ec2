/* client/wait.h - waiting for standard input and output without stopping a loop.
 *
 *   context  inside a task: parks it; outside: blocks the thread, also where the
 *            descriptor itself does not (somebody else who has it may have seen to that)
 *   returns  0, or -errno (-ECANCELED: the task was cancelled) */
#pragma once

#include <stdbool.h>

#include "coro/base/attr.h"

/* Pipes, sockets and terminals; files and devices are always ready. */
bool cl_wait_is_pollable(int fd);
MUST_USE int cl_wait_readable(int fd);
MUST_USE int cl_wait_writable(int fd);
