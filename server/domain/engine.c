#include "server/domain/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/err.h"
#include "coro/prof/prof.h"
#include "server/domain/engine_internal.h"

struct domain_engine {
    enum domain_engine_kind kind;
    const struct matcher_ops *ops; /* NULL: scan */
    void *state;
    struct domain_result result; /* scan's answers point in here */
};

static const char *const words[] = {
#define DOMAIN_ENGINE(name, word, what) word,
#include "server/domain/engine.def"
#undef DOMAIN_ENGINE
};

static const struct matcher_ops *const matchers[] = {
    [DOMAIN_ENGINE_SCAN] = NULL,
    [DOMAIN_ENGINE_REGEX_EACH] = &matcher_regex_each,
    [DOMAIN_ENGINE_REGEX] = &matcher_regex,
    [DOMAIN_ENGINE_PCRE] = &matcher_pcre,
    [DOMAIN_ENGINE_PCRE_JIT] = &matcher_pcre_jit,
};

const char *domain_engine_word(enum domain_engine_kind kind)
{
    return words[kind];
}

const char *domain_engine_words(void)
{
    static const char list[] =
#define DOMAIN_ENGINE(name, word, what) ", " word
#include "server/domain/engine.def"
#undef DOMAIN_ENGINE
        ;
    return list + 2;
}

int domain_engine_find_kind(const char *word, size_t len, enum domain_engine_kind *ret_kind)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0) {
            *ret_kind = (enum domain_engine_kind)i;
            return 0;
        }
    }
    return -ENOENT;
}

int domain_engine_new(enum domain_engine_kind kind, struct domain_engine **ret_engine,
                      char why[DOMAIN_ENGINE_WHY_BYTES])
{
    struct domain_engine *e = malloc(sizeof *e);
    if (e == NULL) {
        snprintf(why, DOMAIN_ENGINE_WHY_BYTES, "%s", err_text(-ENOMEM));
        return -ENOMEM;
    }
    e->kind = kind;
    e->ops = matchers[kind];
    e->state = NULL;
    int rv = e->ops == NULL ? 0 : e->ops->init(&e->state, why);
    if (rv < 0) {
        free(e);
        return rv;
    }
    *ret_engine = e;
    return 0;
}

void domain_engine_free(struct domain_engine *e)
{
    if (e == NULL)
        return;
    if (e->ops != NULL)
        e->ops->fini(e->state);
    free(e);
}

enum domain_engine_kind domain_engine_kind(const struct domain_engine *e)
{
    return e->kind;
}

/* Named as in the sample, so that the tables of a profile can be laid side by side. */
static enum domain_error find_domain(struct domain_engine *e,
                                     const struct domain_suffixes *suffixes, const char *url,
                                     size_t len, struct domain_text *ret_domain)
{
    PROF_FN();
    if (e->ops == NULL) {
        enum domain_error error = domain_parse(suffixes, url, len, &e->result);
        if (error == DOMAIN_OK)
            *ret_domain = (struct domain_text){e->result.host, e->result.host_len};
        return error;
    }
    struct domain_text group = e->ops->match(e->state, url, len);
    *ret_domain = group.at == NULL ? (struct domain_text){url, 0} : group;
    return DOMAIN_OK;
}

enum domain_error domain_engine_find(struct domain_engine *e,
                                     const struct domain_suffixes *suffixes, const char *url,
                                     size_t len, struct domain_text *ret_domain)
{
    return find_domain(e, suffixes, url, len, ret_domain);
}
