/* The table of parameters, values as text, the command line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/config/config.h"
#include "suite.h"

static struct config cfg;

static int parse(int argc, const char *const *argv, struct cfg_error *error)
{
    struct cfg_args args;
    char *words[16];
    for (int i = 0; i <= argc; i++)
        words[i] = (char *)(uintptr_t)argv[i];
    ck_assert_int_eq(cfg_init(&cfg), 0);
    int rv = cfg_args_parse(&args, argc, words, error);
    if (rv == 0)
        rv = cfg_args_apply(&args, &cfg, error);
    cfg_args_fini(&args);
    return rv;
}

START_TEST(every_row_is_sound)
{
    const struct cfg_param *p = &cfg_params[_i];
    ck_assert_int_eq(cfg_init(&cfg), 0);
    ck_assert_int_eq(cfg_find(p->name, strlen(p->name)), _i);
    ck_assert_ptr_nonnull(cfg_section_title(p->section));
    ck_assert_uint_gt(strlen(p->help), 10);
    /* what is printed is understood again, as the same value */
    char text[256];
    struct cfg_error error;
    struct config again;
    ck_assert_int_eq(cfg_init(&again), 0);
    cfg_format(&cfg, (enum cfg_id)_i, text, sizeof text);
    ck_assert_int_eq(cfg_set(&again, (enum cfg_id)_i, text,
                             (struct cfg_origin){.source = CFG_FROM_FLAG}, &error),
                     0);
    ck_assert(cfg_is_equal(&cfg, &again, (enum cfg_id)_i));
    cfg_fini(&again);
    cfg_fini(&cfg);
}
END_TEST

static const struct {
    const char *flag;
    const char *message; /* NULL: accepted */
} flags[] = {
    {"--mode=thread", NULL},
    {"--workers=4", NULL},
    {"--profile", NULL},
    {"--profile=off", NULL},
    {"--body-max=64k", NULL},
    {"--drain-timeout=1.5s", NULL},
    {"--mode=threads", "--mode=threads: expected one of coroutine|thread|prefork"},
    {"--workers=x", "--workers=x: expected a whole number from 0 to 1024"},
    {"--workers=-1", "--workers=-1: expected a whole number from 0 to 1024"},
    {"--workers=1025", "--workers=1025: expected a whole number from 0 to 1024"},
    {"--body-max=1kb", "--body-max=1kb: expected a size (such as 64k or 1M) from 0 to 1024G"},
    {"--header-timeout=0",
     "--header-timeout=0: expected a time (such as 250ms, 10s or 2m) from 1ms to 1h"},
    {"--profile=maybe", "--profile=maybe: expected on or off"},
    {"--listen=", "--listen=: expected a value"},
    {"--lisen=x", "unknown flag --lisen; did you mean --listen?"},
    {"--chidlren", "unknown flag --chidlren; did you mean --children?"},
    {"--zebra-crossing", "unknown flag --zebra-crossing; domaind --help lists the flags"},
    {"-x", "unknown flag -x; domaind --help lists the flags"},
    {"--help=yes", "--help takes no value"},
    {"--workers", "--workers needs a value"},
    {"8080", "unexpected argument '8080'; parameters are flags: --name=value"},
};

START_TEST(flags_are_taken_or_explained)
{
    struct cfg_error error = {.text = ""};
    int rv = parse(2, (const char *const[]){"domaind", flags[_i].flag, NULL}, &error);
    if (flags[_i].message == NULL) {
        ck_assert_int_eq(rv, 0);
    } else {
        ck_assert_int_eq(rv, -EINVAL);
        ck_assert_str_eq(error.text, flags[_i].message);
    }
    cfg_fini(&cfg);
}
END_TEST

START_TEST(values_arrive)
{
    struct cfg_error error;
    const char *const argv[] = {"domaind",       "--mode=prefork",   "--drain-timeout",  "250ms",
                                "--profile=off", "--listen=[::1]:1", "--listen=unix:/x", NULL};
    ck_assert_int_eq(parse(7, argv, &error), 0);
    ck_assert_int_eq(cfg.mode, CFG_MODE_PREFORK);
    ck_assert_int_eq(cfg.drain_timeout_ns, 250 * NS_PER_MS);
    ck_assert(!cfg.profile);
    ck_assert_str_eq(cfg.listen, "[::1]:1,unix:/x");
    ck_assert_int_eq(cfg.origin[CFG_mode].source, CFG_FROM_FLAG);
    ck_assert_int_eq(cfg.origin[CFG_workers].source, CFG_FROM_DEFAULT);
    cfg_fini(&cfg);
}
END_TEST

START_TEST(help_shows_every_flag)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    cfg_print_help(out);
    fclose(out);
    for (int id = 0; id < CFG_COUNT; id++) {
        char flag[80];
        snprintf(flag, sizeof flag, "  --%s=", cfg_params[id].name);
        ck_assert_ptr_nonnull(strstr(text, flag));
    }
    free(text);
}
END_TEST

static const struct {
    const char *flags[3]; /* NULL ends */
    int64_t min_spare, max_spare;
} spares[] = {
    {{"--children=4"}, 4, 32},
    {{"--max-spare=5"}, 5, 5},
    {{"--max-spare=5", "--children=3"}, 3, 5},
    {{"--min-spare=40"}, 40, 40},
    {{"--min-spare=2", "--children=4"}, 2, 32},
    {{"--children=100"}, 8, 32},
};

START_TEST(what_nobody_set_gives_way)
{
    struct cfg_error error = {.text = ""};
    const char *argv[5] = {"domaind"};
    int argc = 1;
    for (size_t i = 0; i < 3 && spares[_i].flags[i] != NULL; i++)
        argv[argc++] = spares[_i].flags[i];
    ck_assert_int_eq(parse(argc, argv, &error), 0);
    cfg_fit_defaults(&cfg);
    ck_assert_int_eq(cfg.min_spare, spares[_i].min_spare);
    ck_assert_int_eq(cfg.max_spare, spares[_i].max_spare);
    ck_assert_int_eq(cfg_validate(&cfg, &error), 0);
    cfg_fini(&cfg);
}
END_TEST

START_TEST(spare_bounds_may_not_cross)
{
    struct cfg_error error = {.text = ""};
    const char *const argv[] = {"domaind", "--min-spare=9", "--max-spare=3", NULL};
    ck_assert_int_eq(parse(3, argv, &error), 0);
    cfg_fit_defaults(&cfg);
    ck_assert_int_eq(cfg_validate(&cfg, &error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "--min-spare: 9 is above max-spare (3)"));
    cfg_fini(&cfg);
}
END_TEST

SUITE_MAIN("config", SUITE_LOOP(every_row_is_sound, cfg_params),
           SUITE_LOOP(flags_are_taken_or_explained, flags), SUITE_TEST(values_arrive),
           SUITE_TEST(help_shows_every_flag), SUITE_LOOP(what_nobody_set_gives_way, spares),
           SUITE_TEST(spare_bounds_may_not_cross))
