/* From a URL to its host: the WHATWG URL parser as far as the host needs it.
 *
 * Nearly every URL people have begins with http:// or https:// and goes on with
 * lower-case letters, digits, dots, hyphens.  parse_plain() takes exactly
 * those: it classifies 16 bytes at a time, copies nothing, and gives up at the
 * first byte that could mean anything else.  parse_any() then does the whole
 * standard: trimming, removed tabs, backslashes, any number of slashes, the
 * last @, ports; host.c takes the host from there.
 *
 * Beyond the standard (each with its flag): a URL without a scheme is read as
 * if http:// stood before it; a scheme that is not special but is followed by
 * // gives its authority's host, by the same host rules.
 *
 * Invariants: no byte outside url[0..len) is read; both ways give the same
 * answer where parse_plain() gives one. */
#include "coro/prof/prof.h"
#include "server/domain/internal.h"
#include "server/domain/simd.h"

enum { PORT_NONE = -1, PORT_MAX = 65535, SCHEME_MAX_BYTES = 32 };

/* ---- the plain URL ---- */

/* Length of "https://" or "http://" at the start, 0 when neither. */
static size_t plain_scheme(const char *url, size_t len)
{
    if (len < 9 || memcmp(url, "http", 4) != 0)
        return 0;
    if (memcmp(url + 4, "s://", 4) == 0)
        return 8;
    return memcmp(url + 4, "://", 3) == 0 ? 7 : 0;
}

/* Up to 63 plain bytes from `at` on; their dots.  64: more than that. */
static size_t plain_run(const char *at, const char *end, uint64_t *ret_dots)
{
    uint64_t dots = 0;
    for (size_t n = 0; n < 64; n += 16) {
        size_t left = (size_t)(end - at) - n;
        struct host_bits bits =
            host_classify(left >= 16 ? host_load(at + n) : host_load_part(at + n, left));
        dots |= (uint64_t)bits.dot << n;
        if (bits.plain != 0xffff) {
            size_t run = n + (size_t)__builtin_ctz(~bits.plain);
            *ret_dots = dots & ((UINT64_C(1) << run) - 1);
            return run;
        }
    }
    return 64;
}

/* ":8080" up to the end of the authority; false when it is anything else. */
static bool plain_port(const char *at, const char *end, int32_t scheme_port, int32_t *ret_port)
{
    int32_t port = 0;
    const char *first = ++at;
    while (at < end && is_digit((unsigned char)*at) && at - first < 5)
        port = port * 10 + (*at++ - '0');
    if (at == first || port > PORT_MAX || (at < end && *at != '/' && *at != '?' && *at != '#'))
        return false;
    *ret_port = port == scheme_port ? PORT_NONE : port;
    return true;
}

static bool parse_plain(const struct domain_suffixes *suffixes, const char *url, size_t len,
                        struct domain_result *r)
{
    size_t scheme = plain_scheme(url, len);
    if (scheme == 0)
        return false;
    const char *host = url + scheme, *end = url + len;
    uint64_t dots;
    size_t n = plain_run(host, end, &dots);
    if (n == 0 || n >= 64)
        return false;
    const char *stop = host + n;
    int32_t port = PORT_NONE;
    unsigned flags = 0;
    if (stop == end || *stop != '/') {
        flags = DOMAIN_SAMPLE_DIFFERS;
        if (stop < end && *stop == ':') {
            if (!plain_port(stop, end, scheme == 8 ? 443 : 80, &port))
                return false;
        } else if (stop < end && *stop != '?' && *stop != '#') {
            return false;
        }
    }
    /* a last label that begins with a digit may be an address: the long way */
    uint64_t inner = dots & ~(UINT64_C(1) << (n - 1));
    size_t last = inner == 0 ? 0 : 64 - (size_t)__builtin_clzll(inner);
    if (is_digit((unsigned char)host[last]))
        return false;
    if (stop[-1] == '.')
        flags |= DOMAIN_TRAILING_DOT;
    r->host = host;
    r->host_len = (uint16_t)n;
    r->flags = (uint16_t)flags;
    r->port = port;
    r->kind = DOMAIN_KIND_NAME;
    suffix_cut(suffixes, r, dots);
    return true;
}

