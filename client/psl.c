/* domainc psl - keep a Public Suffix List of one's own.
 *
 * update: asks for a list newer than the one that is there (If-Modified-Since
 * its time stamp), reads what comes as a list, and only a list that is whole
 * takes the place of the old one, by rename: who reads the file at that moment
 * reads the old list or the new one.  Any failure leaves the old one alone.
 * check: the same tests for a file that is there already. */
#include <argp.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/command.h"
#include "client/errors.h"
#include "client/output.h"
#include "coro/base/buf.h"
#include "coro/base/err.h"
#include "server/domain/domain.h"

#define PSL_URL "https://publicsuffix.org/list/public_suffix_list.dat"

enum {
    LIST_MAX_BYTES = 16 << 20,
    RULES_MIN = 5000, /* the real list has had more since 2013 */
    TIMEOUT_S = 60,
    CONNECT_TIMEOUT_S = 15,
    REDIRECTS_MAX = 5,
};

struct arguments {
    bool is_check;
    bool has_action;
    const char *url;
    const char *path;
};

/* What came. */
struct download {
    struct buf text;
    long status;
    curl_off_t modified_s; /* -1: not said */
};

/* ---- is it the list? ---- */

static bool is_icann_suffix(const struct domain_suffixes *s, const char *name)
{
    struct domain_result r;
    return domain_parse(s, name, strlen(name), &r) == DOMAIN_OK && r.icann.suffix_at == 0 &&
           r.icann.section == DOMAIN_SECTION_ICANN;
}

/* 0, or -EINVAL and the reason said; old_rules: of the list it is to replace, 0: none. */
static int verify(const char *name, const char *text, size_t len, unsigned old_rules)
{
    struct domain_suffixes *s;
    struct domain_load_error why;
    if (domain_suffixes_parse(text, len, &s, &why) < 0) {
        if (why.line > 0)
            cl_complain("%s:%u: %s", name, why.line, why.what);
        else
            cl_complain("%s: %s", name, why.what);
        return -EINVAL;
    }
    struct domain_suffixes_info info = domain_suffixes_info(s);
    unsigned rules = info.icann_rules + info.private_rules;
    int rv = -EINVAL;
    if (rules < RULES_MIN)
        cl_complain("%s: %u rules are too few for the whole list", name, rules);
    else if (rules < old_rules / 2)
        cl_complain("%s: %u rules, but the list it would replace has %u", name, rules, old_rules);
    else if (!is_icann_suffix(s, "com") || !is_icann_suffix(s, "co.uk"))
        cl_complain("%s: com or co.uk is missing", name);
    else
        rv = 0;
    if (rv == 0)
        printf("%s: %u rules (%u icann, %u private)%s%s\n", name, rules, info.icann_rules,
               info.private_rules, info.version[0] != '\0' ? ", version " : "", info.version);
    domain_suffixes_unref(s);
    return rv;
}

/* Rules of the list at path; 0: there is none that can be read. */
static unsigned rules_of(const char *path)
{
    struct domain_suffixes *s;
    struct domain_load_error why;
    if (domain_suffixes_load(path, &s, &why) < 0)
        return 0;
    struct domain_suffixes_info info = domain_suffixes_info(s);
    domain_suffixes_unref(s);
    return info.icann_rules + info.private_rules;
}

/* ---- fetching ---- */

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct download *d = arg;
    return buf_append(&d->text, bytes, size * n) == 0 ? n : 0;
}

static void set_up(CURL *easy, const char *url, time_t have_s, struct download *d,
                   char error[CURL_ERROR_SIZE])
{
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "domainc/" DOMAIND_VERSION);
    curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, d);
    if (have_s > 0) {
        curl_easy_setopt(easy, CURLOPT_TIMECONDITION, (long)CURL_TIMECOND_IFMODSINCE);
        curl_easy_setopt(easy, CURLOPT_TIMEVALUE_LARGE, (curl_off_t)have_s);
    }
}

/* have_s: the time of the list that is there, 0: none.  0 or -errno, said. */
static int fetch(const char *url, time_t have_s, struct download *d)
{
    char error[CURL_ERROR_SIZE] = "";
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return -ENOMEM;
    set_up(easy, url, have_s, d, error);
    CURLcode code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &d->status);
    curl_easy_getinfo(easy, CURLINFO_FILETIME_T, &d->modified_s);
    curl_easy_cleanup(easy);
    int rv = cl_error_from_easy(code);
    if (rv < 0)
        cl_complain("%s: %s", url, error[0] != '\0' ? error : curl_easy_strerror(code));
    else if (d->status != 200 && d->status != 304) {
        cl_complain("%s: the server answers %ld", url, d->status);
        rv = -EPROTO;
    }
    return rv;
}

/* ---- replacing ---- */

/* The folder's entry is on disk too. */
static void sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static int replace(const char *path, const struct download *d)
{
    char temporary[PATH_MAX];
    struct stat old;
    mode_t mode = stat(path, &old) == 0 ? old.st_mode & 0777 : 0644;
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temporary)
        return -ENAMETOOLONG;
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rv = cl_write_all(fd, d->text.data, d->text.len);
    /* its time is the server's: what the next update asks with */
    const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = (time_t)d->modified_s}};
    if (rv == 0 && d->modified_s > 0 && futimens(fd, times) < 0)
        rv = -errno;
    if (rv == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
        rv = -errno;
    close(fd);
    if (rv == 0 && rename(temporary, path) < 0)
        rv = -errno;
    if (rv < 0)
        unlink(temporary);
    else
        sync_folder(path);
    return rv;
}

