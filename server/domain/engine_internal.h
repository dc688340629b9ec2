/* server/domain/engine_internal.h - what an engine is made of. */
#pragma once

#include "server/domain/engine.h"

/* The sample's pattern, anchored as its match() is. */
#define SAMPLE_PATTERN "^https?://([^/]+)/"

/* One way to run the pattern. */
struct matcher_ops {
    int (*init)(void **ret_state, char why[DOMAIN_ENGINE_WHY_BYTES]);
    void (*fini)(void *state);
    /* The first group; at NULL: no match. */
    struct domain_text (*match)(void *state, const char *text, size_t len);
};

extern const struct matcher_ops matcher_regex_each;
extern const struct matcher_ops matcher_regex;
extern const struct matcher_ops matcher_pcre;
extern const struct matcher_ops matcher_pcre_jit;
