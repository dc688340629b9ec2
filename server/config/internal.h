/* server/config/internal.h - what the files of this folder share. */
#pragma once

#include <stdarg.h>

#include "server/config/config.h"

/* inih would cut a longer line of a file. */
#define CFG_LINE_MAX_BYTES 197

/* Writes the message; -EINVAL. */
int cfg_fail(struct cfg_error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* Insertions, deletions, changes and swaps of neighbours that lead from a to b. */
unsigned cfg_distance(const char *a, size_t a_len, const char *b, size_t b_len);
/* Farther than this is not a slip of the hand. */
#define CFG_NEAR 4
