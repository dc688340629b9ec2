/* The strict body decoder.
 *
 *   chunk      size [ext] CRLF  data CRLF   ...   0 [ext] CRLF  trailers CRLF
 *   states     SIZE  EXT* SIZE_LF  DATA DATA_CR DATA_LF   T_START T_LINE T_LF  END_LF
 *
 * Whatever is not exactly the grammar is refused at its first byte.  Chunk
 * extensions are checked and dropped, trailers too (RFC 9110 section 6.5: they
 * are never merged into the head).  Overhead (all that is not data) may grow
 * with the data but not without it, so that a body of one-byte chunks or of
 * endless extensions costs the sender, not us. */
#include "server/http/body.h"

#include <errno.h>
#include <string.h>

enum state {
    DONE, /* 0: http_decoder_is_done */
    IDENTITY,
    SIZE_FIRST, /* a hex digit must come */
    SIZE,
    EXT_SPACE,      /* blanks; ';' must follow */
    EXT_NAME_START, /* after ';' */
    EXT_NAME,
    EXT_NAME_SPACE,  /* blanks after the name; '=' or ';' must follow */
    EXT_VALUE_START, /* after '=' */
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPE,
    EXT_END, /* after a quoted value: ';', blank or CR */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
};

#define SIZE_MAX_DIGITS     15 /* 2^60: cannot overflow */
#define EXT_LINE_MAX_BYTES  512
#define OVERHEAD_FREE_BYTES 8192
#define OVERHEAD_FACTOR     2 /* per data byte: chunks of 3 bytes and more for ever */

static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/* May c stand in a quoted string, or in a field value (RFC 9110 sections 5.5, 5.6.4)? */
static bool is_text(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7F);
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void http_decoder_init(struct http_decoder *d, bool is_chunked, int64_t content_length)
{
    *d = (struct http_decoder){.is_chunked = is_chunked};
    if (is_chunked) {
        d->state = SIZE_FIRST;
    } else if (content_length > 0) {
        d->state = IDENTITY;
        d->left = (uint64_t)content_length;
    }
}

/* After a complete chunk-size line. */
static enum state size_line_end(struct http_decoder *d)
{
    d->line_bytes = 0;
    return d->left > 0 ? DATA : TRAILER_START;
}

static int size_byte(struct http_decoder *d, unsigned char c)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        if (d->digits == SIZE_MAX_DIGITS)
            return -EBADMSG;
        d->left = d->left * 16 + (unsigned)digit;
        d->digits++;
        return SIZE;
    }
    if (d->state == SIZE_FIRST)
        return -EBADMSG;
    return c == '\r' ? SIZE_LF : c == ';' ? EXT_NAME_START : is_blank(c) ? EXT_SPACE : -EBADMSG;
}

/* One byte of a chunk extension: the next state, or -EBADMSG. */
static int extension_byte(enum state state, unsigned char c)
{
    switch (state) {
    case EXT_SPACE:
        return is_blank(c) ? EXT_SPACE : c == ';' ? EXT_NAME_START : -EBADMSG;
    case EXT_NAME_START:
        return is_blank(c) ? EXT_NAME_START : is_token_char(c) ? EXT_NAME : -EBADMSG;
    case EXT_NAME:
        if (is_token_char(c))
            return EXT_NAME;
        if (c == '\r')
            return SIZE_LF;
        /* fall through */
    case EXT_NAME_SPACE:
        return is_blank(c) ? EXT_NAME_SPACE
               : c == '='  ? EXT_VALUE_START
               : c == ';'  ? EXT_NAME_START
                           : -EBADMSG;
    case EXT_VALUE_START:
        return is_blank(c)        ? EXT_VALUE_START
               : c == '"'         ? EXT_QUOTED
               : is_token_char(c) ? EXT_TOKEN
                                  : -EBADMSG;
    case EXT_QUOTED:
        return c == '"' ? EXT_END : c == '\\' ? EXT_ESCAPE : is_text(c) ? EXT_QUOTED : -EBADMSG;
    case EXT_ESCAPE:
        return is_text(c) ? EXT_QUOTED : -EBADMSG;
    case EXT_TOKEN:
        if (is_token_char(c))
            return EXT_TOKEN;
        /* fall through */
    default: /* EXT_END */
        return c == '\r' ? SIZE_LF : c == ';' ? EXT_NAME_START : is_blank(c) ? EXT_SPACE : -EBADMSG;
    }
}

static int trailer_byte(struct http_decoder *d, const struct http_limits *limits, unsigned char c)
{
    switch (d->state) {
    case TRAILER_START:
        if (c == '\r')
            return END_LF;
        if (++d->fields > limits->header_max_count)
            return -E2BIG;
        return is_token_char(c) ? TRAILER_NAME : -EBADMSG;
    case TRAILER_NAME:
        return c == ':' ? TRAILER_VALUE : is_token_char(c) ? TRAILER_NAME : -EBADMSG;
    case TRAILER_VALUE:
        return c == '\r' ? TRAILER_LF : is_text(c) ? TRAILER_VALUE : -EBADMSG;
    case TRAILER_LF:
        return c == '\n' ? TRAILER_START : -EBADMSG;
    default: /* END_LF */
        return c == '\n' ? DONE : -EBADMSG;
    }
}

/* One byte that is not data: the next state, or -errno. */
static int framing_byte(struct http_decoder *d, const struct http_limits *limits, unsigned char c)
{
    d->line_bytes++;
    if (++d->overhead >
        OVERHEAD_FREE_BYTES + limits->header_max_bytes + OVERHEAD_FACTOR * d->data_bytes)
        return -EMSGSIZE;
    if (d->state < SIZE_LF) {
        if (d->line_bytes > EXT_LINE_MAX_BYTES)
            return -EMSGSIZE;
        return d->state <= SIZE ? size_byte(d, c) : extension_byte((enum state)d->state, c);
    }
    switch (d->state) {
    case SIZE_LF:
        return c == '\n' ? (int)size_line_end(d) : -EBADMSG;
    case DATA_CR:
        return c == '\r' ? DATA_LF : -EBADMSG;
    case DATA_LF:
        d->line_bytes = 0;
        d->digits = 0;
        return c == '\n' ? SIZE_FIRST : -EBADMSG;
    default:
        if (d->line_bytes > limits->header_max_bytes)
            return -E2BIG;
        return trailer_byte(d, limits, c);
    }
}

ssize_t http_decode(struct http_decoder *d, const struct http_limits *limits, const char *in,
                    size_t n, char *out, size_t cap, size_t *ret_used)
{
    size_t at = 0, written = 0;
    while (at < n && d->state != DONE) {
        if (d->state == IDENTITY || d->state == DATA) {
            size_t some = n - at < cap - written ? n - at : cap - written;
            if (some > d->left)
                some = (size_t)d->left;
            if (some == 0)
                break;
            memmove(out + written, in + at, some);
            written += some;
            at += some;
            d->data_bytes += some;
            d->left -= some;
            if (d->left == 0)
                d->state = d->state == DATA ? DATA_CR : DONE;
            continue;
        }
        int next = framing_byte(d, limits, (unsigned char)in[at]);
        if (next < 0)
            return next;
        d->state = (uint8_t)next;
        at++;
    }
    *ret_used = at;
    return (ssize_t)written;
}
