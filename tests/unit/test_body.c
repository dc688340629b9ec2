/* The body decoder: each rule of chunked coding with its accepted neighbour, cut at every
 * byte, into every size of room. */
#include <errno.h>

#include "server/http/body.h"
#include "suite.h"

static const struct {
    const char *wire;
    const char *body; /* NULL: refused */
    int error;        /* then: with what */
} bodies[] = {
    {"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0},
    {"0\r\n\r\n", "", 0},
    {"000\r\n\r\n", "", 0},
    {"00000000000005\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"0000000000000005\r\nhello\r\n0\r\n\r\n", NULL, -EBADMSG},
    {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0},
    {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0},
    {"g\r\n", NULL, -EBADMSG},
    {"\r\n", NULL, -EBADMSG},
    {"0x5\r\n", NULL, -EBADMSG},
    {"+5\r\n", NULL, -EBADMSG},
    {"-1\r\n", NULL, -EBADMSG},
    {" 5\r\n", NULL, -EBADMSG},
    {"1_0\r\n", NULL, -EBADMSG},
    {"5\nhello", NULL, -EBADMSG},
    {"5\rhello", NULL, -EBADMSG},
    {"5 \r\n", NULL, -EBADMSG},
    {"5 zz\r\n", NULL, -EBADMSG},
    {"5\r\nhello0\r\n", NULL, -EBADMSG},
    {"5\r\nhello\n0\r\n", NULL, -EBADMSG},
    {"5\r\nhello\rX", NULL, -EBADMSG},
    /* extensions */
    {"5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello", 0},
    {"5 ; a = \"b;\\\"\r\" \r\n", NULL, -EBADMSG},
    {"5 ; a = \"b;\\\"\t\" ; c\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"5;\r\n", NULL, -EBADMSG},
    {"5;a=\r\n", NULL, -EBADMSG},
    {"5;a=\"b\r\n", NULL, -EBADMSG},
    {"5;(\r\n", NULL, -EBADMSG},
    {"5;a\nb\r\n", NULL, -EBADMSG},
    {"5;a\x01\r\n", NULL, -EBADMSG},
    /* trailers are checked, and dropped */
    {"0\r\nX: y\r\nContent-Length: 7\r\n\r\n", "", 0},
    {"0\r\nX y\r\n\r\n", NULL, -EBADMSG},
    {"0\r\n: y\r\n\r\n", NULL, -EBADMSG},
    {"0\r\n X: y\r\n\r\n", NULL, -EBADMSG},
    {"0\r\nX: \x01\r\n\r\n", NULL, -EBADMSG},
    {"0\r\nX: y\n\r\n", NULL, -EBADMSG},
    {"0\r\n\rX", NULL, -EBADMSG},
};

/* Decode in pieces of `step`, at most `cap` bytes of body at once: length or -errno.
 * *ret_used: bytes of the wire that were eaten. */
static ssize_t decode(struct http_decoder *d, const struct http_limits *limits, const char *wire,
                      size_t n, size_t step, size_t cap, char *body, size_t *ret_used)
{
    size_t at = 0, len = 0;
    while (at < n && !http_decoder_is_done(d)) {
        size_t some = n - at < step ? n - at : step, used = 0;
        ssize_t rv = http_decode(d, limits, wire + at, some, body + len, cap, &used);
        if (rv < 0)
            return rv;
        ck_assert_uint_le((size_t)rv, cap);
        ck_assert(used > 0 || rv > 0 || some == 0);
        at += used;
        len += (size_t)rv;
    }
    *ret_used = at;
    return (ssize_t)len;
}

START_TEST(each_body_cut_anywhere)
{
    size_t n = strlen(bodies[_i].wire);
    for (size_t step = 1; step <= n; step++) {
        for (size_t cap = 1; cap < 13; cap++) {
            struct http_decoder d;
            char body[64];
            size_t used = 0;
            http_decoder_init(&d, true, -1);
            ssize_t len =
                decode(&d, &http_limits_default, bodies[_i].wire, n, step, cap, body, &used);
            if (bodies[_i].body == NULL) {
                ck_assert_int_eq(len, bodies[_i].error);
                continue;
            }
            ck_assert(http_decoder_is_done(&d));
            ck_assert_uint_eq(used, n);
            ck_assert_int_eq(len, (ssize_t)strlen(bodies[_i].body));
            ck_assert(memcmp(body, bodies[_i].body, (size_t)len) == 0);
        }
    }
}
END_TEST

START_TEST(what_follows_belongs_to_the_next_request)
{
    static const char wire[] = "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
    struct http_decoder d;
    char body[64];
    size_t used;
    http_decoder_init(&d, true, -1);
    ck_assert_int_eq(http_decode(&d, &http_limits_default, wire, sizeof wire - 1, body, 64, &used),
                     5);
    ck_assert_uint_eq(used, 15);
    http_decoder_init(&d, false, 3);
    ck_assert_int_eq(http_decode(&d, &http_limits_default, "abcGET", 6, body, 64, &used), 3);
    ck_assert_uint_eq(used, 3);
    ck_assert(http_decoder_is_done(&d));
    http_decoder_init(&d, false, 0);
    ck_assert(http_decoder_is_done(&d));
    http_decoder_init(&d, false, -1);
    ck_assert(http_decoder_is_done(&d));
}
END_TEST

START_TEST(decoding_in_place)
{
    char wire[] = "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    struct http_decoder d;
    size_t used;
    http_decoder_init(&d, true, -1);
    ck_assert_int_eq(
        http_decode(&d, &http_limits_default, wire, sizeof wire - 1, wire, sizeof wire - 1, &used),
        11);
    ck_assert(memcmp(wire, "hello world", 11) == 0);
}
END_TEST

/* ---- overhead ---- */

/* Feed the text again and again, up to so many bytes: what comes of it. */
static ssize_t repeat(struct http_decoder *d, const char *text, size_t bytes)
{
    char body[4096];
    size_t used;
    for (size_t fed = 0; fed < bytes; fed += strlen(text)) {
        ssize_t rv =
            http_decode(d, &http_limits_default, text, strlen(text), body, sizeof body, &used);
        if (rv < 0)
            return rv;
    }
    return 0;
}

START_TEST(more_framing_than_data)
{
    static const struct {
        const char *again;
        int rv;
    } cases[] = {
        {"1\r\na\r\n", -EMSGSIZE}, /* five bytes for one, for ever */
        {"3\r\nabc\r\n", 0},       /* less than two for one */
        {"64;x=y\r\n"              /* h2o's own: 100 bytes and an extension */
         "0123456789012345678901234567890123456789012345678901234567890123456789"
         "012345678901234567890123456789\r\n",
         0},
        {"1;x=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\na\r\n", -EMSGSIZE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_decoder d;
        http_decoder_init(&d, true, -1);
        ck_assert_int_eq(repeat(&d, cases[i].again, 2 << 20), cases[i].rv);
    }
    /* an extension without end */
    struct http_decoder d;
    http_decoder_init(&d, true, -1);
    ck_assert_int_eq(repeat(&d, "5;a", 3), 0);
    ck_assert_int_eq(repeat(&d, "a", 2000), -EMSGSIZE);
}
END_TEST

START_TEST(trailers_have_limits)
{
    struct http_decoder d;
    http_decoder_init(&d, true, -1);
    ck_assert_int_eq(repeat(&d, "0\r\n", 3), 0);
    ck_assert_int_eq(repeat(&d, "X: y\r\n", 100 * 6), 0);
    ck_assert_int_eq(repeat(&d, "X: y\r\n", 6), -E2BIG); /* the hundred and first field */
    http_decoder_init(&d, true, -1);
    ck_assert_int_eq(repeat(&d, "0\r\nX: ", 6), 0);
    ck_assert_int_eq(repeat(&d, "y", 40000), -E2BIG);
}
END_TEST

/* Four gigabytes and more in one chunk: nothing wraps around. */
START_TEST(large_sizes)
{
    struct http_decoder d;
    static char block[1 << 20];
    size_t used;
    http_decoder_init(&d, true, -1);
    ck_assert_int_eq(http_decode(&d, &http_limits_default, "100000001\r\n", 11, block, 1, &used),
                     0);
    for (int i = 0; i < 4096; i++)
        ck_assert_int_eq(
            http_decode(&d, &http_limits_default, block, sizeof block, block, sizeof block, &used),
            (ssize_t)sizeof block);
    ck_assert_int_eq(http_decode(&d, &http_limits_default, "x\r\n0\r\n\r\n", 9, block, 10, &used),
                     1);
    ck_assert(http_decoder_is_done(&d));
    ck_assert_uint_eq(d.data_bytes, 0x100000001u);
}
END_TEST

SUITE_MAIN("body", SUITE_LOOP(each_body_cut_anywhere, bodies),
           SUITE_TEST(what_follows_belongs_to_the_next_request), SUITE_TEST(decoding_in_place),
           SUITE_TEST(more_framing_than_data), SUITE_TEST(trailers_have_limits),
           SUITE_TEST(large_sizes))
