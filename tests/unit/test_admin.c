/* Who is let in to the administrators' routes. */
#include "server/endpoint/admin.h"
#include "suite.h"

static const struct {
    const char *peer; /* NULL: a UNIX socket */
    const char *host;
    enum http_verb verb;
    const char *name; /* of a field; NULL: none */
    const char *value;
    bool is_proxied;
    bool is_admitted;
} cases[] = {
    {"127.0.0.1", "localhost:8080", HTTP_VERB_GET, NULL, NULL, false, true},
    {"::1", "[::1]:8080", HTTP_VERB_GET, NULL, NULL, false, true},
    {"127.0.0.1", "127.0.0.1", HTTP_VERB_GET, NULL, NULL, false, true},
    {"127.0.0.1", "", HTTP_VERB_GET, NULL, NULL, false, true},
    {"127.0.0.1", "Admin.Example:1", HTTP_VERB_GET, NULL, NULL, false, true},
    {"127.0.0.1", "evil.example", HTTP_VERB_GET, NULL, NULL, false, false},
    {"127.0.0.1", "localhost.evil.example", HTTP_VERB_GET, NULL, NULL, false, false},
    {"127.0.0.1", "localhost", HTTP_VERB_GET, NULL, NULL, true, false},
    {"192.0.2.1", "localhost", HTTP_VERB_GET, NULL, NULL, false, false},
    {NULL, "localhost", HTTP_VERB_GET, NULL, NULL, false, false},
    {"127.0.0.1", "localhost:80", HTTP_VERB_POST, NULL, NULL, false, true},
    {"127.0.0.1", "localhost:80", HTTP_VERB_POST, "Origin", "http://localhost:80", false, true},
    {"127.0.0.1", "localhost:80", HTTP_VERB_POST, "Origin", "http://localhost:81", false, false},
    {"127.0.0.1", "localhost:80", HTTP_VERB_POST, "Origin", "null", false, false},
    {"127.0.0.1", "localhost:80", HTTP_VERB_POST, "Sec-Fetch-Site", "cross-site", false, false},
    {"127.0.0.1", "localhost:80", HTTP_VERB_POST, "Sec-Fetch-Site", "same-origin", false, true},
    {"127.0.0.1", "localhost:80", HTTP_VERB_GET, "Origin", "http://evil.example", false, true},
};

static struct http_str str(const char *text)
{
    return (struct http_str){text, text != NULL ? strlen(text) : 0};
}

START_TEST(admission)
{
    struct endpoint_admin admin = {.hosts = "other.example, admin.example"};
    struct http_str bad;
    ck_assert_int_eq(http_networks_parse("127.0.0.0/8,::1", &admin.allow, &bad), 0);
    struct http_field field = {str(cases[_i].name), str(cases[_i].value)};
    struct http_request req = {
        .verb = cases[_i].verb,
        .host = str(cases[_i].host),
        .is_proxied = cases[_i].is_proxied,
        .fields = &field,
        .field_count = cases[_i].name != NULL,
    };
    if (cases[_i].peer != NULL)
        ck_assert_int_eq(http_address_parse(str(cases[_i].peer), &req.peer), 0);
    ck_assert_int_eq(endpoint_admits(&admin, &req), cases[_i].is_admitted);
    http_networks_fini(&admin.allow);
}
END_TEST

SUITE_MAIN("admin", SUITE_LOOP(admission, cases))
