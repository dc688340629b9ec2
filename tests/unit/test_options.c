/* Command lines: what they mean, and which are refused with 2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "loadgen/options.h"
#include "suite.h"

#define ARGS_MAX 8

static int count(char *const *argv)
{
    int n = 0;
    while (argv[n] != NULL)
        n++;
    return n;
}

/* argp wants what main gets, and sorts it: an array of its own, strings that stay. */
static void parse(struct lg_options *o, const char *const *args)
{
    static char *argv[ARGS_MAX + 2];
    memset(argv, 0, sizeof argv);
    argv[0] = (char *)(uintptr_t) "loadgen";
    for (int i = 0; args[i] != NULL; i++)
        argv[i + 1] = (char *)(uintptr_t)args[i];
    lg_options_parse(o, count(argv), argv);
}

START_TEST(a_run_without_words)
{
    struct lg_options o;
    parse(&o, (const char *const[]){NULL});
    ck_assert(!o.is_compare);
    ck_assert_str_eq(o.url, LG_DEFAULT_URL);
    ck_assert_uint_eq(o.load.connections, 10);
    ck_assert_uint_eq(o.load.threads, 1);
    ck_assert_int_eq(o.load.duration_ns, 10 * NS_PER_S);
    ck_assert_int_eq(o.load.warmup_ns, 0);
    ck_assert(o.load.keepalive && o.shape.keepalive);
    ck_assert_str_eq(o.shape.method, "GET");
    lg_options_fini(&o);
}
END_TEST

START_TEST(a_comparison_without_words)
{
    struct lg_options o;
    parse(&o, (const char *const[]){"compare", NULL});
    ck_assert(o.is_compare);
    ck_assert_str_eq(o.modes, "coroutine,thread,prefork");
    ck_assert_str_eq(o.scenarios, "tiny");
    ck_assert_uint_eq(o.rounds, 0); /* as many as the candidates need */
    ck_assert_int_eq(o.load.duration_ns, 500 * NS_PER_MS);
    ck_assert_int_eq(o.load.warmup_ns, 300 * NS_PER_MS);
    ck_assert(o.pin);
    lg_options_fini(&o);
}
END_TEST

START_TEST(what_follows_from_what)
{
    struct lg_options o;
    parse(&o, (const char *const[]){"-b", "text", "-n", "3", "-c", "9", "-t", "5", NULL});
    ck_assert_str_eq(o.shape.method, "POST");
    ck_assert_uint_eq(o.shape.body_bytes, 4);
    ck_assert_int_eq(o.load.duration_ns, 0); /* -n ends it */
    ck_assert_uint_eq(o.load.connections, 3);
    ck_assert_uint_eq(o.load.threads, 3);
    lg_options_fini(&o);
    parse(&o, (const char *const[]){"-R", "50k", "--poisson", "--timeout=250ms", NULL});
    ck_assert_double_eq(o.load.rate_per_s, 50000);
    ck_assert(o.load.poisson);
    ck_assert_int_eq(o.load.timeout_ns, 250 * NS_PER_MS);
    lg_options_fini(&o);
}
END_TEST

static const struct {
    const char *args[ARGS_MAX];
} refused[] = {
    {{"--no-such-flag"}},
    {{"-c", "0"}},
    {{"-c", "many"}},
    {{"-c", "1000001"}},
    {{"-t", "257"}},
    {{"-n", "0"}},
    {{"-d", "0"}},
    {{"-d", "soon"}},
    {{"-d", "-1s"}},
    {{"--timeout", "0"}},
    {{"-R", "0"}},
    {{"-R", "-5"}},
    {{"-R", "nan"}},
    {{"-R", "inf"}},
    {{"-R", "5x"}},
    {{"--poisson"}},
    {{"--pipeline", "257"}},
    {{"--pipeline", "2", "-R", "5"}},
    {{"--pipeline", "2", "--no-keepalive"}},
    {{"--pipeline", "2", "--trickle", "1ms"}},
    {{"--url-param", "u"}},
    {{"-X", "GE T"}},
    {{"-X", ""}},
    {{"-H", "no colon"}},
    {{"-H", ": x"}},
    {{"-H", "a: b\r\nc: d"}},
    {{"-b", "@/nowhere"}},
    {{"-b", "@/"}}, /* a folder */
    {{"-b", "@/dev/zero"}},
    {{"http://a/", "http://b/"}},
    {{"compare", "--rounds", "0"}},
    {{"compare", "--rounds", "65"}},
    {{"compare", "--budget", "long"}},
    {{"compare", "--budget", "0"}},
    {{"compare", "--seed", "x"}},
    {{"compare", "-R", "5"}},
    {{"compare", "--pipeline", "2"}},
    {{"compare", "surplus"}},
};

START_TEST(nonsense_is_refused)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct lg_options o;
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(99);
        parse(&o, refused[_i].args);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 2);
}
END_TEST

SUITE_MAIN("options", SUITE_TEST(a_run_without_words), SUITE_TEST(a_comparison_without_words),
           SUITE_TEST(what_follows_from_what), SUITE_LOOP(nonsense_is_refused, refused))
