/* server/domain/engine.h - the same question answered in five ways, to compare
 * what each costs.
 *
 * All but `scan` run the pattern ^https?://([^/]+)/ and answer its first group,
 * or the empty string where it does not match: no standard, no suffix list.
 *
 *   context    an engine belongs to one thread at a time
 *   ownership  domain_engine_new gives an owned engine; answers are borrowed
 *              from the URL, or from the engine until its next call */
#pragma once

#include "server/domain/domain.h"

enum domain_engine_kind {
#define DOMAIN_ENGINE(name, word, what) DOMAIN_ENGINE_##name,
#include "server/domain/engine.def"
#undef DOMAIN_ENGINE
    DOMAIN_ENGINE_COUNT
};

/* "regex-each" */
const char *domain_engine_word(enum domain_engine_kind kind);
/* All of them, for messages: "scan, regex-each, ..."; static. */
const char *domain_engine_words(void);
/* The engine of that name (len bytes); 0 or -ENOENT. */
MUST_USE int domain_engine_find_kind(const char *word, size_t len,
                                     enum domain_engine_kind *ret_kind);

struct domain_engine;

#define DOMAIN_ENGINE_WHY_BYTES 160

/* 0, or -ENOMEM, -ENOTSUP (the JIT is not built in or may not run here: there is
 * no silent fall-back), -EINVAL; why says it in words. */
MUST_USE int domain_engine_new(enum domain_engine_kind kind, struct domain_engine **ret_engine,
                               char why[DOMAIN_ENGINE_WHY_BYTES]);
void domain_engine_free(struct domain_engine *engine); /* NULL: nothing */
enum domain_engine_kind domain_engine_kind(const struct domain_engine *engine);

/* The domain of a URL.  DOMAIN_OK with an empty text: no match. */
MUST_USE enum domain_error domain_engine_find(struct domain_engine *engine,
                                              const struct domain_suffixes *suffixes,
                                              const char *url, size_t len,
                                              struct domain_text *ret_domain);
