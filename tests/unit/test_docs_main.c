/* What is made from the table of parameters: every row is in each of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config/config.h"
#include "suite.h"

/* The program itself, but for its name. */
int config_docs_main(int argc, char **argv);
#define main config_docs_main
#include "server/config/docs_main.c"
#undef main

/* What it prints for a kind; the caller frees it. */
static char *made(const char *kind, int expected)
{
    char path[] = "/tmp/test_docs.XXXXXX", *text = calloc(1, 1 << 17);
    char *argv[] = {(char *)(uintptr_t) "config_docs", (char *)(uintptr_t)kind, NULL};
    int file = mkstemp(path), before = dup(STDOUT_FILENO);
    ck_assert_int_ge(file, 0);
    ck_assert_ptr_nonnull(text);
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    int rv = config_docs_main(kind == NULL ? 1 : 2, argv);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    ck_assert_int_eq(rv, expected);
    ck_assert_int_ge(pread(file, text, (1 << 17) - 1, 0), 0);
    close(before);
    close(file);
    unlink(path);
    return text;
}

static const struct {
    const char *kind;
    const char *before; /* a parameter's name, where it is described */
    const char *after;
    const char *minus;
} kinds[] = {
    {"conf", "\n#", " =", "-"},
    {"man", "\n.BI \\-\\-", "= ", "\\-"},
    {"bash", " --", "= ", "-"},
    {"zsh", "\n    '--", "=[", "-"},
    {"fish", "complete -c domaind -l ", " -", "-"},
};

static void check_row(const char *text, int kind, const char *name)
{
    char shown[120] = "", row[200];
    for (; *name != '\0'; name++) {
        char letter[3] = {*name, '\0'};
        strcat(shown, *name == '-' ? kinds[kind].minus : letter);
    }
    snprintf(row, sizeof row, "%s%s%s", kinds[kind].before, shown, kinds[kind].after);
    ck_assert_msg(strstr(text, row) != NULL, "%s: no %s", kinds[kind].kind, row);
}

START_TEST(every_parameter_is_in_it)
{
    char *text = made(kinds[_i].kind, 0);
    for (int id = 0; id < CFG_COUNT; id++)
        if (id != CFG_config || _i != 0) /* a file cannot name itself */
            check_row(text, _i, cfg_params[id].name);
    free(text);
}
END_TEST

START_TEST(the_sample_file_is_a_configuration)
{
    char path[] = "/tmp/test_docs.XXXXXX", *text = made("conf", 0);
    struct config cfg;
    struct cfg_error error = {.text = ""};
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    ck_assert_int_eq(cfg_init(&cfg), 0);
    ck_assert_msg(cfg_load_file(&cfg, path, &error) == 0, "%s", error.text);
    cfg_fini(&cfg);
    unlink(path);
    free(text);
}
END_TEST

START_TEST(the_page_has_no_line_that_troff_would_take_for_itself)
{
    char *text = made("man", 0);
    static const char *const requests[] = {".TH ", ".SH ", ".SS ", ".TP", ".B ", ".BI ",
                                           ".BR ", ".PP",  ".nf",  ".fi", ".I "};
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        bool is_known = *line != '.' && *line != '\'';
        for (size_t i = 0; i < ARRAY_LEN(requests) && !is_known; i++)
            is_known = strncmp(line, requests[i], strlen(requests[i])) == 0;
        ck_assert_msg(is_known, "%s", line);
    }
    free(text);
}
END_TEST

START_TEST(anything_else_is_a_usage_error)
{
    free(made("pdf", 2));
    free(made(NULL, 2));
}
END_TEST

SUITE_MAIN("docs_main", SUITE_LOOP(every_parameter_is_in_it, kinds),
           SUITE_TEST(the_sample_file_is_a_configuration),
           SUITE_TEST(the_page_has_no_line_that_troff_would_take_for_itself),
           SUITE_TEST(anything_else_is_a_usage_error))
