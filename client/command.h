/* client/command.h - what domainc's subcommands share.
 *
 * To add one: a row in commands.def, a file client/NAME.c with cl_cmd_NAME(),
 * its name in client/CMakeLists.txt.  argv[0] of a subcommand is "domainc
 * NAME", so that argp's own messages and --help carry it. */
#pragma once

#include "coro/base/attr.h"

/* What every program of the project exits with. */
enum cl_exit {
    CL_EXIT_OK = 0,
    CL_EXIT_FAILED = 1,
    CL_EXIT_USAGE = 2,
    CL_EXIT_INTERRUPTED = 130,
};

/* Parse, work, report; returns the exit code. */
typedef int cl_command_fn(int argc, char **argv);

#define CL_COMMAND(name, help) cl_command_fn cl_cmd_##name;
#include "client/commands.def"
#undef CL_COMMAND

/* "domainc NAME: message" on stderr. */
void cl_complain(const char *format, ...) PRINTF_LIKE(1, 2);
/* The name before such messages from here on; borrowed for good. */
void cl_complain_as(const char *name);
