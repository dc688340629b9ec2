/* server/main.c - the composition root of domaind: takes the command line, builds
 * the application and hands it to a mode.  Nothing else calls exit. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coro/base/err.h"
#include "coro/base/log.h"
#include "coro/base/std.h"
#include "coro/prof/worker.h"
#include "server/app.h"
#include "server/config/config.h"
#include "server/domain/domain.h"
#include "server/io/access_log.h"
#include "server/metrics/metrics.h"
#include "server/mode/cpus.h"
#include "server/mode/mode.h"
#include "server/process.h"
#include "server/profile/window.h"
#include "server/suffixes.h"

enum { EXIT_USAGE = 2, EXIT_CONFIG = 78, EXIT_INTERRUPTED = 130 };

static const struct mode_ops *const modes[] = {
    [CFG_MODE_COROUTINE] = &mode_coroutine,
    [CFG_MODE_THREAD] = &mode_thread,
    [CFG_MODE_PREFORK] = &mode_prefork,
};

/* One run of the server. */
struct instance {
    struct cfg_args args;
    struct config cfg;
    struct app *app;
    struct mode_server server;
    struct mode_server admin;
};

/* Workers beyond serve all the same; the call-table counts them as missed. */
#define PROFILED_MAX 16384u

/* Event loops in coroutine mode. */
static unsigned loops_of(const struct config *cfg)
{
    return cfg->workers > 0 ? (unsigned)cfg->workers : cpus_usable();
}

/* Slots for those who count: every worker of the mode, and some to spare. */
static unsigned workers_of(const struct config *cfg)
{
    enum { SPARE = 4 };
    switch ((enum cfg_mode)cfg->mode) {
    case CFG_MODE_COROUTINE:
        return loops_of(cfg) + SPARE;
    case CFG_MODE_THREAD:
        return (unsigned)cfg->max_threads + SPARE;
    case CFG_MODE_PREFORK:
        break;
    }
    return (unsigned)cfg->children + SPARE;
}

/* What the table cannot check: texts that other parts understand. */
static int check_texts(const struct config *cfg, struct cfg_error *error)
{
    char why[LISTEN_ERROR_BYTES];
    if (listen_list_check(cfg->listen, why) < 0)
        return cfg_blame(cfg, CFG_listen, error, "%s", why);
    if (listen_list_check(cfg->admin_listen, why) < 0)
        return cfg_blame(cfg, CFG_admin_listen, error, "%s", why);
    if (*cfg->user != '\0' && process_check_user(cfg->user) < 0)
        return cfg_blame(cfg, CFG_user, error, "there is no user '%s'", cfg->user);
    return app_check(cfg, error);
}

static int load(struct config *cfg, const struct cfg_args *args, struct cfg_error *error)
{
    int rv = cfg_load(cfg, args, environ, error);
    if (rv < 0)
        return rv;
    rv = check_texts(cfg, error);
    if (rv < 0)
        cfg_fini(cfg);
    return rv;
}

/* ---- while it runs ---- */

static void on_fixed(const char *name)
{
    log_warn("reload: %s is taken at the next start only", name);
}

static void reload(void *arg)
{
    struct instance *in = arg;
    struct config next;
    struct cfg_error error;
    int rv = load(&next, &in->args, &error);
    if (rv < 0) {
        log_error("reload: %s; the configuration stays as it was",
                  rv == -EINVAL ? error.text : err_text(rv));
        return;
    }
    cfg_adopt(&in->cfg, &next, on_fixed);
    cfg_fini(&next);
    app_set_limits(in->app, &in->cfg);
    /* said why when it fails; the old list stays */
    (void)!suffixes_reload(&in->cfg, in->server.reloads + 1, mode_oldest_reload(&in->server));
    log_info("reloaded");
}

static void reload_child(void *arg)
{
    struct instance *in = arg;
    struct config next;
    struct cfg_error error;
    /* limits are in memory that is shared; the rest is the master's business */
    if (suffixes_adopt() || load(&next, &in->args, &error) < 0)
        return;
    cfg_adopt(&in->cfg, &next, NULL);
    cfg_fini(&next);
    (void)!suffixes_load(&in->cfg);
}

static int reopen_logs(void *arg)
{
    (void)arg;
    return access_log_reopen();
}

/* ---- a run ---- */

/* Nobody asked for IPv6 where the addresses are the built-in ones: a machine without it
 * serves on what it has. */
static int open_addresses(struct instance *in, char error[LISTEN_ERROR_BYTES])
{
    int rv = listen_set_open(&in->server.listeners, in->cfg.listen, (int)in->cfg.backlog, error);
    bool is_lacking = rv == -EADDRNOTAVAIL || rv == -EAFNOSUPPORT;
    if (!is_lacking || in->cfg.origin[CFG_listen].source != CFG_FROM_DEFAULT ||
        in->server.listeners.count == 0)
        return rv;
    log_info("no IPv6 here: %s", error);
    return 0;
}

static int open_listeners(struct instance *in)
{
    char error[LISTEN_ERROR_BYTES];
    int rv = listen_set_inherit(&in->server.listeners, error);
    if (rv == 0)
        rv = open_addresses(in, error);
    if (rv >= 0 && in->cfg.mode == CFG_MODE_COROUTINE)
        rv = listen_set_clone(&in->server.listeners, loops_of(&in->cfg) - 1, (int)in->cfg.backlog,
                              error);
    if (rv >= 0 && *in->cfg.admin_listen != '\0')
        rv = listen_set_open(&in->admin.listeners, in->cfg.admin_listen, (int)in->cfg.backlog,
                             error);
    if (rv < 0)
        log_error("%s", error);
    return rv;
}

