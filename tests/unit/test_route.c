/* Which handler a path finds, and tables that are wrong. */
#include <errno.h>

#include "server/http/route.h"
#include "suite.h"

static void handler(struct http_request *req, struct http_response *res)
{
    (void)req;
    (void)res;
}

static const struct http_route routes[] = {
    {"/", "GET, HEAD, OPTIONS", handler, 0},
    {"/a", "GET, HEAD, POST, OPTIONS", handler, 0},
    {"/tree/*", "POST, OPTIONS", handler, 0},
    {"/tree/leaf", "GET, HEAD, OPTIONS", handler, 0}, /* never found: the first one wins */
};
static const struct http_app app = {.routes = routes, .route_count = ARRAY_LEN(routes)};

static const struct {
    const char *path;
    enum http_verb verb;
    int route; /* -1: none */
    bool is_allowed;
} cases[] = {
    {"/", HTTP_VERB_GET, 0, true},           {"/", HTTP_VERB_POST, 0, false},
    {"/a", HTTP_VERB_POST, 1, true},         {"/a", HTTP_VERB_OPTIONS, 1, true},
    {"/a", HTTP_VERB_DELETE, 1, false},      {"/A", HTTP_VERB_GET, -1, false},
    {"/a/", HTTP_VERB_GET, -1, false},       {"/ab", HTTP_VERB_GET, -1, false},
    {"", HTTP_VERB_GET, -1, false},          {"*", HTTP_VERB_OPTIONS, -1, false},
    {"/%61", HTTP_VERB_GET, -1, false},      {"/tree/", HTTP_VERB_POST, 2, true},
    {"/tree/leaf", HTTP_VERB_GET, 2, false}, {"/tree/a/b", HTTP_VERB_POST, 2, true},
    {"/tree", HTTP_VERB_POST, -1, false},    {"/treeleaf", HTTP_VERB_POST, -1, false},
    {"/tree/*", HTTP_VERB_POST, 2, true},    {"/tree/*x", HTTP_VERB_POST, 2, true},
    {"/tree*", HTTP_VERB_POST, -1, false},   {"/a*", HTTP_VERB_GET, -1, false},
};

START_TEST(each_path)
{
    struct http_request req = {.verb = cases[_i].verb,
                               .path = {cases[_i].path, strlen(cases[_i].path)}};
    struct http_route_match match = http_route_find(&app, &req);
    ck_assert_ptr_eq(match.route, cases[_i].route < 0 ? NULL : &routes[cases[_i].route]);
    ck_assert(match.is_allowed == cases[_i].is_allowed);
}
END_TEST

/* No head with such a target gets so far; the search does not rely on it. */
START_TEST(a_path_with_nul_is_not_read_on_behind_the_pattern)
{
    static const char path[] = "/a\0methods behind it";
    struct http_request req = {.verb = HTTP_VERB_GET};
    for (size_t n = 3; n < sizeof path; n++) {
        req.path = (struct http_str){path, n};
        ck_assert_ptr_null(http_route_find(&app, &req).route);
    }
}
END_TEST

START_TEST(wrong_tables_are_found_at_the_start)
{
    static const struct http_route wrong[] = {
        {"/", "GET, OPTIONS", handler, 0},        /* GET without HEAD */
        {"/", "HEAD, OPTIONS", handler, 0},       /* and the other way round */
        {"/", "GET, HEAD", handler, 0},           /* no OPTIONS */
        {"/", "GETS, HEAD, OPTIONS", handler, 0}, /* not a method, though it begins like one */
        {"/", "GET, HEAD, OPTIONS", NULL, 0},     {"/", NULL, handler, 0},
        {NULL, "GET, HEAD, OPTIONS", handler, 0},
    };
    ck_assert_int_eq(http_app_check(&app), 0);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct http_app bad = {.routes = &wrong[i], .route_count = 1};
        ck_assert_int_eq(http_app_check(&bad), -EINVAL);
    }
}
END_TEST

SUITE_MAIN("route", SUITE_LOOP(each_path, cases),
           SUITE_TEST(a_path_with_nul_is_not_read_on_behind_the_pattern),
           SUITE_TEST(wrong_tables_are_found_at_the_start))
