#include "client/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "coro/base/clock.h"

#define PROGRESS_EVERY_NS    (NS_PER_S / 10)
#define PROGRESS_MAX_COLUMNS 200
#define CLEAR_LINE           "\r\033[K"

void cl_progress_init(struct cl_progress *progress)
{
    const char *term = getenv("TERM");
    *progress = (struct cl_progress){0};
    progress->is_on = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

bool cl_progress_is_due(const struct cl_progress *progress, int64_t now_ns)
{
    return progress->is_on && now_ns >= progress->next_ns;
}

void cl_progress_show(struct cl_progress *progress, int64_t now_ns, const char *format, ...)
{
    char text[PROGRESS_MAX_COLUMNS];
    struct winsize size = {0};
    if (!cl_progress_is_due(progress, now_ns))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* a line that wraps could not be cleared */
    int columns = PROGRESS_MAX_COLUMNS;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
        columns = size.ws_col - 1;
    fprintf(stderr, CLEAR_LINE "%.*s", columns, text);
    progress->is_shown = true;
    progress->next_ns = now_ns + PROGRESS_EVERY_NS;
}

void cl_progress_clear(struct cl_progress *progress)
{
    if (progress->is_shown)
        fputs(CLEAR_LINE, stderr);
    progress->is_shown = false;
}
