/* server/config/sources.c - the file and the environment, and the order in
 * which everything that configures the server is read.
 *
 * Debian's inih cuts lines at 200 bytes, takes an indented line for more of the
 * value above, and does not tell its callback where it is.  So it reads
 * through next_line, which counts, and refuses what would be misunderstood. */
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/err.h"
#include "server/config/internal.h"

/* inih's buffer, with its newline and NUL */

struct reading {
    struct config *cfg;
    struct cfg_error *error;
    FILE *file;
    const char *path;
    int line;
    int rv; /* of the first failure; nothing is taken after it */
};

static void refuse(struct reading *r, const char *format, ...) PRINTF_LIKE(2, 3);
static void refuse(struct reading *r, const char *format, ...)
{
    if (r->rv < 0)
        return;
    char what[CFG_ERROR_BYTES / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    r->error->source = CFG_FROM_FILE;
    r->rv = cfg_fail(r->error, "%s:%d: %s", r->path, r->line, what);
}

static void check_line(struct reading *r, const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (memchr(text, '\0', len) != NULL)
        refuse(r, "a NUL byte: this is no text file");
    else if (len == 0 || text[0] == '#' || text[0] == ';')
        return;
    else if (len > CFG_LINE_MAX_BYTES)
        refuse(r, "the line has %zu bytes, %d are allowed; lists may be split over several lines",
               len, CFG_LINE_MAX_BYTES);
    else if (isspace((unsigned char)text[0]) && strspn(text, " \t") < len)
        refuse(r, "the line begins with a blank: it would continue the one above");
    else if (text[0] == '[' && memchr(text, ']', len) == NULL)
        refuse(r, "the section heading is not closed: expected [name]");
    else if (text[0] == '=')
        refuse(r, "there is no name before '='");
    else if (text[0] != '[' && !isspace((unsigned char)text[0]) && memchr(text, '=', len) == NULL)
        refuse(r, "expected name = value, found '%.*s'", (int)len, text);
}

/* The shape of fgets, for inih. */
static char *next_line(char *buffer, int cap, void *arg)
{
    struct reading *r = arg;
    char *text = NULL;
    size_t size = 0;
    ssize_t len = r->rv < 0 ? -1 : getline(&text, &size, r->file);
    r->line++;
    if (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    if (len >= 0)
        check_line(r, text, (size_t)len);
    if (len < 0 || r->rv < 0) {
        free(text);
        return NULL;
    }
    snprintf(buffer, (size_t)cap, "%s\n", text);
    free(text);
    return buffer;
}

static const char *nearest_section(const char *name)
{
    const char *best = NULL;
    unsigned best_distance = CFG_NEAR;
    for (int id = 0; id < CFG_COUNT; id++) {
        const char *section = cfg_params[id].section;
        unsigned distance = cfg_distance(name, strlen(name), section, strlen(section));
        if (distance < best_distance) {
            best = section;
            best_distance = distance;
        }
    }
    return best;
}

static int find_named(struct reading *r, const char *section, const char *name)
{
    const char *near;
    if (*section != '\0' && cfg_section_title(section) == NULL) {
        near = nearest_section(section);
        refuse(r, "there is no section [%s]%s%s%s", section, near != NULL ? "; did you mean [" : "",
               near != NULL ? near : "", near != NULL ? "]?" : "");
        return -EINVAL;
    }
    int id = cfg_find(name, strlen(name));
    if (id < 0) {
        near = cfg_nearest(name, strlen(name));
        refuse(r, "there is no parameter '%s'%s%s%s", name, near != NULL ? "; did you mean " : "",
               near != NULL ? near : "", near != NULL ? "?" : "");
        return -EINVAL;
    }
    if (*section != '\0' && strcmp(section, cfg_params[id].section) != 0) {
        refuse(r, "%s belongs into [%s], not into [%s]", name, cfg_params[id].section, section);
        return -EINVAL;
    }
    return id;
}

/* inih's callback: 1 to go on. */
static int take(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *r = arg;
    int id = r->rv < 0 ? -EINVAL : find_named(r, section, name);
    if (id < 0)
        return 0;
    const struct cfg_origin *was = &r->cfg->origin[id];
    if (id == CFG_config) {
        refuse(r, "config cannot be set in the file itself");
        return 0;
    }
    if (was->source == CFG_FROM_FILE && cfg_params[id].type != CFG_LIST) {
        refuse(r, "%s is set already, in line %d", name, was->line);
        return 0;
    }
    struct cfg_error why;
    struct cfg_origin here = {.source = CFG_FROM_FILE, .line = r->line};
    int rv = cfg_set(r->cfg, (enum cfg_id)id, value, here, &why);
    if (rv == -EINVAL)
        refuse(r, "%s = %s: %.300s", name, value, why.text);
    else if (rv < 0)
        r->rv = rv;
    return rv == 0;
}

int cfg_load_file(struct config *cfg, const char *path, struct cfg_error *error)
{
    struct reading r = {.cfg = cfg, .error = error, .path = path};
    error->source = CFG_FROM_FILE;
    r.file = fopen(path, "re");
    if (r.file == NULL)
        return cfg_fail(error, "cannot read the configuration file %s: %s", path, err_text(errno));
    ini_parse_stream(next_line, &r, take, &r);
    if (r.rv == 0 && ferror(r.file))
        cfg_fail(error, "cannot read the configuration file %s: %s", path, err_text(errno));
    if (ferror(r.file))
        r.rv = -EINVAL;
    fclose(r.file);
    return r.rv;
}

/* ---- the environment ---- */

#define PREFIX "DOMAIND_"

/* DOMAIND_BODY_MAX is body-max. */
static bool flag_of_variable(const char *name, size_t len, char *ret_flag, size_t cap)
{
    if (len >= cap)
        return false;
    for (size_t i = 0; i < len; i++)
        ret_flag[i] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
    ret_flag[len] = '\0';
    return true;
}

/* body-max is DOMAIND_BODY_MAX. */
static void name_variable(const char *name, char ret_text[CFG_ORIGIN_BYTES])
{
    char *at = stpcpy(ret_text, PREFIX);
    for (; *name != '\0'; name++)
        *at++ = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
    *at = '\0';
}

/* Others may set DOMAIND_* too (Kubernetes does, for a service called domaind; HOME is
 * no slip for mode): only what is nearly a parameter is a mistake.  NULL: it is not. */
static const char *slip_of(const char *flag, size_t len)
{
    size_t most = len / 3 < 2 ? len / 3 : 2;
    for (int id = 0; id < CFG_COUNT; id++)
        if (cfg_distance(flag, len, cfg_params[id].name, strlen(cfg_params[id].name)) <= most)
            return cfg_params[id].name;
    return NULL;
}

static int take_variable(struct config *cfg, const char *variable, struct cfg_error *error)
{
    const char *name = variable + strlen(PREFIX);
    size_t len = strcspn(name, "=");
    char flag[80];
    if (name[len] != '=' || !flag_of_variable(name, len, flag, sizeof flag))
        return 0;
    int id = cfg_find(flag, len);
    error->source = CFG_FROM_ENVIRONMENT;
    if (id < 0) {
        char meant[CFG_ORIGIN_BYTES];
        const char *near = slip_of(flag, len);
        if (near == NULL)
            return 0;
        name_variable(near, meant);
        return cfg_fail(error, "%.*s sets no parameter; did you mean %s?",
                        (int)(len + strlen(PREFIX)), variable, meant);
    }
    struct cfg_error why;
    int rv = cfg_set(cfg, (enum cfg_id)id, name + len + 1,
                     (struct cfg_origin){.source = CFG_FROM_ENVIRONMENT}, &why);
    if (rv == -EINVAL)
        return cfg_fail(error, "%.200s: %.300s", variable, why.text);
    return rv;
}

int cfg_load_environment(struct config *cfg, char *const *environment, struct cfg_error *error)
{
    int rv = 0;
    for (size_t i = 0; environment[i] != NULL && rv == 0; i++)
        if (strncmp(environment[i], PREFIX, strlen(PREFIX)) == 0)
            rv = take_variable(cfg, environment[i], error);
    return rv;
}

/* ---- all of it ---- */

/* The file, before the sources that may name it are applied. */
static const char *file_of(const struct cfg_args *args, char *const *environment)
{
    static const char variable[] = PREFIX "CONFIG=";
    for (size_t i = args->count; i-- > 0;)
        if (args->assignments[i].id == CFG_config)
            return args->assignments[i].text;
    for (size_t i = 0; environment[i] != NULL; i++)
        if (strncmp(environment[i], variable, strlen(variable)) == 0)
            return environment[i] + strlen(variable);
    return "";
}

int cfg_load(struct config *cfg, const struct cfg_args *args, char *const *environment,
             struct cfg_error *error)
{
    int rv = cfg_init(cfg);
    if (rv < 0)
        return rv;
    const char *file = file_of(args, environment);
    if (*file != '\0')
        rv = cfg_load_file(cfg, file, error);
    if (rv == 0)
        rv = cfg_load_environment(cfg, environment, error);
    if (rv == 0)
        rv = cfg_args_apply(args, cfg, error);
    if (rv == 0) {
        cfg_fit_defaults(cfg);
        rv = cfg_validate(cfg, error);
    }
    if (rv < 0)
        cfg_fini(cfg);
    return rv;
}

const char *cfg_where(const struct config *cfg, enum cfg_id id, char ret_text[CFG_ORIGIN_BYTES])
{
    const char *name = cfg_params[id].name;
    switch (cfg->origin[id].source) {
    case CFG_FROM_DEFAULT:
        snprintf(ret_text, CFG_ORIGIN_BYTES, "default");
        break;
    case CFG_FROM_FILE:
        snprintf(ret_text, CFG_ORIGIN_BYTES, "%s:%d", cfg->config, cfg->origin[id].line);
        break;
    case CFG_FROM_ENVIRONMENT:
        name_variable(name, ret_text);
        break;
    case CFG_FROM_FLAG:
        snprintf(ret_text, CFG_ORIGIN_BYTES, "--%s", name);
        break;
    }
    return ret_text;
}

int cfg_blame(const struct config *cfg, enum cfg_id id, struct cfg_error *error, const char *format,
              ...)
{
    char where[CFG_ORIGIN_BYTES], what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    error->source = cfg->origin[id].source;
    cfg_where(cfg, id, where);
    if (error->source == CFG_FROM_FLAG || error->source == CFG_FROM_ENVIRONMENT)
        return cfg_fail(error, "%s: %s", where, what); /* which say the name */
    return cfg_fail(error, "%s: %s: %s", where, cfg_params[id].name, what);
}
