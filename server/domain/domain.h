/* server/domain/domain.h - from a URL to its host, public suffix and
 * registrable domain.
 *
 * The host is the one of the WHATWG URL standard: what a browser would connect
 * to.  The suffix comes from the Public Suffix List, and every answer carries
 * both readings: with the list's private section (github.io is a suffix) and
 * by its ICANN section alone (io is).
 *
 *   context    pure functions, any thread; no I/O except domain_suffixes_load and _find
 *   memory     nothing is allocated per URL: slices point into the URL or into
 *              the result's own store
 *   returns    enum domain_error for inputs, 0 or -errno for files
 *   ownership  a suffix table is shared: immutable, reference-counted */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"

/* ---- what can be wrong with an input ---- */

enum domain_error {
    DOMAIN_OK,
#define DOMAIN_ERROR(name, word, text) DOMAIN_ERROR_##name,
#include "server/domain/error.def"
#undef DOMAIN_ERROR
    DOMAIN_ERROR_COUNT
};

/* "host_idna", and a sentence without a full stop; never NULL. */
const char *domain_error_word(enum domain_error error);
const char *domain_error_text(enum domain_error error);

/* ---- where parsers disagree ---- */

enum domain_flag_bit {
#define DOMAIN_FLAG(name, word, meaning) DOMAIN_FLAG_BIT_##name,
#include "server/domain/flag.def"
#undef DOMAIN_FLAG
    DOMAIN_FLAG_COUNT
};

enum domain_flag {
#define DOMAIN_FLAG(name, word, meaning) DOMAIN_##name = 1 << DOMAIN_FLAG_BIT_##name,
#include "server/domain/flag.def"
#undef DOMAIN_FLAG
};

/* The word of one bit, "userinfo"; what it means, for documentation. */
const char *domain_flag_word(enum domain_flag_bit bit);
const char *domain_flag_meaning(enum domain_flag_bit bit);

/* ---- the answer ---- */

/* Longest host in its ASCII form; four times what DNS can carry. */
#define DOMAIN_HOST_MAX_BYTES 1024
/* Readable bytes before a stored host: the suffix walk loads whole words backwards. */
#define DOMAIN_STORE_FRONT_BYTES 16
#define DOMAIN_NONE              UINT16_MAX

enum domain_kind { DOMAIN_KIND_NAME, DOMAIN_KIND_IPV4, DOMAIN_KIND_IPV6 };

enum domain_section {
    DOMAIN_SECTION_NONE, /* an address, or a name with an empty label: no suffix */
    DOMAIN_SECTION_ICANN,
    DOMAIN_SECTION_PRIVATE,
    DOMAIN_SECTION_UNLISTED, /* no rule: the last label is taken for the suffix */
};

/* A host divided by one reading of the list; offsets into the host, each part
 * running to its end (so a trailing dot stays with all of them). */
struct domain_cut {
    uint16_t suffix_at;      /* DOMAIN_NONE: no suffix */
    uint16_t registrable_at; /* suffix plus one label; DOMAIN_NONE: the host is a bare suffix */
    uint8_t section;         /* enum domain_section */
};

struct domain_result {
    const char *host;  /* ASCII, lower case; IPv6 in brackets; borrowed: in the URL or in store */
    uint16_t host_len; /* 1..DOMAIN_HOST_MAX_BYTES */
    uint16_t flags;    /* set of enum domain_flag */
    int32_t port;      /* -1: none, or the scheme's own */
    uint8_t kind;      /* enum domain_kind */
    struct domain_cut all;   /* by the whole list */
    struct domain_cut icann; /* by its ICANN section alone */
    /* Valid only as far as host says; never copied or cleared as a whole. */
    char store[DOMAIN_STORE_FRONT_BYTES + DOMAIN_HOST_MAX_BYTES];
};

/* A run of bytes inside a result's host; at is NULL when there is none. */
struct domain_text {
    const char *at;
    size_t len;
};

struct domain_suffixes;

/* The host of url[0..len) and its cuts.  On failure *ret is undefined.  Bytes
 * that are not UTF-8 are allowed everywhere but in the host. */
MUST_USE enum domain_error domain_parse(const struct domain_suffixes *suffixes, const char *url,
                                        size_t len, struct domain_result *ret);

/* The display form of a host: punycode labels decoded where they are valid
 * internationalised labels, UTF-8.  Returns its length, at most
 * DOMAIN_UNICODE_MAX_BYTES. */
