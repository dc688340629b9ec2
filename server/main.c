/* server/main.c - the composition root of domaind: takes the command line, builds
 * the application and hands it to a mode.  Nothing else calls exit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/err.h"
#include "coro/base/log.h"
#include "coro/prof/worker.h"
#include "server/app.h"
#include "server/config/config.h"
#include "server/domain/domain.h"
#include "server/metrics/metrics.h"
#include "server/mode/cpus.h"
#include "server/mode/mode.h"
#include "server/profile/window.h"

enum { EXIT_USAGE = 2, EXIT_CONFIG = 78 };

static const struct mode_ops *const modes[] = {
    [CFG_MODE_COROUTINE] = &mode_coroutine,
    [CFG_MODE_THREAD] = &mode_thread,
    [CFG_MODE_PREFORK] = &mode_prefork,
};

static void print_version(void)
{
    printf("domaind %s\n", DOMAIND_VERSION);
}

/* Slots for those who count: every worker of the mode, and some to spare. */
static unsigned workers_of(const struct config *cfg)
{
    enum { SPARE = 4 };
    switch ((enum cfg_mode)cfg->mode) {
    case CFG_MODE_COROUTINE:
        return (cfg->workers > 0 ? (unsigned)cfg->workers : cpus_usable()) + SPARE;
    case CFG_MODE_THREAD:
        return (unsigned)cfg->max_threads + SPARE;
    case CFG_MODE_PREFORK:
        break;
    }
    return (unsigned)cfg->children + SPARE;
}

static int load_suffixes(const struct config *cfg)
{
    const char *path = *cfg->suffix_list != '\0' ? cfg->suffix_list : DOMAIN_SUFFIX_LIST_PATH;
    struct domain_suffixes *suffixes;
    struct domain_load_error why;
    int rv = domain_suffixes_load(path, &suffixes, &why);
    if (rv == 0)
        domain_suffixes_install(suffixes);
    else if (why.line > 0)
        log_error("%s:%u: %s", path, why.line, why.what);
    else
        log_error("cannot load the suffix list %s: %s", path, why.what);
    return rv;
}

static int serve(const struct config *cfg)
{
    struct mode_server server = {.ops = modes[cfg->mode], .cfg = cfg};
    char error[LISTEN_ERROR_BYTES];
    int rv = load_suffixes(cfg);
    if (rv < 0)
        return EXIT_FAILURE;
    rv = listen_set_open(&server.listeners, cfg->listen, (int)cfg->backlog, error);
    if (rv < 0) {
        log_error("%s", error);
        goto out;
    }
    rv = metrics_init(workers_of(cfg));
    if (rv == 0 && cfg->profile)
        rv = prof_segment_create(workers_of(cfg));
    if (rv == 0 && cfg->profile)
        rv = profile_store_create();
    if (rv < 0) {
        log_error("cannot start: %s", err_text(rv));
        goto out;
    }
    struct cfg_error why = {""};
    struct app *app = app_new(cfg, &why);
    if (app == NULL) {
        log_error("%s", why.text);
        rv = -EINVAL;
        goto out;
    }
    server.app = &app->http;
    server.on_tick = profile_tick;
    rv = mode_run(&server);
    app_free(app);
out:
    listen_set_fini(&server.listeners);
    return rv < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct cfg_args args;
    struct cfg_error error;
    struct config cfg;
    int status = EXIT_USAGE;
    log_init("domaind", LOG_INFO);
    if (cfg_init(&cfg) < 0) {
        log_error("out of memory");
        return EXIT_FAILURE;
    }
    int rv = cfg_args_parse(&args, argc, argv, &error);
    if (rv == 0)
        rv = cfg_args_apply(&args, &cfg, &error);
    if (rv == 0)
        rv = cfg_validate(&cfg, &error);
    if (rv < 0) {
        log_error("%s", error.text);
    } else if (args.action == CFG_HELP) {
        cfg_print_help(stdout);
        status = EXIT_SUCCESS;
    } else if (args.action == CFG_SHOW_VERSION) {
        print_version();
        status = EXIT_SUCCESS;
    } else {
        status = serve(&cfg);
    }
    cfg_args_fini(&args);
    cfg_fini(&cfg);
    return status;
}
