#include "loadgen/live.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "coro/base/units.h"

bool lg_live_is_wanted(bool is_quiet)
{
    const char *term = getenv("TERM");
    return !is_quiet && isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

void lg_live_cut(char *text, size_t columns)
{
    /* the last column stays free: some terminals wrap when it is written */
    if (columns > 0 && strlen(text) >= columns)
        text[columns - 1] = '\0';
}

void lg_live_show(const char *format, ...)
{
    char text[LG_LIVE_BYTES];
    struct winsize size = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0)
        lg_live_cut(text, size.ws_col);
    fprintf(stderr, "\r\033[K%s", text);
}

void lg_live_text(const struct lg_load *load, double seconds, uint64_t ok, uint64_t failed,
                  double per_s, char text[LG_LIVE_BYTES])
{
    char rate[UNITS_TEXT_BYTES];
    if (seconds < 0)
        snprintf(text, LG_LIVE_BYTES, "  warm-up, %.1fs left", -seconds);
    else if (load->duration_ns > 0)
        snprintf(text, LG_LIVE_BYTES, "  %.1fs of %gs  %s/s  %ju ok  %ju failed", seconds,
                 (double)load->duration_ns / 1e9, units_format_count(per_s, rate), (uintmax_t)ok,
                 (uintmax_t)failed);
    else
        snprintf(text, LG_LIVE_BYTES, "  %.1fs  %s/s  %ju ok of %ju  %ju failed", seconds,
                 units_format_count(per_s, rate), (uintmax_t)ok, (uintmax_t)load->requests_max,
                 (uintmax_t)failed);
}
