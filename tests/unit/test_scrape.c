/* The server's own counter, out of the text of /metrics. */
#include <errno.h>

#include "loadgen/scrape.h"
#include "suite.h"

#define TYPE "# TYPE domaind_requests_total counter\n"

static const struct {
    const char *text;
    int rv;
    uint64_t requests;
} cases[] = {
    {TYPE, 0, 0},
    {TYPE "domaind_requests_total{route=\"/domain\",status=\"200\"} 100\n"
          "domaind_requests_total{route=\"/domain\",status=\"422\"} 7\n",
     0, 107},
    {TYPE "domaind_requests_total{route=\"/metrics\",status=\"200\"} 5\n"
          "domaind_requests_total{route=\"/livez\",status=\"200\"} 2\n",
     0, 2},
    {"domaind_connections_open 1\n" TYPE
     "domaind_requests_total{route=\"/domain\",status=\"200\"} 3",
     0, 3},
    {"go_goroutines 12\n", -ENOENT, 0},
    {"", -ENOENT, 0},
};

START_TEST(counters_are_summed)
{
    uint64_t requests = 0;
    ck_assert_int_eq(lg_scrape_text(cases[_i].text, &requests), cases[_i].rv);
    ck_assert_uint_eq(requests, cases[_i].requests);
}
END_TEST

SUITE_MAIN("scrape", SUITE_LOOP(counters_are_summed, cases))
