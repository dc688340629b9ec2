/* The life of a server, with a mode that only notes what is asked of it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "coro/base/log.h"
#include "server/metrics/metrics.h"
#include "server/mode/mode.h"
#include "suite.h"

/* What happened, a word each. */
static char story[400];

static void note(const char *word)
{
    size_t len = strlen(story);
    snprintf(story + len, sizeof story - len, "%s%s", len > 0 ? " " : "", word);
}

/* What a test does to the server: at each tick the next letter. */
static const char *script;
static bool ends_when_drained, ends_when_cut;
static int start_rv;
static struct mode_server server;
static struct http_app app;
static struct config cfg;

static int start(struct mode_server *s)
{
    (void)s;
    note("start");
    return start_rv;
}

static void act(char letter)
{
    static const struct {
        char letter;
        int signo;
    } signals[] = {{'T', SIGTERM}, {'I', SIGINT}, {'H', SIGHUP}, {'U', SIGUSR1}, {'Q', SIGQUIT}};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (signals[i].letter == letter)
            kill(getpid(), signals[i].signo);
    if (letter == 'F')
        mode_fail(&server);
    if (letter == 'w')
        mode_wake(&server);
    if (letter == 'l')
        note(atomic_load(&app.is_leaving) && !atomic_load(&app.draining) ? "leaving" : "?");
}

static void tick(struct mode_server *s)
{
    (void)s;
    if (*script != '\0')
        act(*script++);
}

static void drain(struct mode_server *s)
{
    (void)s;
    note(atomic_load(&app.draining) ? "drain" : "?");
}

static void cut(struct mode_server *s)
{
    (void)s;
    note(atomic_load(&app.is_cut) ? "cut" : "?");
    ends_when_drained = ends_when_cut;
}

static void relay(struct mode_server *s, int signo)
{
    (void)s;
    note(signo == SIGHUP ? "relay-hup" : "relay-usr1");
}

static bool is_healthy(struct mode_server *s)
{
    (void)s;
    return true;
}

static bool is_finished(struct mode_server *s)
{
    (void)s;
    return ends_when_drained;
}

static int queue_len(struct mode_server *s)
{
    (void)s;
    return 7;
}

static void finish(struct mode_server *s)
{
    (void)s;
    note("finish");
}

static const struct mode_ops noting = {
    .name = "noting",
    .start = start,
    .drain = drain,
    .tick = tick,
    .relay = relay,
    .is_healthy = is_healthy,
    .queue_len = queue_len,
    .is_finished = is_finished,
    .cut = cut,
    .finish = finish,
};

static void reload(void *arg)
{
    (void)arg;
    note("reload");
}

static int reopen(void *arg)
{
    (void)arg;
    note("reopen");
    return -EACCES; /* reported, no more */
}

#define LONG_NS (3600 * NS_PER_S)

static const struct {
    const char *script;
    bool ends; /* by itself, when drained */
    int64_t delay_ns, timeout_ns;
    int start_rv;
    int rv, ended_by;
    const char *story;
} lives[] = {
    {"T", true, 0, LONG_NS, 0, 0, SIGTERM, "start drain finish"},
    {"I", true, 0, LONG_NS, 0, 0, SIGINT, "start drain finish"},
    {"HT", true, 0, LONG_NS, 0, 0, SIGTERM, "start reload relay-hup drain finish"},
    {"UT", true, 0, LONG_NS, 0, 0, SIGTERM, "start reopen relay-usr1 drain finish"},
    {"QwT", true, 0, LONG_NS, 0, 0, SIGTERM, "start drain finish"},
    {"wT.HT", false, 0, LONG_NS, 0, 0, SIGTERM, "start drain reload relay-hup cut finish"},
    {"TI", false, 0, LONG_NS, 0, 0, SIGTERM, "start drain cut finish"},
    {"T", false, 0, 50 * NS_PER_MS, 0, 0, SIGTERM, "start drain cut finish"},
    {"T.l", true, 2 * NS_PER_S, LONG_NS, 0, 0, SIGTERM, "start leaving drain finish"},
    {"TT", true, LONG_NS, LONG_NS, 0, 0, SIGTERM, "start cut finish"},
    {"F", true, 0, LONG_NS, 0, -ESRCH, 0, "start cut finish"},
    {"T.F", false, 0, LONG_NS, 0, -ESRCH, SIGTERM, "start drain cut finish"},
    {"", true, 0, 0, -ENOMEM, -ENOMEM, 0, "start finish"},
};

