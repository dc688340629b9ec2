/* domainc fetch - many fetches, and how long they take. */
#include <argp.h>
#include <stdio.h>

#include "client/client.h"
#include "client/command.h"
#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/units.h"

#define FETCH_TIMEOUT_NS     (30 * NS_PER_S)
#define FETCH_CONNECT_NS     (10 * NS_PER_S)
#define FETCH_BODY_MAX_BYTES (64UL << 20)
#define FETCH_REDIRECTS_MAX  10

struct fetch_args {
    char **urls;
    int n;
};

static error_t on_option(int key, char *arg MAYBE_UNUSED, struct argp_state *state)
{
    struct fetch_args *args = state->input;
    switch (key) {
    case ARGP_KEY_ARGS:
        args->urls = state->argv + state->next;
        args->n = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which URL?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp fetch_argp = {
    .parser = on_option,
    .args_doc = "URL...",
    .doc = "Fetch each URL and print: status, bytes, time, URL.",
};

static int fetch_one(struct cl_blocking *client, const char *url, struct cl_reply *reply)
{
    const struct cl_request req = {.url = url,
                                   .connect_timeout_ns = FETCH_CONNECT_NS,
                                   .timeout_ns = FETCH_TIMEOUT_NS,
                                   .body_max_bytes = FETCH_BODY_MAX_BYTES,
                                   .redirects_max = FETCH_REDIRECTS_MAX,
                                   .flags = CL_DISCARD_BODY};
    char took[UNITS_TEXT_BYTES];
    int rv = cl_blocking_get(client, &req, reply);
    if (rv < 0)
        cl_complain("%s: %s", url, reply->why);
    else
        printf("%d\t%llu\t%s\t%s\n", reply->status, (unsigned long long)reply->body_bytes,
               units_format_ns((double)reply->elapsed_ns, took), url);
    return rv;
}

int cl_cmd_fetch(int argc, char **argv)
{
    struct fetch_args args = {0};
    struct cl_blocking *client;
    struct cl_reply reply;
    int failed = 0;
    argp_parse(&fetch_argp, argc, argv, 0, NULL, &args);
    int rv = cl_blocking_new(&client);
    if (rv < 0) {
        cl_complain("%s", err_text(rv));
        return CL_EXIT_FAILED;
    }
    cl_reply_init(&reply);
    for (int i = 0; i < args.n; i++)
        failed += fetch_one(client, args.urls[i], &reply) < 0;
    cl_reply_fini(&reply);
    cl_blocking_free(client);
    return failed > 0 ? CL_EXIT_FAILED : CL_EXIT_OK;
}
