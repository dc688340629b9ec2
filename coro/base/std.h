/* coro/base/std.h - the three standard descriptors: there whoever started us, and
 * what was printed has arrived. */
#pragma once

#include <stdio.h>

/* Call first in main.  A descriptor of 0, 1 and 2 that is closed is opened so that
 * its use fails (-EBADF): else the next socket or file would get its number, and
 * be sent what is meant for standard output or error.  Returns 0 or -errno. */
int std_hold(void);

/* From here on an exit with 0 while standard output could not take everything
 * (a full disk, a closed pipe) says so on stderr, as `program`, and becomes an
 * exit with 1; --help and --version of argp included.  program: borrowed for ever. */
void std_check_at_exit(const char *program);
/* fwrite and fflush that remember, of stdout, why they failed: what
 * std_check_at_exit then says.  0 or -errno; stdout's may be left unused. */
int std_write(FILE *out, const void *bytes, size_t n);
int std_flush(FILE *out);
