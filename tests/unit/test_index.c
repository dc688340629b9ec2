/* The index page in the form the client asks for, and the description of the routes. */
#include "exchange.h"
#include "server/endpoint/endpoint.h"
#include "suite.h"

static const struct http_route routes[] = {
    {"/", "GET, HEAD", endpoint_index, 0},
    {"/openapi.json", "GET, HEAD", endpoint_openapi, 0},
};

static const struct {
    const char *target, *accept;
    const char *type; /* the field */
    const char *file; /* whose bytes come */
} cases[] = {
    {"/", "*/*", "text/plain; charset=utf-8", "index.txt"},
    {"/", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8", "index.html"},
    {"/", "text/html;q=0.1, text/plain", "text/plain; charset=utf-8", "index.txt"},
    {"/", "image/png", "text/plain; charset=utf-8", "index.txt"},
    {"/openapi.json", "*/*", "application/json", "openapi.json"},
};

/* Of server/endpoint; free it. */
static char *file_text(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, DOMAIND_ROOT "/server/endpoint/%s", name);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    char *text = malloc(1 << 20);
    text[fread(text, 1, (1 << 20) - 1, file)] = '\0';
    fclose(file);
    return text;
}

START_TEST(pages)
{
    struct http_app app = {.routes = routes, .route_count = ARRAY_LEN(routes)};
    struct pair_io p;
    char field[80];
    exchange_get(&p, &app, cases[_i].target, cases[_i].accept);
    ck_assert_int_eq(exchange_status(&p), 200);
    snprintf(field, sizeof field, "\r\nContent-Type: %s\r\n", cases[_i].type);
    ck_assert_msg(strstr(p.out.data, field) != NULL, "%s", p.out.data);
    /* a cache must not give one form to who asked for the other */
    ck_assert_int_eq(strstr(p.out.data, "\r\nVary: Accept\r\n") != NULL,
                     strcmp(cases[_i].target, "/") == 0);
    char *text = file_text(cases[_i].file);
    ck_assert_str_eq(exchange_body(&p), text);
    free(text);
    pair_fini(&p);
}
END_TEST

SUITE_MAIN("index", SUITE_LOOP(pages, cases))
