/* coro/base/std.h - the three standard descriptors are there, whoever started us. */
#pragma once

/* Call first in main.  A descriptor of 0, 1 and 2 that is closed is opened so that
 * its use fails (-EBADF): else the next socket or file would get its number, and
 * be sent what is meant for standard output or error.  Returns 0 or -errno. */
int std_hold(void);
