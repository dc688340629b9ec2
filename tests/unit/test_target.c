/* Targets and request bytes: what URLs are taken, what is sent for them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loadgen/target.h"
#include "suite.h"

static const struct {
    const char *url;
    int rv;
    const char *host, *port, *authority, *path;
} urls[] = {
    {"http://localhost:8080/a?b=c", 0, "localhost", "8080", "localhost:8080", "/a?b=c"},
    {"http://example.org", 0, "example.org", "80", "example.org", "/"},
    {"example.org:81?x", 0, "example.org", "81", "example.org:81", "/?x"},
    {"http://[::1]:90/x", 0, "::1", "90", "[::1]:90", "/x"},
    {"http://h/a b#c", 0, "h", "80", "h", "/a%20b"},
    {"http://h/d?url=https://w.org/s?q=a&b=\"", 0, "h", "80", "h",
     "/d?url=https://w.org/s?q=a&b=%22"},
    {"https://h/", -EINVAL, 0, 0, 0, 0},
    {"ftp://h/", -EINVAL, 0, 0, 0, 0},
    {"http://", -EINVAL, 0, 0, 0, 0},
    {"http://h:0/", -EINVAL, 0, 0, 0, 0},
    {"http://h:70000/", -EINVAL, 0, 0, 0, 0},
    {"http://h:8x/", -EINVAL, 0, 0, 0, 0},
    {"http://user@h/", -EINVAL, 0, 0, 0, 0},
    {"http://[::1/", -EINVAL, 0, 0, 0, 0},
};

START_TEST(urls_become_targets)
{
    struct lg_target t;
    struct lg_why why = {""};
    ck_assert_int_eq(lg_target_init(&t, urls[_i].url, NULL, &why), urls[_i].rv);
    if (urls[_i].rv == 0) {
        ck_assert_str_eq(t.host, urls[_i].host);
        ck_assert_str_eq(t.port, urls[_i].port);
        ck_assert_str_eq(t.authority, urls[_i].authority);
        ck_assert_str_eq(t.path, urls[_i].path);
    } else {
        ck_assert_str_ne(why.text, "");
    }
    lg_target_fini(&t);
}
END_TEST

static void check_first(const struct lg_request_shape *shape, const char *want)
{
    struct lg_target t;
    struct lg_requests r;
    struct lg_why why;
    ck_assert_int_eq(lg_target_init(&t, "http://h/p?k=1", NULL, &why), 0);
    ck_assert_int_eq(lg_requests_init(&r, &t, shape, &why), 0);
    size_t n;
    const char *bytes = lg_request_at(&r, 0, &n);
    ck_assert_uint_eq(n, strlen(want));
    ck_assert_mem_eq(bytes, want, n);
    lg_requests_fini(&r);
    lg_target_fini(&t);
}

START_TEST(requests_are_built_as_asked)
{
    const char *headers[] = {"X-A: 1", "host: other"};
    check_first(&(struct lg_request_shape){.method = "GET", .keepalive = true},
                "GET /p?k=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    check_first(
        &(struct lg_request_shape){
            .method = "POST", .body = "hello", .body_bytes = 5, .headers = headers, .n_headers = 2},
        "POST /p?k=1 HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\nX-A: 1\r\n"
        "host: other\r\n\r\nhello");
}
END_TEST

static const struct {
    const char *lines;
    const char *param;
    int rv;
    size_t n;
    const char *last; /* the request line's beginning, of the last request */
} files[] = {
    {"/a\n\n/b c\r\nhttp://h/d?e", NULL, 0, 3, "GET /d?e HTTP/1.1\r\n"},
    {"relative\n", NULL, 0, 1, "GET /relative HTTP/1.1\r\n"},
    {"https://x.org/a?b=c&d\n", "url", 0, 1,
     "GET /p?k=1&url=https%3A%2F%2Fx.org%2Fa%3Fb%3Dc%26d HTTP/1.1\r\n"},
    {"http://other/\n", NULL, -EXDEV, 0, ""},
    {"https://h/a\n", NULL, -EPROTONOSUPPORT, 0, ""},
    {"/a?u=ftp://x\n# said aside\n/b:://c\n", NULL, 0, 2, "GET /b:://c HTTP/1.1\r\n"},
    {"/a\n#b\n", "url", 0, 2, "GET /p?k=1&url=%23b HTTP/1.1\r\n"},
    {"\n\n", NULL, -EINVAL, 0, ""},
};

START_TEST(url_files_become_requests)
{
    char name[] = "/tmp/loadgen-urls-XXXXXX";
    int fd = mkstemp(name);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(write(fd, files[_i].lines, strlen(files[_i].lines)), 0);
    close(fd);
    struct lg_target t;
    struct lg_requests r;
    struct lg_why why = {""};
    struct lg_request_shape shape = {
        .method = "GET", .keepalive = true, .url_file = name, .url_param = files[_i].param};
    ck_assert_int_eq(lg_target_init(&t, "http://h/p?k=1", NULL, &why), 0);
    ck_assert_int_eq(lg_requests_init(&r, &t, &shape, &why), files[_i].rv);
    unlink(name);
    ck_assert_uint_eq(r.n, files[_i].n);
    if (files[_i].rv == 0) {
        size_t n;
        const char *bytes = lg_request_at(&r, r.n - 1, &n);
        ck_assert_msg(strncmp(bytes, files[_i].last, strlen(files[_i].last)) == 0, "%.*s", (int)n,
                      bytes);
    } else {
        ck_assert_str_ne(why.text, "");
    }
    lg_requests_fini(&r);
    lg_target_fini(&t);
}
END_TEST

START_TEST(nobody_listens_on_a_missing_socket)
{
    struct lg_target t;
    struct lg_why why = {""};
    ck_assert_int_eq(lg_target_init(&t, "http://h/", "/tmp/loadgen-no-such-socket", &why), 0);
    ck_assert_int_eq(lg_target_reach(&t, 1000000000, &why), -ENOENT);
    ck_assert_ptr_nonnull(strstr(why.text, "/tmp/loadgen-no-such-socket"));
    lg_target_fini(&t);
}
END_TEST

SUITE_MAIN("target", SUITE_LOOP(urls_become_targets, urls), SUITE_TEST(requests_are_built_as_asked),
           SUITE_LOOP(url_files_become_requests, files),
           SUITE_TEST(nobody_listens_on_a_missing_socket))