#define DOMAIN_UNICODE_MAX_BYTES (4 * DOMAIN_HOST_MAX_BYTES)
size_t domain_unicode(const char *host, size_t host_len, char ret_text[DOMAIN_UNICODE_MAX_BYTES]);

static inline struct domain_text domain_suffix(const struct domain_result *r,
                                               const struct domain_cut *cut)
{
    if (cut->suffix_at == DOMAIN_NONE)
        return (struct domain_text){NULL, 0};
    return (struct domain_text){r->host + cut->suffix_at, (size_t)r->host_len - cut->suffix_at};
}

static inline struct domain_text domain_registrable(const struct domain_result *r,
                                                    const struct domain_cut *cut)
{
    if (cut->registrable_at == DOMAIN_NONE)
        return (struct domain_text){NULL, 0};
    return (struct domain_text){r->host + cut->registrable_at,
                                (size_t)r->host_len - cut->registrable_at};
}

/* What stands before the registrable domain, without the dot between. */
static inline struct domain_text domain_subdomain(const struct domain_result *r,
                                                  const struct domain_cut *cut)
{
    if (cut->registrable_at == DOMAIN_NONE || cut->registrable_at == 0)
        return (struct domain_text){NULL, 0};
    return (struct domain_text){r->host, (size_t)cut->registrable_at - 1};
}

/* Of the table that internationalised names go by: "16.0.0". */
const char *domain_unicode_version(void);

/* "domain", "ipv4", "ipv6". */
const char *domain_kind_word(enum domain_kind kind);
/* "icann", "private", "unlisted"; NULL for DOMAIN_SECTION_NONE. */
const char *domain_section_word(enum domain_section section);

/* ---- the suffix list ---- */

/* Where Debian's package publicsuffix keeps the list. */
#define DOMAIN_SUFFIX_LIST_PATH "/usr/share/publicsuffix/public_suffix_list.dat"
/* Where root's `domainc psl update` keeps a newer one, for every program of the machine. */
#define DOMAIN_SUFFIX_LIST_UPDATED "/var/lib/domaind/public_suffix_list.dat"

#define DOMAIN_PATH_BYTES 4096
/* Where this user keeps one: domaind/public_suffix_list.dat in $XDG_DATA_HOME or in
 * ~/.local/share; false: there is no such place. */
bool domain_suffixes_own_path(char ret_path[DOMAIN_PATH_BYTES]);
/* The newest of own (borrowed; NULL: none), the machine's updated list and the
 * package's, as far as they can be read; the package's when there is none. */
const char *domain_suffixes_find(const char *own);

/* Why a list was refused. */
struct domain_load_error {
    unsigned line; /* 1-based; 0: the file as a whole */
    char what[120];
};

struct domain_suffixes_info {
    unsigned icann_rules;
    unsigned private_rules;
    unsigned wildcards;
    unsigned exceptions;
    char version[48]; /* the list's VERSION comment; "" when it has none */
};

/* Read a list and build its table (owned: one reference).  0, or -errno from
 * reading, -EINVAL not a suffix list, -ENOMEM; *why is filled in on failure. */
MUST_USE int domain_suffixes_load(const char *path, struct domain_suffixes **ret_suffixes,
                                  struct domain_load_error *why);
/* The same from memory. */
MUST_USE int domain_suffixes_parse(const char *text, size_t len,
                                   struct domain_suffixes **ret_suffixes,
                                   struct domain_load_error *why);
void domain_suffixes_ref(struct domain_suffixes *suffixes);
void domain_suffixes_unref(struct domain_suffixes *suffixes); /* NULL: nothing */
struct domain_suffixes_info domain_suffixes_info(const struct domain_suffixes *suffixes);

/* Bytes that a copy takes. */
size_t domain_suffixes_bytes(const struct domain_suffixes *suffixes);
/* Copy the table whole into the caller's memory (of that many bytes, 64-aligned), at its
 * front.  It is there as long as the memory is, at the same address in processes
 * forked later; ref and unref do nothing to it. */
struct domain_suffixes *domain_suffixes_copy(const struct domain_suffixes *suffixes, void *memory);

/* ---- the list in force ----
 *
 * One list is in force in a process, swapped while threads use it: each thread
 * keeps a reference to the table it saw last and looks for a newer one when it
 * asks again.  An old table is freed when the last thread has moved on (or
 * ended).  Inherited by fork. */

/* Put a table in force (the reference is transferred). */
void domain_suffixes_install(struct domain_suffixes *suffixes);
/* The table in force, NULL before the first install.  Borrowed until this
 * thread asks again: do not keep it across anything that parks a task. */
const struct domain_suffixes *domain_suffixes_current(void);