static void set_up(int i)
{
    log_init("test", LOG_ERROR);
    ck_assert_int_eq(metrics_init(1), 0);
    story[0] = '\0';
    script = lives[i].script;
    start_rv = lives[i].start_rv;
    ends_when_drained = lives[i].ends;
    ends_when_cut = true;
    atomic_store(&app.is_leaving, false);
    atomic_store(&app.draining, false);
    atomic_store(&app.is_cut, false);
    cfg = (struct config){.drain_delay_ns = lives[i].delay_ns,
                          .drain_timeout_ns = lives[i].timeout_ns};
    server = (struct mode_server){
        .ops = &noting, .app = &app, .cfg = &cfg, .hooks = {NULL, reload, NULL, reopen}};
}

START_TEST(signals_and_time_lead_through_it)
{
    set_up(_i);
    ck_assert_int_eq(mode_run(&server), lives[_i].rv);
    ck_assert_str_eq(story, lives[_i].story);
    ck_assert_int_eq(server.ended_by, lives[_i].ended_by);
    ck_assert_uint_eq(server.reloads, strchr(lives[_i].script, 'H') != NULL);
    ck_assert_uint_eq(metrics_read(METRICS_RELOADS), server.reloads);
    ck_assert_uint_eq(mode_oldest_reload(&server), server.reloads);
    metrics_fini();
}
END_TEST

START_TEST(what_came_before_is_obeyed_when_it_runs)
{
    set_up(0);
    script = "";
    mode_hold_signals(false);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGUSR1);
    mode_hold_signals(true);
    kill(getpid(), SIGTERM);
    ck_assert_int_eq(mode_run(&server), 0);
    ck_assert_ptr_nonnull(strstr(story, "reload relay-hup"));
    ck_assert_ptr_nonnull(strstr(story, "reopen relay-usr1"));
    ck_assert_ptr_nonnull(strstr(story, "drain finish"));
    metrics_fini();
}
END_TEST

static struct buf report;

static void look(void)
{
    if (report.len == 0)
        ck_assert_int_eq(metrics_export(&report, METRICS_PROMETHEUS), 0);
    ck_assert_int_eq(mode_list_workers(&report, false), 0); /* this mode has none to list */
}

START_TEST(it_tells_what_state_connections_are_in)
{
    set_up(0);
    script = "w.T";
    server.on_tick = look;
    buf_init(&report, 1 << 20);
    metrics_enter(metrics_lease());
    metrics_add(METRICS_OPEN, 5);
    metrics_add(METRICS_IDLE, 3);
    ck_assert_int_eq(mode_run(&server), 0);
    ck_assert_int_eq(buf_append_char(&report, '\0'), 0);
    ck_assert_ptr_nonnull(strstr(report.data, "\ndomaind_connections{state=\"queued\"} 7\n"));
    ck_assert_ptr_nonnull(strstr(report.data, "\ndomaind_connections{state=\"serving\"} 2\n"));
    ck_assert_ptr_nonnull(strstr(report.data, "\ndomaind_connections{state=\"idle\"} 3\n"));
    buf_fini(&report);
    metrics_fini();
}
END_TEST

SUITE_MAIN("life", SUITE_LOOP(signals_and_time_lead_through_it, lives),
           SUITE_TEST(what_came_before_is_obeyed_when_it_runs),
           SUITE_TEST(it_tells_what_state_connections_are_in))
