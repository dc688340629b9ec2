/* The file and the environment, and which of the sources wins. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config/config.h"
#include "suite.h"

static char path[64];
static struct config cfg;
static struct cfg_error error;

static void put(const char *text, size_t len)
{
    snprintf(path, sizeof path, "/tmp/test_sources.%d", (int)getpid());
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, len, file), len);
    fclose(file);
}

/* What is in a file, and the message without the file's name; NULL: it is taken. */
static const struct {
    const char *text;
    const char *message;
} files[] = {
    {"", NULL},
    {"\n\n# one\n; two\n", NULL},
    {"workers = 3", NULL},
    {"workers=3\r\n", NULL},
    {"[coroutine]\nworkers = 3 ; why\n", NULL},
    {"   \t\n", NULL},
    {"workers = x\n", ":1: workers = x: expected a whole number from 0 to 1024"},
    {"\nworkres = 3\n", ":2: there is no parameter 'workres'; did you mean workers?"},
    {"[corutine]\nworkers = 3\n", ":2: there is no section [corutine]; did you mean [coroutine]?"},
    {"[prefork]\nworkers = 3\n", ":2: workers belongs into [coroutine], not into [prefork]"},
    {"workers = 1\nworkers = 2\n", ":2: workers is set already, in line 1"},
    {"config = x\n", ":1: config cannot be set in the file itself"},
    {"[coroutine\n", ":1: the section heading is not closed: expected [name]"},
    {"workers\n", ":1: expected name = value, found 'workers'"},
    {"= 3\n", ":1: there is no name before '='"},
    {" workers = 3\n", ":1: the line begins with a blank: it would continue the one above"},
};

START_TEST(files_are_read_or_blamed)
{
    put(files[_i].text, strlen(files[_i].text));
    ck_assert_int_eq(cfg_init(&cfg), 0);
    int rv = cfg_load_file(&cfg, path, &error);
    if (files[_i].message == NULL) {
        ck_assert_int_eq(rv, 0);
        if (strstr(files[_i].text, "workers") != NULL)
            ck_assert_int_eq(cfg.workers, 3);
    } else {
        ck_assert_int_eq(rv, -EINVAL);
        ck_assert_int_eq(error.source, CFG_FROM_FILE);
        ck_assert_int_eq(strncmp(error.text, path, strlen(path)), 0);
        ck_assert_str_eq(error.text + strlen(path), files[_i].message);
    }
    unlink(path);
    cfg_fini(&cfg);
}
END_TEST

/* inih would cut the line at 200 bytes without a word. */
START_TEST(a_line_has_197_bytes_at_most)
{
    for (size_t len = 195; len <= 205; len++) {
        char line[256] = "cors-origin = ";
        memset(line + strlen(line), 'x', len - strlen(line));
        put(line, len);
        ck_assert_int_eq(cfg_init(&cfg), 0);
        ck_assert_int_eq(cfg_load_file(&cfg, path, &error), len <= 197 ? 0 : -EINVAL);
        if (len <= 197)
            ck_assert_uint_eq(strlen(cfg.cors_origin), len - strlen("cors-origin = "));
        cfg_fini(&cfg);
    }
    put("workers = 2\0\n", 13);
    ck_assert_int_eq(cfg_init(&cfg), 0);
    ck_assert_int_eq(cfg_load_file(&cfg, path, &error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "a NUL byte"));
    cfg_fini(&cfg);
    unlink(path);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
    ck_assert_int_eq(cfg_init(&cfg), 0);
    ck_assert_int_eq(cfg_load_file(&cfg, "/nowhere/x.conf", &error), -EINVAL);
    ck_assert_str_eq(
        error.text,
        "cannot read the configuration file /nowhere/x.conf: No such file or directory");
    ck_assert_int_eq(cfg_load_file(&cfg, "/tmp", &error), -EINVAL);
    ck_assert_str_eq(error.text, "cannot read the configuration file /tmp: Is a directory");
    cfg_fini(&cfg);
}
END_TEST

