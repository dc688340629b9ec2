/* Following redirects: every hop is told, the guard sees each, an end is made of loops. */
#include <errno.h>
#include <stdio.h>

#include "client/client.h"
#include "client/guard.h"
#include "loop_server.h"
#include "suite.h"

struct trail {
    char text[512]; /* "302 302 200" */
    char last[256];
};

static int on_hop(void *arg, const char *url, int status)
{
    struct trail *trail = arg;
    size_t len = strlen(trail->text);
    snprintf(trail->text + len, sizeof trail->text - len, "%s%d", len > 0 ? " " : "", status);
    snprintf(trail->last, sizeof trail->last, "%s", url);
    return strstr(url, "stop") != NULL ? -EINTR : 0;
}

static const struct {
    const char *path;
    int rv;
    const char *trail;
    const char *last; /* the end of the last hop's URL */
} cases[] = {
    {"plain", 0, "200", "/plain"},
    {"to:/once", 0, "302 200", "/once"},
    {"to:/to:/to:/thrice", 0, "302 302 302 200", "/thrice"},
    {"to:/to:/to:/to:/five", -ELOOP, "302 302 302 302", "/to:/five"},
    {"to:close", -ECONNRESET, "302", "/to:close"},
    {"to:ftp://127.0.0.1/x", -EPROTONOSUPPORT, "302", "/x"},
    {"to:file:///etc/passwd", -EPROTONOSUPPORT, "302", "/etc/passwd"},
    {"to:http://127.0.0.2:1/elsewhere", -EACCES, "302", "/elsewhere"},
    {"to:http://[::1]:1/elsewhere", -EACCES, "302", "/elsewhere"},
    {"to:/silence", -ETIMEDOUT, "302", "/to:/silence"},
    {"to:/stop", -EINTR, "302", "/to:/stop"},
};

static int follow_all(void *arg MAYBE_UNUSED)
{
    struct server server;
    struct cl_network here;
    server_start(&server);
    ck_assert_int_eq(cl_network_parse("127.0.0.1", &here), 0);
    const struct cl_guard guard = {&here, 1};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char url[256];
        struct trail trail = {.text = ""};
        struct cl_reply reply;
        cl_reply_init(&reply);
        snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", server.port, cases[i].path);
        bool is_silent = strstr(cases[i].path, "silence") != NULL;
        const struct cl_request req = {.url = url,
                                       .guard = &guard,
                                       .timeout_ns = is_silent ? 200 * NS_PER_MS : 60 * NS_PER_S,
                                       .flags = CL_HEAD_ONLY | CL_NO_PROXY};
        int rv = cl_follow(&req, 3, on_hop, &trail, &reply);
        ck_assert_msg(rv == cases[i].rv, "%s: %d (%s)", cases[i].path, rv, reply.why);
        ck_assert_str_eq(trail.text, cases[i].trail);
        const char *end = trail.last + strlen(trail.last) - strlen(cases[i].last);
        if (rv != -EACCES && rv != -EPROTONOSUPPORT)
            ck_assert_str_eq(end, cases[i].last);
        ck_assert_int_eq(rv < 0 && rv != -EINTR, reply.why[0] != '\0');
        cl_reply_fini(&reply);
    }
    return 0;
}

START_TEST(redirects_are_followed_within_bounds)
{
    ck_assert_int_eq(co_run(follow_all, NULL, NULL), 0);
}
END_TEST

SUITE_MAIN("follow", SUITE_TEST(redirects_are_followed_within_bounds))
