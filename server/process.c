/* server/process.c - see process.h. */
#include "server/process.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "coro/base/err.h"
#include "coro/base/log.h"

int process_check_user(const char *name)
{
    return getpwnam(name) != NULL ? 0 : -ENOENT;
}

int process_become_user(const char *name)
{
    const struct passwd *user = getpwnam(name);
    if (user == NULL) {
        log_error("there is no user '%s'", name);
        return -ENOENT;
    }
    if (geteuid() == user->pw_uid)
        return 0;
    if (geteuid() != 0) {
        log_error("cannot become user '%s': only root may; leave user out, or start as root", name);
        return -EPERM;
    }
    if (initgroups(name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
        setuid(user->pw_uid) < 0) {
        int err = -errno;
        log_error("cannot become user '%s': %s", name, err_text(err));
        return err;
    }
    if (user->pw_uid != 0 && setuid(0) == 0) {
        log_error("root came back after becoming user '%s'", name);
        return -EPERM;
    }
    return 0;
}

int process_allow_descriptors(unsigned needed)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    struct rlimit most = {limit.rlim_max, limit.rlim_max};
    if (limit.rlim_cur < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &most) == 0)
        limit = most; /* else a sandbox forbids it: what there is may be enough */
    if (limit.rlim_cur >= needed)
        return 0;
    log_error("%llu open descriptors are allowed, and this configuration takes %u, more with "
              "many connections: raise the limit (ulimit -n, LimitNOFILE= of the unit)",
              (unsigned long long)limit.rlim_cur, needed);
    return -EMFILE;
}

int process_write_pid(const char *path)
{
    char *draft = NULL;
    int err = 0;
    if (asprintf(&draft, "%s.%d", path, (int)getpid()) < 0)
        return -ENOMEM;
    FILE *file = fopen(draft, "we");
    if (file == NULL || fprintf(file, "%d\n", (int)getpid()) < 0)
        err = -errno;
    if (file != NULL && fclose(file) != 0 && err == 0)
        err = -errno;
    if (err == 0 && rename(draft, path) < 0)
        err = -errno;
    if (err < 0) {
        log_error("cannot write the pid file %s: %s", path, err_text(err));
        unlink(draft);
    }
    free(draft);
    return err;
}

void process_remove_pid(const char *path)
{
    int pid = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    fclose(file);
    if (pid == (int)getpid())
        unlink(path);
}
