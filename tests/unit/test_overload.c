/* Work is refused before it starts: requests that waited too long, and those
 * beyond what may be in work. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "pair_io.h"
#include "server/http/overload.h"
#include "server/http/session.h"
#include "suite.h"

static struct http_limits limits;
static struct http_app app;
static struct http_places places;
static int handled;
static long long in_work;      /* app.in_flight while the handler ran */
static int free_at_work;       /* places, likewise */
static struct pair_io *worker; /* whose clock goes on by work_ns while it is served */
static int64_t work_ns;
static int64_t now_ns; /* of the connections' clock */
static unsigned looks; /* system calls to see how late they are */
static int stages[HTTP_STAGE_RUNNING + 1];
static int waits; /* for a place */
static int refusals[HTTP_REFUSAL_COUNT];

static int free_places(void)
{
    int value;
    ck_assert_int_eq(sem_getvalue(&places.free, &value), 0);
    return value;
}

static void work(struct http_request *req, struct http_response *res)
{
    (void)res;
    handled++;
    if (worker != NULL)
        worker->now_ns += work_ns;
    in_work = atomic_load(&req->app->in_flight);
    free_at_work = app.places != NULL ? free_places() : 0;
}

static void wait_for_others(struct http_request *req, struct http_response *res)
{
    http_begin_wait(req);
    work(req, res);
    http_begin_wait(req);
}

static void on_stage(void *arg, enum http_stage stage, bool begins)
{
    (void)arg;
    stages[stage] += begins ? 1 : -1;
    waits += begins && stage == HTTP_STAGE_WAITING;
}

static void on_refuse(void *arg, enum http_refusal why)
{
    (void)arg;
    refusals[why]++;
}

static const struct http_route routes[] = {
    {"/work", "GET, HEAD, OPTIONS", work, 0},
    {"/wait", "GET, HEAD, OPTIONS", wait_for_others, 0},
    {"/health", "GET, HEAD, OPTIONS", work, HTTP_ROUTE_QUIET},
};

/* The tests may share a process: each begins long after what the one before saw. */
static void begin(void)
{
    limits = http_limits_default;
    app = (struct http_app){.routes = routes, .route_count = ARRAY_LEN(routes)};
    handled = 0;
    looks = 0;
    waits = 0;
    worker = NULL;
    now_ns += 1000 * NS_PER_S;
    memset(stages, 0, sizeof stages);
    memset(refusals, 0, sizeof refusals);
}