static const struct {
    const char *variable;
    const char *message; /* NULL: taken, or not ours */
    int64_t workers;
} variables[] = {
    {"DOMAIND_WORKERS=5", NULL, 5},
    {"DOMAIND_WORKERS=", "DOMAIND_WORKERS=: expected a whole number from 0 to 1024", 0},
    {"DOMAIND_WORKRES=5", "DOMAIND_WORKRES sets no parameter; did you mean DOMAIND_WORKERS?", 0},
    {"DOMAIND_BODY_MXA=5", "DOMAIND_BODY_MXA sets no parameter; did you mean DOMAIND_BODY_MAX?", 0},
    {"DOMAIND_SERVICE_PORT_HTTP=80", NULL, 0},
    {"DOMAIND_HOME=/opt/domaind", NULL, 0},
    {"DOMAIND_PORT_80_TCP=tcp://1.2.3.4:80", NULL, 0},
    {"DOMAIND_", NULL, 0},
    {"DOMAIND=5", NULL, 0},
    {"domaind_workers=5", NULL, 0},
};

START_TEST(variables_are_taken_or_blamed)
{
    char *environment[] = {(char *)(uintptr_t) "PATH=/bin",
                           (char *)(uintptr_t)variables[_i].variable, NULL};
    ck_assert_int_eq(cfg_init(&cfg), 0);
    int rv = cfg_load_environment(&cfg, environment, &error);
    ck_assert_int_eq(rv, variables[_i].message == NULL ? 0 : -EINVAL);
    if (rv < 0)
        ck_assert_str_eq(error.text, variables[_i].message);
    ck_assert_int_eq(cfg.workers, variables[_i].workers);
    cfg_fini(&cfg);
}
END_TEST

START_TEST(flags_win_over_the_environment_over_the_file)
{
    static char named[80];
    static char *argv[] = {"domaind", "--backlog=3", NULL};
    char *environment[] = {named, (char *)(uintptr_t) "DOMAIND_BACKLOG=2",
                           (char *)(uintptr_t) "DOMAIND_CHILDREN=20", NULL};
    struct cfg_args args;
    char where[CFG_ORIGIN_BYTES], expected[CFG_ORIGIN_BYTES];
    put("backlog = 1\nchildren = 10\n\nmax-threads = 7\n", 43);
    snprintf(named, sizeof named, "DOMAIND_CONFIG=%s", path);
    ck_assert_int_eq(cfg_args_parse(&args, 2, argv, &error), 0);
    ck_assert_int_eq(cfg_load(&cfg, &args, environment, &error), 0);
    ck_assert_int_eq(cfg.backlog, 3);
    ck_assert_int_eq(cfg.children, 20);
    ck_assert_int_eq(cfg.max_threads, 7);
    ck_assert_str_eq(cfg_where(&cfg, CFG_backlog, where), "--backlog");
    ck_assert_str_eq(cfg_where(&cfg, CFG_children, where), "DOMAIND_CHILDREN");
    snprintf(expected, sizeof expected, "%s:4", path);
    ck_assert_str_eq(cfg_where(&cfg, CFG_max_threads, where), expected);
    ck_assert_str_eq(cfg_where(&cfg, CFG_workers, where), "default");
    ck_assert_int_eq(cfg_blame(&cfg, CFG_max_threads, &error, "too %s", "few"), -EINVAL);
    snprintf(expected, sizeof expected, "%s:4: max-threads: too few", path);
    ck_assert_str_eq(error.text, expected);
    cfg_args_fini(&args);
    cfg_fini(&cfg);
    unlink(path);
}
END_TEST

SUITE_MAIN("sources", SUITE_LOOP(files_are_read_or_blamed, files),
           SUITE_TEST(a_line_has_197_bytes_at_most),
           SUITE_TEST(a_file_that_cannot_be_read_is_named),
           SUITE_LOOP(variables_are_taken_or_blamed, variables),
           SUITE_TEST(flags_win_over_the_environment_over_the_file))
