/* server/config/config.h - what the operator asked for.
 *
 * params.def lists every parameter; this module fills struct config from it:
 * the default, then the file, then the environment, then the flags, each
 * overriding the one before.
 *
 *   context   any thread; no I/O but the configuration file
 *   returns   0, or -EINVAL with a message for the operator in `error`: one
 *             line that names the place (flag, variable, file:line), what is
 *             wrong there and what would be right
 *   ownership struct config owns its texts; cfg_fini frees them */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "coro/base/attr.h"
#include "coro/base/clock.h"

/* The choices of the ENUM rows, in the order of their VALUE column. */
enum cfg_mode { CFG_MODE_COROUTINE, CFG_MODE_THREAD, CFG_MODE_PREFORK };
enum cfg_access_log_format { CFG_ACCESS_LOG_FORMAT_COMBINED, CFG_ACCESS_LOG_FORMAT_JSON };
enum cfg_overflow { CFG_OVERFLOW_REFUSE, CFG_OVERFLOW_WAIT };

enum cfg_type { CFG_ENUM, CFG_TEXT, CFG_LIST, CFG_INT, CFG_BYTES, CFG_TIME, CFG_BOOL };

enum cfg_id {
#define CFG_SECTION(name, title)
#define CFG_PARAM(section, type, field, ...) CFG_##field,
#include "server/config/params.def"
#undef CFG_PARAM
#undef CFG_SECTION
    CFG_COUNT
};

/* Where a value came from, the weakest first. */
enum cfg_source { CFG_FROM_DEFAULT, CFG_FROM_FILE, CFG_FROM_ENVIRONMENT, CFG_FROM_FLAG };

struct cfg_origin {
    enum cfg_source source;
    int line; /* in the file, when source is CFG_FROM_FILE */
};

#define CFG_ORIGIN_BYTES 256

struct config {
#define CFG_C_ENUM  int
#define CFG_C_TEXT  char *
#define CFG_C_LIST  char *
#define CFG_C_INT   int64_t
#define CFG_C_BYTES int64_t
#define CFG_C_TIME  int64_t
#define CFG_C_BOOL  bool
#define CFG_SECTION(name, title)
#define CFG_PARAM(section, type, field, ...) CFG_C_##type field;
#include "server/config/params.def"
#undef CFG_PARAM
#undef CFG_SECTION
    struct cfg_origin origin[CFG_COUNT];
};

#define CFG_ERROR_BYTES 768
struct cfg_error {
    char text[CFG_ERROR_BYTES];
    enum cfg_source source; /* whose fault: a flag is a usage error, the rest bad configuration */
};

/* One row of the table. */
struct cfg_param {
    const char *name;
    const char *section;
    enum cfg_type type;
    size_t offset; /* of the field in struct config */
    const char *default_text;
    int64_t min;
    int64_t max;
    bool is_live;
    const char *value; /* placeholder, or the choices */
    const char *help;
};
extern const struct cfg_param cfg_params[CFG_COUNT];

/* The title of a section, NULL when there is none of that name. */
const char *cfg_section_title(const char *section);

/* Every field its default.  0 or -ENOMEM. */
MUST_USE int cfg_init(struct config *cfg);
void cfg_fini(struct config *cfg);

/* The id of a parameter by its name, -ENOENT when there is none. */
int cfg_find(const char *name, size_t len);
/* The parameter whose name is nearest to a mistyped one, NULL when none is near. */
const char *cfg_nearest(const char *name, size_t len);

/* Set one parameter from text.  A LIST that was set from the same source grows.
 * On -EINVAL error says only what would be right ("expected ..."). */
MUST_USE int cfg_set(struct config *cfg, enum cfg_id id, const char *text, struct cfg_origin origin,
                     struct cfg_error *error);
/* The value as text that cfg_set would take; written to ret_text, cut at cap. */
void cfg_format(const struct config *cfg, enum cfg_id id, char *ret_text, size_t cap);
/* Two values of a parameter are the same. */
bool cfg_is_equal(const struct config *a, const struct config *b, enum cfg_id id);

/* Where the value of a parameter came from: "--workers", "DOMAIND_WORKERS",
 * "domaind.conf:12", "default".  Returns ret_text. */
const char *cfg_where(const struct config *cfg, enum cfg_id id, char ret_text[CFG_ORIGIN_BYTES]);
/* Blame a parameter's value for what the message says, with its place before it; -EINVAL. */
int cfg_blame(const struct config *cfg, enum cfg_id id, struct cfg_error *error, const char *format,
              ...) PRINTF_LIKE(4, 5);

/* Defaults that would break the rules for what was set: moved as far as these ask. */
void cfg_fit_defaults(struct config *cfg);
/* Rules between parameters. */
MUST_USE int cfg_validate(const struct config *cfg, struct cfg_error *error);

/* ---- the other sources ---- */

/* DOMAIND_* variables; one that is no parameter is refused. */
MUST_USE int cfg_load_environment(struct config *cfg, char *const *environment,
                                  struct cfg_error *error);
/* An INI file: [section] lines as in the table (optional), name = value lines,
 * comments from # or ; at the start of a line, or from " ;". */
MUST_USE int cfg_load_file(struct config *cfg, const char *path, struct cfg_error *error);

/* ---- the command line ---- */

enum cfg_action {
    CFG_RUN,
#define CFG_ACTION(NAME, name, help) CFG_##NAME,
#include "server/config/action.def"
#undef CFG_ACTION
    CFG_ACTION_COUNT
};

struct cfg_assignment {
    enum cfg_id id;
    const char *text; /* borrowed from argv */
};

/* A command line taken apart; kept, so that a reload can apply it again. */
struct cfg_args {
    enum cfg_action action;
    struct cfg_assignment *assignments; /* owned */
    size_t count;
};

MUST_USE int cfg_args_parse(struct cfg_args *args, int argc, char **argv, struct cfg_error *error);
void cfg_args_fini(struct cfg_args *args);
MUST_USE int cfg_args_apply(const struct cfg_args *args, struct config *cfg,
                            struct cfg_error *error);

/* Everything in its order into an empty cfg: defaults, the file that a flag or
 * the environment names, the environment, the flags; then cfg_fit_defaults and
 * cfg_validate.  On failure cfg is empty. */
MUST_USE int cfg_load(struct config *cfg, const struct cfg_args *args, char *const *environment,
                      struct cfg_error *error);

/* Take from `next` what may change while running; on_fixed is told each other
 * parameter that differs (NULL: nobody).  What is taken and what was there change places. */
void cfg_adopt(struct config *cfg, struct config *next, void (*on_fixed)(const char *name));

/* Every parameter with its value and where that came from: a file that
 * cfg_load_file takes. */
void cfg_print(const struct config *cfg, FILE *out);
/* The --help text, from the table. */
void cfg_print_help(FILE *out);
