/* PCRE2: interpreted, and compiled to machine code. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "coro/prof/prof.h"
#include "server/domain/engine_internal.h"

struct pcre {
    pcre2_code *code;
    pcre2_match_data *data;
};

static void pcre_fini(void *state)
{
    struct pcre *p = state;
    pcre2_match_data_free(p->data);
    pcre2_code_free(p->code);
    free(p);
}

static int pcre_init(void **ret_state, char why[DOMAIN_ENGINE_WHY_BYTES])
{
    int error = 0;
    PCRE2_SIZE at;
    struct pcre *p = calloc(1, sizeof *p);
    if (p != NULL)
        p->code =
            pcre2_compile((PCRE2_SPTR)SAMPLE_PATTERN, PCRE2_ZERO_TERMINATED, 0, &error, &at, NULL);
    if (p != NULL && p->code != NULL)
        p->data = pcre2_match_data_create_from_pattern(p->code, NULL);
    if (p == NULL || p->data == NULL) {
        snprintf(why, DOMAIN_ENGINE_WHY_BYTES, "PCRE2 does not compile the pattern (error %d)",
                 error);
        if (p != NULL)
            pcre_fini(p);
        return -ENOMEM;
    }
    *ret_state = p;
    return 0;
}

static int jit_init(void **ret_state, char why[DOMAIN_ENGINE_WHY_BYTES])
{
    int rv = pcre_init(ret_state, why);
    if (rv < 0)
        return rv;
    struct pcre *p = *ret_state;
    int error = pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    if (error == 0)
        return 0;
    pcre_fini(p);
    *ret_state = NULL;
    if (error == PCRE2_ERROR_JIT_BADOPTION)
        snprintf(why, DOMAIN_ENGINE_WHY_BYTES, "this PCRE2 is built without its JIT");
    else
        snprintf(why, DOMAIN_ENGINE_WHY_BYTES,
                 "PCRE2's JIT may not run here: the system refuses executable memory");
    return -ENOTSUP;
}

static struct domain_text group_of(const struct pcre *p, const char *text, int matched)
{
    if (matched < 2)
        return (struct domain_text){NULL, 0};
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->data);
    return (struct domain_text){text + at[2], at[3] - at[2]};
}

static struct domain_text pcre_match(void *state, const char *text, size_t len)
{
    PROF_SCOPE("{pcre2_match}");
    struct pcre *p = state;
    return group_of(p, text, pcre2_match(p->code, (PCRE2_SPTR)text, len, 0, 0, p->data, NULL));
}

static struct domain_text jit_match(void *state, const char *text, size_t len)
{
    PROF_SCOPE("{pcre2_jit_match}");
    struct pcre *p = state;
    return group_of(p, text, pcre2_jit_match(p->code, (PCRE2_SPTR)text, len, 0, 0, p->data, NULL));
}

const struct matcher_ops matcher_pcre = {pcre_init, pcre_fini, pcre_match};
const struct matcher_ops matcher_pcre_jit = {jit_init, pcre_fini, jit_match};
