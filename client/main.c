/* domainc - the client's command line: domainc COMMAND [OPTION...].
 *
 * This file finds the subcommand and hands over; everything else is in
 * client/NAME.c.  It is also the only place of the client that exits. */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/command.h"
#include "coro/base/err.h"
#include "coro/base/std.h"
#include "server/domain/domain.h"

struct command {
    const char *name;
    const char *help;
    cl_command_fn *run;
};

static const struct command commands[] = {
#define CL_COMMAND(name, help) {#name, help, cl_cmd_##name},
#include "client/commands.def"
#undef CL_COMMAND
};

static void print_version(FILE *stream, struct argp_state *state MAYBE_UNUSED)
{
    fprintf(stream, "domainc " DOMAIND_VERSION "\n%s, Unicode %s\n", cl_version(),
            domain_unicode_version());
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* The whole set of commands, as the tail of --help. */
static char *help_filter(int key, const char *text, void *input MAYBE_UNUSED)
{
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    char *help = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&help, &len);
    if (stream == NULL)
        return (char *)text;
    fputs("Commands:\n", stream);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].help);
    fputs("\ndomainc COMMAND --help says more.", stream);
    fclose(stream);
    return help;
}

/* Where the subcommand's own arguments begin. */
static error_t on_option(int key, char *arg, struct argp_state *state)
{
    int *ret_at = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (find_command(arg) == NULL)
            argp_error(state, "there is no command '%s'", arg);
        *ret_at = state->next - 1;
        state->next = state->argc; /* the rest is the command's */
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which command?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp top = {
    .parser = on_option,
    .args_doc = "COMMAND [OPTION...]",
    .doc = "Ask domaind, or work without it.\v ",
    .help_filter = help_filter,
};

int main(int argc, char **argv)
{
    int at = 0;
    if (std_hold() < 0)
        return CL_EXIT_FAILED;
    std_check_at_exit("domainc");
    argp_err_exit_status = CL_EXIT_USAGE;
    argp_program_version_hook = print_version;
    /* a closed pipe is an error of write(2), reported with the rest */
    signal(SIGPIPE, SIG_IGN);
    argp_parse(&top, argc, argv, ARGP_IN_ORDER, NULL, &at);

    const struct command *command = find_command(argv[at]);
    char name[64];
    snprintf(name, sizeof name, "domainc %s", command->name);
    argv[at] = name;
    cl_complain_as(name);
    int rv = cl_init();
    if (rv < 0) {
        cl_complain("libcurl does not start: %s", err_text(rv));
        return CL_EXIT_FAILED;
    }
    int status = command->run(argc - at, argv + at);
    cl_fini();
    return status;
}
