/* server/config/internal.h - what the files of this folder share. */
#pragma once

#include "server/config/config.h"

/* Writes the message; -EINVAL. */
int cfg_fail(struct cfg_error *error, const char *format, ...) PRINTF_LIKE(2, 3);
