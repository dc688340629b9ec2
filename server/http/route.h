/* server/http/route.h - the application as the HTTP layer sees it.
 *
 * main.c builds one struct http_app: the routes, the limits, and the hooks by
 * which the layers above (metrics, admin check, drain) look in without http
 * knowing them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct http_request;
struct http_response;

/* Answer one request; called in the mode's blocking style (may park or block). */
typedef void http_handler(struct http_request *req, struct http_response *res);

enum http_route_flag {
    HTTP_ROUTE_ADMIN = 1, /* answers only whom app->admits lets in (403 otherwise) */
};

struct http_route {
    const char *path;    /* exact match */
    const char *methods; /* "GET, HEAD": also the Allow header */
    http_handler *handler;
    unsigned flags; /* set of enum http_route_flag */
};
