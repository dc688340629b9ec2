#include "loadgen/scenario.h"

#include <string.h>

#include "coro/base/clock.h"
#include "loadgen/options.h"

#define TINY        "/domain?url=" LG_SAMPLE_URL
#define RATE_FACTOR 0.6

const struct lg_scenario lg_scenarios[] = {
    {.name = "tiny",
     .shows = "small answers on kept connections: what the mode itself costs per request",
     .shows_targets = "each target's own URL on kept connections: what an answer costs there",
     .paths = {{TINY, 1}},
     .rate_factor = RATE_FACTOR},
    {.name = "churn",
     .shows = "a new connection for each request: accepting, and starting a task, a thread or "
              "finding a free process",
     .shows_targets = "a new connection for each request",
     .paths = {{TINY, 1}},
     .churn = true,
     .rate_factor = RATE_FACTOR},
    {.name = "cpu",
     .shows = "2 ms of computing per request: tasks gain nothing, all modes are bound by the core",
     .paths = {{"/test/cpu?ms=2", 1}},
     .needs_test_routes = true,
     .connections = 10,
     .rate_factor = RATE_FACTOR},
    {.name = "mixed",
     .shows =
         "one request in 20 computes for 20 ms: on an event loop the small ones wait behind it",
     .paths = {{TINY, 19}, {"/test/cpu?ms=20", 1}},
     .needs_test_routes = true,
     .connections = 20,
     .length = 2,
     .rate_factor = RATE_FACTOR},
    {.name = "idle",
     .shows = "1,000 connections that only stay open beside 20 busy ones: what a connection that "
              "does nothing costs, and whom it keeps out",
     .paths = {{TINY, 1}},
     .connections = 20,
     .idle = 1000,
     .rate_factor = RATE_FACTOR},
    {.name = "slow",
     .shows = "clients that send 16 bytes every 20 ms: who is held up while a request trickles in",
     .paths = {{TINY, 1}},
     .trickle_ns = 20 * NS_PER_MS,
     .length = 4,
     .rate_factor = RATE_FACTOR},
    {.name = "upstream",
     .shows = "each request waits 20 ms for somebody else, giving way meanwhile: how many can wait "
              "at once",
     .paths = {{"/test/wait?ms=20", 1}},
     .needs_test_routes = true,
     .connections = 400,
     .rate_factor = RATE_FACTOR},
    {.name = "blocking",
     .shows = "the same wait by a call that blocks: an event loop stands still, threads do not",
     .paths = {{"/test/block?ms=20", 1}},
     .needs_test_routes = true,
     .connections = 20,
     .length = 2,
     .rate_factor = RATE_FACTOR},
    {.name = "overload",
     .shows = "twice the requests that the slowest can answer: how much good work is left",
     .paths = {{TINY, 1}},
     .rate_factor = 2},
    {.name = "body",
     .shows = "answers of 1 MB: copying bytes out dominates, the mode hardly matters",
     .paths = {{"/test/body?bytes=1048576", 1}},
     .needs_test_routes = true,
     .connections = 20,
     .rate_factor = RATE_FACTOR},
};
const size_t lg_n_scenarios = ARRAY_LEN(lg_scenarios);

const struct lg_scenario *lg_scenario_find(const char *name, size_t bytes)
{
    for (size_t i = 0; i < lg_n_scenarios; i++)
        if (strlen(lg_scenarios[i].name) == bytes && memcmp(lg_scenarios[i].name, name, bytes) == 0)
            return &lg_scenarios[i];
    return NULL;
}
