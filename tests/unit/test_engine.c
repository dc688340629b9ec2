/* Every engine gives the answer that its kind owes. */
#include "server/domain/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

struct engine_case {
    const char *url;
    size_t len;         /* 0: strlen */
    const char *sample; /* what the pattern finds; "": no match */
};

static const struct engine_case engine_cases[] = {
    {"https://www.google.com/"
     "search?q=Enhancement&aq=f&sugexp=chrome,mod=0&sourceid=chrome&ie=UTF-8",
     0, "www.google.com"},
    {"http://u:p@h.com:8080/", 0, "u:p@h.com:8080"},
    {"http://ok.com", 0, ""},
    {"https://ok.com#@evil.com/", 0, "ok.com#@evil.com"},
    {"HTTP://GOOD.com/", 0, ""},
    {"ahttp://good.com/", 0, ""},
    {"http:///x/", 0, ""},
    {"http://a\nb/", 0, "a\nb"},
    {"http://a\0b/", 11, "a"},
    {"http://outside/", 14, ""},
    {"", 0, ""},
};

static struct domain_engine *engine(enum domain_engine_kind kind)
{
    struct domain_engine *e;
    char why[DOMAIN_ENGINE_WHY_BYTES];
    int rv = domain_engine_new(kind, &e, why);
    ck_assert_msg(rv == 0 || rv == -ENOTSUP, "%s", why);
    return rv == 0 ? e : NULL;
}

START_TEST(regex_engines_answer_as_the_sample)
{
    const struct engine_case *c = &engine_cases[_i];
    size_t len = c->len != 0 ? c->len : strlen(c->url);
    for (int kind = DOMAIN_ENGINE_SCAN + 1; kind < DOMAIN_ENGINE_COUNT; kind++) {
        struct domain_engine *e = engine((enum domain_engine_kind)kind);
        struct domain_text got;
        if (e == NULL) /* the JIT may not run here */
            continue;
        ck_assert_int_eq(domain_engine_find(e, NULL, c->url, len, &got), DOMAIN_OK);
        size_t expected_len = memchr(c->url, '\0', len) != NULL ? 3 : strlen(c->sample);
        ck_assert_msg(got.len == expected_len && memcmp(got.at, c->sample, strlen(c->sample)) == 0,
                      "%s: %s gave '%.*s'", domain_engine_word((enum domain_engine_kind)kind),
                      c->url, (int)got.len, got.at);
        domain_engine_free(e);
    }
}
END_TEST

START_TEST(scan_is_the_real_extraction)
{
    struct domain_suffixes *s;
    struct domain_load_error why;
    struct domain_text got;
    ck_assert_int_eq(domain_suffixes_parse("com", 3, &s, &why), 0);
    struct domain_engine *e = engine(DOMAIN_ENGINE_SCAN);
    ck_assert_int_eq(domain_engine_find(e, s, "HTTP://u@Ok.COM", 15, &got), DOMAIN_OK);
    ck_assert(got.len == 6 && memcmp(got.at, "ok.com", 6) == 0);
    ck_assert_int_eq(domain_engine_find(e, s, "http://1.2.3.256/", 17, &got), DOMAIN_ERROR_IPV4);
    domain_engine_free(e);
    domain_suffixes_unref(s);
}
END_TEST

START_TEST(names)
{
    for (int i = 0; i < DOMAIN_ENGINE_COUNT; i++) {
        enum domain_engine_kind kind;
        const char *word = domain_engine_word((enum domain_engine_kind)i);
        ck_assert_int_eq(domain_engine_find_kind(word, strlen(word), &kind), 0);
        ck_assert_int_eq((int)kind, i);
    }
    enum domain_engine_kind kind;
    ck_assert_int_eq(domain_engine_find_kind("regexx", 6, &kind), -ENOENT);
}
END_TEST

/* A message that names every engine: in the order of the table, each word known again. */
START_TEST(the_list_of_words_has_every_engine)
{
    char list[256];
    size_t n = 0;
    snprintf(list, sizeof list, "%s", domain_engine_words());
    for (char *word = strtok(list, ", "); word != NULL; word = strtok(NULL, ", ")) {
        enum domain_engine_kind kind;
        ck_assert_int_eq(domain_engine_find_kind(word, strlen(word), &kind), 0);
        ck_assert_uint_eq(kind, n++);
    }
    ck_assert_uint_eq(n, DOMAIN_ENGINE_COUNT);
}
END_TEST

/* Memory-deny-write-execute (Linux 6.3): what a hardened service unit does. */
#define DENY_PRCTL 65
#define DENY_EXEC  1

enum { DENIED = 0, WRONG = 1, CANNOT_TEST = 2 };

START_TEST(no_silent_fall_back_where_the_jit_may_not_run)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct domain_engine *e;
        char why[DOMAIN_ENGINE_WHY_BYTES] = "";
        if (prctl(DENY_PRCTL, DENY_EXEC, 0, 0, 0) < 0)
            _exit(CANNOT_TEST);
        int rv = domain_engine_new(DOMAIN_ENGINE_PCRE_JIT, &e, why);
        _exit(rv == -ENOTSUP && strstr(why, "JIT") != NULL ? DENIED : WRONG);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT_TEST)
        printf("not tested: this kernel cannot refuse executable memory\n");
    else
        ck_assert_int_eq(WEXITSTATUS(status), DENIED);
}
END_TEST

/* The JIT first: once it ran in this process it has executable memory to use again. */
SUITE_MAIN("engine", SUITE_TEST(no_silent_fall_back_where_the_jit_may_not_run),
           SUITE_LOOP(regex_engines_answer_as_the_sample, engine_cases),
           SUITE_TEST(scan_is_the_real_extraction), SUITE_TEST(names),
           SUITE_TEST(the_list_of_words_has_every_engine))
