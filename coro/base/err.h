/* coro/base/err.h - errors inside the program are 0 or more for success and a
 * negative errno for failure; foreign codes are mapped where they enter. */
#pragma once

/* The text of a negative (or positive) errno; never NULL, thread-safe. */
const char *err_text(int err);
