/* POSIX regular expressions: compiled on every call, and once.
 *
 * glibc's regcomp only parses; the automaton is built state by state by the
 * first match that reaches each.  compile() makes that first match itself, on a
 * specimen, so that the cost of a fresh pattern stands in the {regcomp} row of a
 * profile and not in {regexec}. */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "coro/prof/prof.h"
#include "server/domain/engine_internal.h"

static int compile(regex_t *re)
{
    static const char specimen[] = "https://ab/";
    PROF_SCOPE("{regcomp}");
    regmatch_t group[2];
    int rv = regcomp(re, SAMPLE_PATTERN, REG_EXTENDED);
    return rv != 0 ? rv : regexec(re, specimen, ARRAY_LEN(group), group, 0);
}

static struct domain_text match(const regex_t *re, const char *text, size_t len)
{
    PROF_SCOPE("{regexec}");
    regmatch_t group[2] = {{.rm_so = 0, .rm_eo = (regoff_t)len}};
    if (regexec(re, text, ARRAY_LEN(group), group, REG_STARTEND) != 0)
        return (struct domain_text){NULL, 0};
    return (struct domain_text){text + group[1].rm_so, (size_t)(group[1].rm_eo - group[1].rm_so)};
}

static void discard(regex_t *re)
{
    PROF_SCOPE("{regfree}");
    regfree(re);
}

/* ---- compiled once ---- */

static int regex_init(void **ret_state, char why[DOMAIN_ENGINE_WHY_BYTES])
{
    regex_t *re = malloc(sizeof *re);
    if (re == NULL || compile(re) != 0) {
        free(re);
        snprintf(why, DOMAIN_ENGINE_WHY_BYTES, "regcomp does not compile the pattern");
        return -ENOMEM;
    }
    *ret_state = re;
    return 0;
}

static void regex_fini(void *state)
{
    regfree(state);
    free(state);
}

static struct domain_text regex_match(void *state, const char *text, size_t len)
{
    return match(state, text, len);
}

const struct matcher_ops matcher_regex = {regex_init, regex_fini, regex_match};

/* ---- compiled on every call: the lesson's slow way ---- */

static int each_init(void **ret_state, char why[DOMAIN_ENGINE_WHY_BYTES] MAYBE_UNUSED)
{
    *ret_state = NULL;
    return 0;
}

static void each_fini(void *state MAYBE_UNUSED)
{
}

static struct domain_text each_match(void *state MAYBE_UNUSED, const char *text, size_t len)
{
    regex_t re;
    if (compile(&re) != 0) /* out of memory: as if it did not match */
        return (struct domain_text){NULL, 0};
    struct domain_text group = match(&re, text, len);
    discard(&re);
    return group;
}

const struct matcher_ops matcher_regex_each = {each_init, each_fini, each_match};