/* ---- the command ---- */

static void say_who_uses(const char *path)
{
    char own[DOMAIN_PATH_BYTES];
    if (strcmp(path, DOMAIN_SUFFIX_LIST_UPDATED) == 0)
        printf("%s is updated: domainc uses it now, domaind when it starts or gets a HUP\n", path);
    else if (domain_suffixes_own_path(own) && strcmp(path, own) == 0)
        printf("%s is updated: your domainc uses it now, domaind with --suffix-list=%s\n", path,
               path);
    else
        printf("%s is updated; use it with --suffix-list=%s\n", path, path);
}

static int update(const struct arguments *a)
{
    struct download d = {.modified_s = -1};
    struct stat st;
    buf_init(&d.text, LIST_MAX_BYTES);
    unsigned old_rules = rules_of(a->path);
    /* a file that is no list is no reason to ask for a newer one only */
    time_t have_s = old_rules > 0 && stat(a->path, &st) == 0 ? st.st_mtime : 0;
    int rv = fetch(a->url, have_s, &d);
    if (rv == 0 && d.status == 304) {
        printf("%s is up to date\n", a->path);
    } else if (rv == 0) {
        rv = verify(a->url, d.text.data != NULL ? d.text.data : "", d.text.len, old_rules);
        if (rv == 0 && (rv = replace(a->path, &d)) < 0)
            cl_complain("%s: %s", a->path, err_text(rv));
        if (rv == 0)
            say_who_uses(a->path);
    }
    buf_fini(&d.text);
    return rv < 0 ? CL_EXIT_FAILED : CL_EXIT_OK;
}

static int check(const struct arguments *a)
{
    struct buf text;
    char piece[65536];
    buf_init(&text, LIST_MAX_BYTES);
    int fd = open(a->path, O_RDONLY | O_CLOEXEC);
    int rv = fd < 0 ? -errno : 0;
    for (ssize_t n = 1; rv == 0 && n != 0;) {
        n = read(fd, piece, sizeof piece);
        rv = n < 0 ? -errno : buf_append(&text, piece, (size_t)n);
    }
    if (fd >= 0)
        close(fd);
    if (rv < 0)
        cl_complain("%s: %s", a->path, err_text(rv));
    else
        rv = verify(a->path, text.data != NULL ? text.data : "", text.len, 0);
    buf_fini(&text);
    return rv < 0 ? CL_EXIT_FAILED : CL_EXIT_OK;
}

static const struct argp_option options[] = {
    {"url", 'u', "URL", 0, "where to fetch the list (" PSL_URL ")", 0},
    {0},
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'u':
        a->url = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->has_action && a->path == NULL) {
            a->path = arg;
            return 0;
        }
        a->is_check = strcmp(arg, "check") == 0;
        if (a->has_action || (!a->is_check && strcmp(arg, "update") != 0))
            argp_error(state, "'%s': update or check, then one file", arg);
        a->has_action = true;
        return 0;
    case ARGP_KEY_END:
        if (!a->has_action)
            argp_error(state, "update or check?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp psl_argp = {
    .options = options,
    .parser = on_option,
    .args_doc = "update [FILE]\ncheck [FILE]",
    .doc = "Fetch a newer Public Suffix List, or look whether a file is one."
           "\vupdate writes FILE only when what came is the whole list. Without FILE root "
           "(with no $XDG_DATA_HOME) updates " DOMAIN_SUFFIX_LIST_UPDATED
           ", which domainc and domaind find by themselves, and anybody "
           "else domaind/public_suffix_list.dat in $XDG_DATA_HOME or ~/.local/share, which their "
           "domainc finds. check reads FILE; without it the list domainc uses: the newest of "
           "these and of the package publicsuffix's.",
};

/* Its folder is there, or is made.  0 or -errno. */
static int make_folder_of(const char *path)
{
    char folder[DOMAIN_PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return 0;
}

/* The list that update keeps: root's is everybody's. */
static const char *kept_path(const char *own)
{
    return geteuid() == 0 && getenv("XDG_DATA_HOME") == NULL ? DOMAIN_SUFFIX_LIST_UPDATED : own;
}

int cl_cmd_psl(int argc, char **argv)
{
    char own_text[DOMAIN_PATH_BYTES];
    const char *own = domain_suffixes_own_path(own_text) ? own_text : NULL;
    struct arguments a = {.url = PSL_URL};
    argp_parse(&psl_argp, argc, argv, 0, NULL, &a);
    if (a.is_check) {
        if (a.path == NULL)
            a.path = domain_suffixes_find(own);
        return check(&a);
    }
    if (a.path == NULL) {
        a.path = kept_path(own);
        int rv = a.path != NULL ? make_folder_of(a.path) : -ENOENT;
        if (rv < 0) {
            cl_complain("no place for the list (%s): give a FILE", err_text(rv));
            return CL_EXIT_FAILED;
        }
    }
    return update(&a);
}
