/* loadgen/live.h - the one line that changes while a measurement goes on.
 *
 * On a terminal only, on stderr, cut to its width so that it never wraps; it is
 * written ten times a second at most, by the thread that waits for the load.
 *
 *   context    main thread
 *   ownership  everything is borrowed */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "loadgen/load.h"

/* Is somebody there to look at it? */
bool lg_live_is_wanted(bool is_quiet);
/* Show this text in place of what stands there; cleared when the text is empty. */
PRINTF_LIKE(1, 2) void lg_live_show(const char *format, ...);

#define LG_LIVE_BYTES 160
/* The text of a run: seconds since measuring began (negative: warm-up and ramp),
 * answers so far, and how many a second there are now. */
void lg_live_text(const struct lg_load *load, double seconds, uint64_t ok, uint64_t failed,
                  double per_s, char text[LG_LIVE_BYTES]);
/* Make it fit a terminal of so many columns; 0: not known, any width. */
void lg_live_cut(char *text, size_t columns);