/* ---- any URL ---- */

struct scheme {
    const char *name;
    int32_t port;
};

/* WHATWG's special schemes; file is one too, but its hosts are read as other schemes'. */
static const struct scheme special_schemes[] = {
    {"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}, {"ftp", 21},
};

/* What is being taken apart; at moves through it. */
struct url {
    const char *start; /* trimmed */
    const char *at;
    const char *end;
    const struct scheme *special; /* NULL: another scheme */
    const char *host;             /* tabs and newlines still in */
    const char *host_end;
    const char *authority_end;
    unsigned flags;
};

/* The next byte that counts, without taking it; -1 at the end. */
static int peek(struct url *u)
{
    while (u->at < u->end && is_removed(*u->at)) {
        u->flags |= DOMAIN_TAB_NEWLINE;
        u->at++;
    }
    return u->at < u->end ? (unsigned char)*u->at : -1;
}

static void trim(struct url *u)
{
    while (u->at < u->end && (unsigned char)*u->at <= ' ')
        u->at++;
    while (u->end > u->at && (unsigned char)u->end[-1] <= ' ')
        u->end--;
    u->start = u->at;
}

/* Does what follows "h.com:" look like a port, up to the end of the authority? */
static bool is_port_ahead(struct url u)
{
    while (peek(&u) >= 0 && is_digit((unsigned char)peek(&u)))
        u.at++;
    int c = peek(&u);
    return c < 0 || c == '/' || c == '?' || c == '#' || c == '\\';
}

/* Takes "scheme:" if there is one, and the slashes behind it. */
static enum domain_error take_scheme(struct url *u)
{
    static const struct scheme schemeless = {"", 80};
    struct url at_start = *u;
    char name[SCHEME_MAX_BYTES + 1];
    size_t n = 0;
    int c = peek(u);
    if (c >= 0 && is_alpha((unsigned char)c)) {
        for (; c >= 0 && (is_alpha((unsigned char)c) || is_digit((unsigned char)c) || c == '+' ||
                          c == '-' || c == '.');
             u->at++, c = peek(u))
            if (n < SCHEME_MAX_BYTES)
                name[n++] = (char)(is_alpha((unsigned char)c) ? c | 0x20 : c);
    }
    name[n] = '\0';
    if (n > 0 && c == ':') {
        u->at++;
        for (size_t i = 0; i < ARRAY_LEN(special_schemes); i++)
            if (strcmp(name, special_schemes[i].name) == 0) {
                u->special = &special_schemes[i];
                return DOMAIN_OK;
            }
        struct url after = *u;
        if (peek(&after) == '/' && (after.at++, peek(&after)) == '/') {
            u->flags = after.flags | DOMAIN_OTHER_SCHEME;
            u->at = after.at + 1;
            return DOMAIN_OK;
        }
        if (!is_port_ahead(*u))
            return DOMAIN_ERROR_NO_AUTHORITY;
        /* "h.com:8080/x": the colon was a port's */
    }
    *u = at_start;
    u->special = &schemeless;
    u->flags |= DOMAIN_SCHEMELESS;
    return DOMAIN_OK;
}

/* A special scheme takes slashes and backslashes in any number.  Without a
 * scheme two of them stand before a host, one begins a path, none is a host. */
static enum domain_error take_slashes(struct url *u)
{
    if (u->special == NULL)
        return DOMAIN_OK;
    unsigned n = 0;
    for (int c = peek(u); c == '/' || c == '\\'; u->at++, c = peek(u), n++)
        if (c == '\\')
            u->flags |= DOMAIN_BACKSLASH;
    return (u->flags & DOMAIN_SCHEMELESS) != 0 && n == 1 ? DOMAIN_ERROR_NO_HOST : DOMAIN_OK;
}

/* Finds the end of the authority and the host behind the last @. */
static void find_host(struct url *u)
{
    unsigned ats = 0;
    u->host = u->at;
    for (; u->at < u->end; u->at++) {
        char c = *u->at;
        if (c == '/' || c == '?' || c == '#')
            break;
        if (c == '\\' && u->special != NULL) {
            u->flags |= DOMAIN_BACKSLASH;
            break;
        }
        if (is_removed(c))
            u->flags |= DOMAIN_TAB_NEWLINE;
        if (c == '@') {
            ats++;
            u->host = u->at + 1;
        }
    }
    u->authority_end = u->at;
    if (ats > 0)
        u->flags |= DOMAIN_USERINFO;
    if (ats > 1)
        u->flags |= DOMAIN_MULTI_AT;
}

/* Splits host:port at the first colon outside brackets. */
static enum domain_error take_port(struct url *u, int32_t *ret_port)
{
    bool is_bracketed = false;
    const char *at = u->host;
    for (; at < u->authority_end && (*at != ':' || is_bracketed); at++)
        if (*at == '[' || *at == ']')
            is_bracketed = *at == '[';
    u->host_end = at;
    int32_t port = 0;
    bool any = false;
    for (at = at < u->authority_end ? at + 1 : at; at < u->authority_end; at++) {
        if (is_removed(*at))
            continue;
        if (!is_digit((unsigned char)*at))
            return DOMAIN_ERROR_PORT;
        port = port * 10 + (*at - '0');
        if (port > PORT_MAX)
            return DOMAIN_ERROR_PORT;
        any = true;
    }
    *ret_port = !any || (u->special != NULL && port == u->special->port) ? PORT_NONE : port;
    return DOMAIN_OK;
}

/* What https?://([^/]+)/ matches at the start of the untrimmed URL. */
static bool sample_is(const char *url, size_t len, const struct domain_result *r)
{
    size_t scheme = plain_scheme(url, len);
    if (scheme == 0)
        return false;
    const char *slash = memchr(url + scheme, '/', len - scheme);
    size_t n = slash == NULL ? 0 : (size_t)(slash - url) - scheme;
    return n == r->host_len && memcmp(url + scheme, r->host, n) == 0;
}

static enum domain_error parse_any(const struct domain_suffixes *suffixes, const char *url,
                                   size_t len, struct domain_result *r)
{
    struct url u = {.at = url, .end = url + len};
    trim(&u);
    if (u.at == u.end)
        return DOMAIN_ERROR_EMPTY;
    enum domain_error error = take_scheme(&u);
    if (error == DOMAIN_OK)
        error = take_slashes(&u);
    if (error != DOMAIN_OK)
        return error;
    find_host(&u);
    error = take_port(&u, &r->port);
    r->flags = (uint16_t)u.flags;
    /* the host's own fault, if it has one, says more than the port's */
    enum domain_error host_error = host_parse(u.host, (size_t)(u.host_end - u.host), r);
    if (host_error != DOMAIN_OK)
        return host_error;
    if (error != DOMAIN_OK)
        return error;
    if (!sample_is(url, len, r))
        r->flags |= DOMAIN_SAMPLE_DIFFERS;
    if (r->host[r->host_len - 1] == '.')
        r->flags |= DOMAIN_TRAILING_DOT;
    if (r->kind == DOMAIN_KIND_NAME) {
        suffix_cut(suffixes, r, suffix_dots(r->host, r->host_len));
    } else {
        r->all = (struct domain_cut){DOMAIN_NONE, DOMAIN_NONE, DOMAIN_SECTION_NONE};
        r->icann = r->all;
    }
    return DOMAIN_OK;
}

enum domain_error domain_parse(const struct domain_suffixes *suffixes, const char *url, size_t len,
                               struct domain_result *ret)
{
    PROF_FN();
    if (LIKELY(parse_plain(suffixes, url, len, ret)))
        return DOMAIN_OK;
    return parse_any(suffixes, url, len, ret);
}
