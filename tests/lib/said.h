/* tests/lib/said.h - what a subcommand of domainc, or a part of one, says and ends with.
 *
 *   struct said s;
 *   said_by(&s, cl_cmd_psl, (const char *const[]){"check", path, NULL});
 *   ... s.status, s.out.text, s.err.text ...
 *   said_free(&s); */
#pragma once

#include <argp.h>
#include <stdint.h>
#include <string.h>

#include "child.h"
#include "client/command.h"
#include "output_of.h"

enum { SAID_WORDS_MAX = 16 };

struct said {
    int status;
    struct output_of out, err;
};

static inline void said_begin(struct said *s)
{
    output_begin(&s->out, STDOUT_FILENO);
    output_begin(&s->err, STDERR_FILENO);
}

static inline void said_end(struct said *s, int status)
{
    s->status = status;
    output_end(&s->err);
    output_end(&s->out);
}

static inline void said_free(struct said *s)
{
    output_free(&s->err);
    output_free(&s->out);
}

/* argp wants what main gets, and sorts it: an array of its own. */
static inline int said_call(cl_command_fn *run, const char *const *words)
{
    char *argv[SAID_WORDS_MAX + 2] = {(char *)(uintptr_t) "domainc x"};
    int n = 1;
    for (; words[n - 1] != NULL; n++) {
        ck_assert_int_le(n, SAID_WORDS_MAX);
        argv[n] = (char *)(uintptr_t)words[n - 1];
    }
    return run(n, argv);
}

/* words: those behind the command's name, NULL at the end. */
static inline void said_by(struct said *s, cl_command_fn *run, const char *const *words)
{
    said_begin(s);
    said_end(s, said_call(run, words));
}

/* The same, led to the descriptor `to` instead of being caught; stderr is. */
static inline void said_into(struct said *s, int to, int (*run)(void *arg), void *arg)
{
    said_begin(s);
    ck_assert_int_ge(dup2(to, STDOUT_FILENO), 0);
    said_end(s, run(arg));
}

/* Fails with what was said when `part` is not in it. */
static inline void said_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in: %s", part, text);
}

/* ---- words that argp refuses, which ends the process ---- */

static cl_command_fn *said_refusing;
static const char *const *said_refused;

static inline void said_refuse(void)
{
    argp_err_exit_status = CL_EXIT_USAGE;
    _exit(100 + said_call(said_refusing, said_refused));
}

/* In a child: a usage error whose message has `why` in it. */
static inline void said_usage(cl_command_fn *run, const char *const *words, const char *why)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    said_refusing = run;
    said_refused = words;
    int status = in_child(said_refuse, &text);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), CL_EXIT_USAGE);
    contains(&text, why);
    buf_fini(&text);
}
