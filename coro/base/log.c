#include "coro/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_BYTES 2048

static const char *log_program = "domaind";
static enum log_level log_max = LOG_INFO;

void log_init(const char *program, enum log_level level)
{
    log_program = program;
    log_max = level;
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const mark[] = {"error: ", "warning: ", "", "debug: "};
    if (level > log_max)
        return;
    char line[LOG_LINE_BYTES];
    int head = snprintf(line, sizeof line, "%s: %s", log_program, mark[level]);
    va_list args;
    va_start(args, format);
    int body = vsnprintf(line + head, sizeof line - (size_t)head, format, args);
    va_end(args);
    size_t len = body < 0 ? (size_t)head : (size_t)head + (size_t)body;
    if (len > sizeof line - 1) /* cut long lines, keep the newline */
        len = sizeof line - 1;
    line[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* nowhere left to complain */
}

bool log_gate_pass(struct log_gate *gate, int64_t now_ns, int64_t every_ns, uint64_t *ret_held)
{
    int64_t opens_ns = atomic_load(&gate->opens_ns);
    if (now_ns < opens_ns ||
        !atomic_compare_exchange_strong(&gate->opens_ns, &opens_ns, now_ns + every_ns)) {
        atomic_fetch_add(&gate->held, 1);
        return false;
    }
    *ret_held = atomic_exchange(&gate->held, 0);
    return true;
}