/* One request in a server with these limits; what it answered. */
static void ask(const char *path, int64_t queued_ns, const char *expected)
{
    char in[128];
    struct pair_io p;
    struct http_session session;
    snprintf(in, sizeof in, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    pair_init(&p, in, strlen(in));
    p.at_end = -EAGAIN;
    p.queued_ns = queued_ns;
    p.now_ns = now_ns;
    app.hooks.on_stage = on_stage;
    app.hooks.on_refuse = on_refuse;
    atomic_store(&app.limits, &limits);
    enum http_turn turn = http_session_init(&session, &app, &p.io, NULL, 0);
    ck_assert_int_ne(turn, HTTP_TURN_CLOSE);
    ck_assert_int_eq(http_session_turn(&session), HTTP_TURN_IDLE); /* refused, yet kept open */
    http_session_fini(&session);
    looks += p.looks;
    ck_assert_msg(strstr(pair_out(&p), expected) != NULL, "no %s in %s", expected, pair_out(&p));
    pair_fini(&p);
}

START_TEST(what_waited_too_long_is_refused)
{
    begin();
    limits.queue_delay_max_ns = 50 * NS_PER_MS;
    ask("/work", 50 * NS_PER_MS, "200 OK");
    ask("/work", 51 * NS_PER_MS, "200 OK"); /* one late request may be chance */
    ck_assert_int_eq(handled, 2);
    now_ns += 50 * NS_PER_MS; /* but not all for so long */
    ask("/work", 51 * NS_PER_MS, "503 Service Unavailable");
    ask("/work", 51 * NS_PER_MS, "Retry-After: 1\r\n");
    ck_assert_int_eq(handled, 2);
    ask("/health", NS_PER_S, "200 OK");
    ask("/work", 50 * NS_PER_MS, "200 OK"); /* in time: late ones are chance again */
    ask("/work", 51 * NS_PER_MS, "200 OK");
    now_ns += 801 * NS_PER_MS; /* what was seen long ago counts no more */
    ask("/work", 51 * NS_PER_MS, "200 OK");
    ck_assert_int_eq(refusals[HTTP_REFUSAL_WAITED], 2);
    limits.queue_delay_max_ns = 0;
    ask("/work", NS_PER_S, "200 OK");
}
END_TEST

START_TEST(beyond_what_may_be_in_work_is_refused)
{
    begin();
    limits.in_flight_max = 3;
    atomic_store(&app.in_flight, 2);
    ask("/work", 0, "200 OK");
    ck_assert_int_eq(in_work, 3);
    ck_assert_int_eq(atomic_load(&app.in_flight), 2);
    atomic_store(&app.in_flight, 3);
    ask("/work", 0, "503 Service Unavailable");
    ck_assert_int_eq(atomic_load(&app.in_flight), 3);
    ck_assert_int_eq(refusals[HTTP_REFUSAL_IN_FLIGHT], 1);
    ask("/health", 0, "200 OK");
    atomic_store(&app.in_flight, 0);
}
END_TEST

static const struct {
    bool is_crowded;
    bool is_refused;
    int64_t open_ns; /* for so long when the request comes */
    int64_t work_ns; /* which takes so long */
    enum http_turn turn;
} crowds[] = {
    {false, false, NS_PER_S, 0, HTTP_TURN_IDLE},
    {true, false, HTTP_CROWDED_SLICE_NS - 1, 0, HTTP_TURN_IDLE},
    {true, false, HTTP_CROWDED_SLICE_NS, 0, HTTP_TURN_CLOSE},
    {true, false, 0, HTTP_CROWDED_SLICE_NS - 1, HTTP_TURN_IDLE},
    {true, false, 0, HTTP_CROWDED_SLICE_NS, HTTP_TURN_CLOSE},
    {false, false, 0, HTTP_CROWDED_SLICE_NS, HTTP_TURN_IDLE},
    {false, true, NS_PER_S, 0, HTTP_TURN_IDLE},
    {true, true, 0, 0, HTTP_TURN_CLOSE}, /* sooner than the master would have it ended */
};

START_TEST(connections_take_turns_when_others_wait)
{
    static const char in[] = "GET /work HTTP/1.1\r\nHost: a\r\n\r\n";
    struct pair_io p;
    struct http_session session;
    begin();
    pair_init(&p, in, sizeof in - 1);
    p.at_end = -EAGAIN;
    atomic_store(&app.limits, &limits);
    atomic_store(&app.is_crowded, crowds[_i].is_crowded);
    limits.in_flight_max = crowds[_i].is_refused;
    atomic_store(&app.in_flight, crowds[_i].is_refused);
    ck_assert_int_eq(http_session_init(&session, &app, &p.io, NULL, 0), HTTP_TURN_IDLE);
    p.now_ns += crowds[_i].open_ns;
    worker = &p;
    work_ns = crowds[_i].work_ns;
    ck_assert_int_eq(http_session_turn(&session), crowds[_i].turn);
    ck_assert_int_eq(strstr(pair_out(&p), "Connection: close") != NULL,
                     crowds[_i].turn == HTTP_TURN_CLOSE);
    ck_assert_int_eq(p.is_shut, crowds[_i].turn == HTTP_TURN_CLOSE);
    atomic_store(&app.in_flight, 0);
    http_session_fini(&session);
    pair_fini(&p);
}
END_TEST

START_TEST(the_kernel_is_asked_rarely_while_nothing_is_late)
{
    begin();
    limits.queue_delay_max_ns = 80 * NS_PER_MS;
    ask("/work", 0, "200 OK");
    ck_assert_uint_eq(looks, 1);
    for (int i = 0; i < 9; i++, now_ns += NS_PER_MS)
        ask("/work", NS_PER_S, "200 OK");
    ck_assert_uint_eq(looks, 1);
    now_ns += NS_PER_MS; /* an eighth has passed since */
    ask("/work", 41 * NS_PER_MS, "200 OK");
    ck_assert_uint_eq(looks, 2);
    ask("/work", 42 * NS_PER_MS, "200"); /* more than half: from here on each is looked at */
    ask("/work", 0, "200 OK");
    ck_assert_uint_eq(looks, 4);
    ask("/work", NS_PER_S, "200 OK");
    ck_assert_uint_eq(looks, 4);
}
END_TEST

START_TEST(computing_takes_a_place)
{
    begin();
    app.places = &places;
    ck_assert_int_eq(http_places_init(&places, 1), 0);
    ask("/work", 0, "200 OK");
    ck_assert_int_eq(free_at_work, 0);
    ck_assert_int_eq(free_places(), 1);
    ask("/wait", 0, "200 OK"); /* who waits for others gives it up, once */
    ck_assert_int_eq(free_at_work, 1);
    ck_assert_int_eq(free_places(), 1);
    for (size_t i = 0; i < ARRAY_LEN(stages); i++)
        ck_assert_int_eq(stages[i], 0);
    http_places_fini(&places);
}
END_TEST

START_TEST(no_place_in_time_is_refused)
{
    begin();
    limits.queue_delay_max_ns = 20 * NS_PER_MS;
    app.places = &places;
    ck_assert_int_eq(http_places_init(&places, 0), 0);
    int64_t began_ns = clock_now_ns();
    ask("/work", 0, "503 Service Unavailable");
    ck_assert_int_ge(clock_now_ns() - began_ns, 20 * NS_PER_MS);
    ck_assert_int_eq(refusals[HTTP_REFUSAL_WAITED], 1);
    ck_assert_int_eq(handled, 0);
    ask("/health", 0, "200 OK");
    http_places_restore(&places, 1, false); /* somebody died with it */
    ask("/work", 0, "200 OK");
    ck_assert_int_eq(free_places(), 1);
    for (size_t i = 0; i < ARRAY_LEN(stages); i++)
        ck_assert_int_eq(stages[i], 0);
    http_places_fini(&places);
}
END_TEST

static const struct {
    int waiting;
    int64_t grant_ns;
    int64_t missed_ns; /* so long ago; 0: never */
    int64_t queued_ns; /* before it was read */
    bool waits;
} queues[] = {
    {10, 5 * NS_PER_MS, 1, 0, false},
    {10, 5 * NS_PER_MS, 0, 0, true},             /* nobody in vain */
    {10, 5 * NS_PER_MS, NS_PER_S + 1, 0, true},  /* not lately */
    {2, 5 * NS_PER_MS, 1, 0, true},              /* it may just get one */
    {2, 5 * NS_PER_MS, 1, 6 * NS_PER_MS, false}, /* that came late */
    {0, NS_PER_S, 1, 0, true},                   /* the first */
    {-1, NS_PER_S, 1, 0, true}                   /* some died while they waited */
};

START_TEST(behind_too_many_is_refused_at_once)
{
    begin();
    limits.queue_delay_max_ns = 20 * NS_PER_MS;
    app.places = &places;
    ck_assert_int_eq(http_places_init(&places, 0), 0);
    atomic_store(&places.waiting, queues[_i].waiting);
    atomic_store(&places.grant_ns, queues[_i].grant_ns);
    if (queues[_i].missed_ns > 0)
        atomic_store(&places.missed_ns, clock_now_ns() - queues[_i].missed_ns);
    ask("/work", queues[_i].queued_ns, "503 Service Unavailable");
    ck_assert_int_eq(waits, queues[_i].waits);
    ck_assert_int_eq(looks, 1); /* in all, for one request */
    ck_assert_int_eq(refusals[HTTP_REFUSAL_WAITED], 1);
    ck_assert_int_eq(atomic_load(&places.waiting), queues[_i].waiting);
    if (queues[_i].waits) /* in vain: that tells the next */
        ck_assert_int_le(clock_now_ns() - atomic_load(&places.missed_ns), NS_PER_S);
    ck_assert_int_eq(atomic_load(&places.grant_ns), queues[_i].grant_ns);
    http_places_fini(&places);
}
END_TEST

#define HELD_NS (5 * NS_PER_MS)

static void *hold_a_place(void *arg)
{
    (void)arg;
    const struct timespec tick = {0, NS_PER_MS}, held = {0, HELD_NS};
    while (atomic_load(&places.waiting) == 0)
        nanosleep(&tick, NULL);
    nanosleep(&held, NULL);
    http_places_restore(&places, 1, false);
    return NULL;
}

START_TEST(waits_that_end_well_are_remembered)
{
    pthread_t holder;
    begin();
    app.places = &places;
    ck_assert_int_eq(http_places_init(&places, 0), 0);
    ck_assert_int_eq(pthread_create(&holder, NULL, hold_a_place, NULL), 0);
    ask("/work", 0, "200 OK");
    pthread_join(holder, NULL);
    ck_assert_int_ge(atomic_load(&places.grant_ns), HELD_NS / 8); /* the first of eight */
    ck_assert_int_eq(atomic_load(&places.missed_ns), 0);
    ck_assert_int_eq(atomic_load(&places.waiting), 0);
    http_places_fini(&places);
}
END_TEST

SUITE_MAIN("overload", SUITE_TEST(what_waited_too_long_is_refused),
           SUITE_TEST(beyond_what_may_be_in_work_is_refused),
           SUITE_LOOP(connections_take_turns_when_others_wait, crowds),
           SUITE_TEST(the_kernel_is_asked_rarely_while_nothing_is_late),
           SUITE_TEST(computing_takes_a_place), SUITE_TEST(no_place_in_time_is_refused),
           SUITE_LOOP(behind_too_many_is_refused_at_once, queues),
           SUITE_TEST(waits_that_end_well_are_remembered))
