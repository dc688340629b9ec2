/* coro/base/log.h - one line per event on stderr: "program: message".
 *
 * Thread-safe: a line is one write(2).  The programs log; library code returns
 * an error and logs at LOG_DEBUG at most. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coro/base/attr.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* The name before the colon (borrowed for good) and the most talkative level printed.
 * Before the first call: "domaind" and LOG_INFO. */
void log_init(const char *program, enum log_level level);
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

/* Keeps what clients can cause at will from filling the log; zero at first (static). */
struct log_gate {
    _Atomic int64_t opens_ns;
    _Atomic uint64_t held;
};
/* May a line be logged now (one every every_ns)?  ret_held, when it may: how many were
 * not since the last one. */
MUST_USE bool log_gate_pass(struct log_gate *gate, int64_t now_ns, int64_t every_ns,
                            uint64_t *ret_held);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
