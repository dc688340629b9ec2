/* The words of the answers. */
#include "server/domain/domain.h"

#include "server/domain/idna_table.h"

static const char *const error_word[] = {
    "ok",
#define DOMAIN_ERROR(name, word, text) word,
#include "server/domain/error.def"
#undef DOMAIN_ERROR
};

static const char *const error_text[] = {
    "no error",
#define DOMAIN_ERROR(name, word, text) text,
#include "server/domain/error.def"
#undef DOMAIN_ERROR
};

static const char *const flag_word[] = {
#define DOMAIN_FLAG(name, word, meaning) word,
#include "server/domain/flag.def"
#undef DOMAIN_FLAG
};

static const char *const flag_meaning[] = {
#define DOMAIN_FLAG(name, word, meaning) meaning,
#include "server/domain/flag.def"
#undef DOMAIN_FLAG
};

const char *domain_error_word(enum domain_error error)
{
    return error_word[error];
}

const char *domain_error_text(enum domain_error error)
{
    return error_text[error];
}

const char *domain_flag_word(enum domain_flag_bit bit)
{
    return flag_word[bit];
}

const char *domain_flag_meaning(enum domain_flag_bit bit)
{
    return flag_meaning[bit];
}

const char *domain_unicode_version(void)
{
    return idna_unicode_version;
}

const char *domain_kind_word(enum domain_kind kind)
{
    static const char *const word[] = {
        [DOMAIN_KIND_NAME] = "domain", [DOMAIN_KIND_IPV4] = "ipv4", [DOMAIN_KIND_IPV6] = "ipv6"};
    return word[kind];
}

const char *domain_section_word(enum domain_section section)
{
    static const char *const word[] = {
        [DOMAIN_SECTION_NONE] = NULL,
        [DOMAIN_SECTION_ICANN] = "icann",
        [DOMAIN_SECTION_PRIVATE] = "private",
        [DOMAIN_SECTION_UNLISTED] = "unlisted",
    };
    return word[section];
}
