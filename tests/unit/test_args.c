/* The command line: what it does instead of serving, and what is printed from the table. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config/config.h"
#include "suite.h"

static const struct {
    const char *words[4];
    int rv;
    enum cfg_action action;
    size_t count;        /* of parameters */
    const char *message; /* with -EINVAL */
} lines[] = {
    {{NULL}, 0, CFG_RUN, 0, NULL},
    {{"--help"}, 0, CFG_HELP, 0, NULL},
    {{"-h"}, 0, CFG_HELP, 0, NULL},
    {{"-V"}, 0, CFG_SHOW_VERSION, 0, NULL},
    {{"--check", "--workers=2"}, 0, CFG_CHECK, 1, NULL},
    {{"--workers", "2", "--print-config"}, 0, CFG_PRINT_CONFIG, 1, NULL},
    {{"--print-config", "--help"}, 0, CFG_HELP, 0, NULL}, /* the last one counts */
    {{"--profile", "--follow"}, 0, CFG_RUN, 2, NULL},
    {{"--profile", "off"},
     -EINVAL,
     CFG_RUN,
     0,
     "unexpected argument 'off'; parameters are flags: --name=value"},
    {{"--check=yes"}, -EINVAL, CFG_RUN, 0, "--check takes no value"},
    {{"--mode"}, -EINVAL, CFG_RUN, 0, "--mode needs a value"},
    {{"--work", "2"}, 0, CFG_RUN, 1, NULL}, /* as far as it is clear which is meant */
    {{"-xh"}, -EINVAL, CFG_RUN, 0, "unknown flag -x; domaind --help lists the flags"},
    {{"--", "x"},
     -EINVAL,
     CFG_RUN,
     0,
     "unexpected argument 'x'; parameters are flags: --name=value"},
    {{""}, -EINVAL, CFG_RUN, 0, "unexpected argument ''; parameters are flags: --name=value"},
};

START_TEST(lines_are_taken_apart)
{
    char *argv[6] = {(char *)(uintptr_t) "domaind"};
    int argc = 1;
    struct cfg_args args;
    struct cfg_error error = {.text = ""};
    for (size_t i = 0; i < 4 && lines[_i].words[i] != NULL; i++)
        argv[argc++] = (char *)(uintptr_t)lines[_i].words[i];
    ck_assert_int_eq(cfg_args_parse(&args, argc, argv, &error), lines[_i].rv);
    if (lines[_i].rv == 0) {
        ck_assert_int_eq(args.action, lines[_i].action);
        ck_assert_uint_eq(args.count, lines[_i].count);
    } else {
        ck_assert_str_eq(error.text, lines[_i].message);
        ck_assert_int_eq(error.source, CFG_FROM_FLAG);
    }
    cfg_args_fini(&args);
}
END_TEST

START_TEST(a_flag_may_be_repeated_and_the_last_one_counts_or_lists_grow)
{
    static char *argv[] = {"domaind",     "--workers=1",    "--workers=2",
                           "--listen=:1", "--listen=:2,:3", NULL};
    struct cfg_args args;
    struct cfg_error error;
    struct config cfg;
    ck_assert_int_eq(cfg_init(&cfg), 0);
    ck_assert_int_eq(cfg_args_parse(&args, 5, argv, &error), 0);
    ck_assert_int_eq(cfg_args_apply(&args, &cfg, &error), 0);
    ck_assert_int_eq(cfg.workers, 2);
    ck_assert_str_eq(cfg.listen, ":1,:2,:3");
    cfg_args_fini(&args);
    cfg_fini(&cfg);
}
END_TEST

/* What a printer prints. */
static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    print(out);
    fclose(out);
    return text;
}

START_TEST(help_fits_a_screen_and_names_everything)
{
    char *text = printed(cfg_print_help);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        ck_assert_msg(strlen(line) <= 100 && line[strlen(line) - 1] != ' ', "%s|", line);
    free(text);
    text = printed(cfg_print_help);
    static const char *const words[] = {"usage: domaind", "  --check ",      "  --print-config ",
                                        "(default: 30s)", "Prefork mode:\n", "  --workers=N "};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        ck_assert_msg(strstr(text, words[i]) != NULL, "no %s", words[i]);
    free(text);
}
END_TEST

static struct config shown;

static void print_shown(FILE *out)
{
    cfg_print(&shown, out);
}

START_TEST(what_is_printed_says_where_it_came_from)
{
    struct cfg_error error;
    ck_assert_int_eq(cfg_init(&shown), 0);
    ck_assert_int_eq(cfg_set(&shown, CFG_config, "/etc/x.conf",
                             (struct cfg_origin){.source = CFG_FROM_ENVIRONMENT}, &error),
                     0);
    ck_assert_int_eq(cfg_set(&shown, CFG_children, "9",
                             (struct cfg_origin){.source = CFG_FROM_FILE, .line = 12}, &error),
                     0);
    char *text = printed(print_shown);
    ck_assert_ptr_nonnull(strstr(text, "# config = /etc/x.conf "));
    ck_assert_ptr_nonnull(strstr(text, "; DOMAIND_CONFIG\n"));
    ck_assert_ptr_nonnull(strstr(text, "; /etc/x.conf:12\n"));
    ck_assert_ptr_nonnull(strstr(text, "; default\n"));
    ck_assert_ptr_nonnull(strstr(text, "[prefork]\n"));
    free(text);
    cfg_fini(&shown);
}
END_TEST

START_TEST(what_is_printed_can_be_read)
{
    struct cfg_error error;
    struct config again;
    char list[2000] = "", path[] = "/tmp/test_args.XXXXXX";
    static char long_path[200] = "/etc/";
    memset(long_path + 5, 'x', sizeof long_path - 6);
    for (int i = 0; i < 60; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s10.1.%d.0/24",
                 i > 0 ? "," : "", i);
    const struct cfg_origin origin = {.source = CFG_FROM_FILE, .line = 12};
    ck_assert_int_eq(cfg_init(&shown), 0);
    ck_assert_int_eq(cfg_set(&shown, CFG_config, long_path, origin, &error), 0);
    ck_assert_int_eq(cfg_set(&shown, CFG_trusted_proxies, list, origin, &error), 0);
    char *text = printed(print_shown);
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    ck_assert_int_eq(cfg_init(&again), 0);
    int rv = cfg_load_file(&again, path, &error);
    ck_assert_msg(rv == 0, "%s in:\n%s", error.text, text);
    ck_assert_str_eq(again.trusted_proxies, list);
    unlink(path);
    free(text);
    cfg_fini(&again);
    cfg_fini(&shown);
}
END_TEST

SUITE_MAIN("args", SUITE_LOOP(lines_are_taken_apart, lines),
           SUITE_TEST(a_flag_may_be_repeated_and_the_last_one_counts_or_lists_grow),
           SUITE_TEST(help_fits_a_screen_and_names_everything),
           SUITE_TEST(what_is_printed_says_where_it_came_from),
           SUITE_TEST(what_is_printed_can_be_read))