static unsigned addresses_in(const char *list)
{
    unsigned count = *list != '\0';
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* Descriptors that are open once it serves, and some connections. */
static unsigned descriptors_of(const struct config *cfg)
{
    enum { ALWAYS = 16, OF_A_LOOP = 6 };
    unsigned addresses = addresses_in(cfg->listen), admin = addresses_in(cfg->admin_listen);
    unsigned count = ALWAYS + addresses;
    if (cfg->mode == CFG_MODE_COROUTINE)
        count += loops_of(cfg) * (OF_A_LOOP + addresses);
    return admin > 0 ? count + OF_A_LOOP + 2 * admin : count;
}

static const enum access_log_format access_log_formats[] = {
    [CFG_ACCESS_LOG_FORMAT_COMBINED] = ACCESS_LOG_COMBINED,
    [CFG_ACCESS_LOG_FORMAT_JSON] = ACCESS_LOG_JSON,
};

static int prepare(struct instance *in)
{
    const struct config *cfg = &in->cfg;
    int rv = process_allow_descriptors(descriptors_of(cfg));
    if (rv == 0)
        rv = open_listeners(in);
    if (rv < 0)
        return rv;
    if (*cfg->pid_file != '\0' && (rv = process_write_pid(cfg->pid_file)) < 0)
        return rv;
    if (*cfg->user != '\0' && (rv = process_become_user(cfg->user)) < 0)
        return rv;
    if (*cfg->access_log != '\0' &&
        (rv = access_log_open(cfg->access_log, access_log_formats[cfg->access_log_format])) < 0) {
        log_error("cannot write the access log %s: %s", cfg->access_log,
                  rv == -ENXIO ? "a FIFO that nobody reads" : err_text(rv));
        return rv;
    }
    rv = metrics_init(workers_of(cfg));
    if (rv == 0 && cfg->mode == CFG_MODE_PREFORK)
        rv = suffixes_share();
    if (rv == 0 && cfg->profile)
        rv = prof_segment_create(workers_of(cfg) < PROFILED_MAX ? workers_of(cfg) : PROFILED_MAX);
    if (rv == 0 && cfg->profile)
        rv = profile_store_create();
    if (rv == 0 && (in->app = app_new(cfg)) == NULL)
        rv = -ENOMEM;
    if (rv < 0)
        log_error("cannot start: %s", err_text(rv));
    return rv;
}

static int serve(struct instance *in)
{
    in->server = (struct mode_server){
        .ops = modes[in->cfg.mode],
        .cfg = &in->cfg,
        .hooks = {in, reload, reload_child, reopen_logs},
        .on_tick = profile_tick,
    };
    in->admin = (struct mode_server){.cfg = &in->cfg, .workers = 1};
    if (*in->cfg.admin_listen != '\0')
        in->server.admin = &in->admin;
    mode_hold_signals(true);
    int rv = prepare(in);
    if (rv == 0) {
        in->server.app = &in->app->http;
        in->admin.app = &in->app->admin_http;
        rv = mode_run(&in->server);
    }
    listen_set_unlink(&in->server.listeners);
    listen_set_unlink(&in->admin.listeners);
    listen_set_fini(&in->server.listeners);
    listen_set_fini(&in->admin.listeners);
    if (*in->cfg.pid_file != '\0')
        process_remove_pid(in->cfg.pid_file);
    access_log_close();
    app_free(in->app);
    if (rv < 0)
        return EXIT_FAILURE;
    return in->server.ended_by == SIGINT ? EXIT_INTERRUPTED : EXIT_SUCCESS;
}

/* All of what was printed has got out. */
static int printed(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    log_error("cannot write: %s", err_text(-errno));
    return EXIT_FAILURE;
}

static int act(struct instance *in)
{
    switch (in->args.action) {
    case CFG_RUN:
        return suffixes_load(&in->cfg) < 0 ? EXIT_CONFIG : serve(in);
    case CFG_CHECK:
        if (suffixes_load(&in->cfg) < 0)
            return EXIT_CONFIG;
        puts("domaind: the configuration is right");
        return printed();
    case CFG_PRINT_CONFIG:
        cfg_print(&in->cfg, stdout);
        return printed();
    case CFG_HELP:
        cfg_print_help(stdout);
        return printed();
    case CFG_SHOW_VERSION:
    case CFG_ACTION_COUNT:
        break;
    }
    printf("domaind %s\nbuilt with %s\nUnicode %s\n", DOMAIND_VERSION, DOMAIND_LIBRARIES,
           domain_unicode_version());
    return printed();
}

int main(int argc, char **argv)
{
    static struct instance in;
    mode_hold_signals(false);
    struct cfg_error error = {.source = CFG_FROM_FLAG};
    log_init("domaind", LOG_INFO);
    if (std_hold() < 0)
        return EXIT_FAILURE;
    int rv = cfg_args_parse(&in.args, argc, argv, &error);
    /* who asks for help gets it, however the rest is configured */
    bool needs_config = in.args.action != CFG_HELP && in.args.action != CFG_SHOW_VERSION;
    if (rv == 0 && needs_config)
        rv = load(&in.cfg, &in.args, &error);
    int status = EXIT_FAILURE;
    if (rv == 0)
        status = act(&in);
    else if (rv == -EINVAL)
        status = error.source == CFG_FROM_FLAG ? EXIT_USAGE : EXIT_CONFIG;
    if (rv < 0)
        log_error("%s", rv == -EINVAL ? error.text : err_text(rv));
    cfg_args_fini(&in.args);
    cfg_fini(&in.cfg);
    return status;
}
