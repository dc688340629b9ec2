#include "server/io/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coro/base/buf.h"
#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/json.h"
#include "coro/base/log.h"
#include "server/http/session.h"

#define LOG_MAX_BYTES  (1024 * 1024) /* gathered at most between two writes */
#define WRITE_EVERY_NS (200 * NS_PER_MS)
#define FIFO_WAIT_MS   1000 /* for a reader to make room */
#define WARN_EVERY_NS  (60 * NS_PER_S)

static struct {
    const char *path; /* atomic: closing meets the writer; NULL: no log */
    enum access_log_format format;
    int fd;
    pthread_mutex_t lock; /* of all below */
    struct buf filling;
    struct buf writing; /* of whoever holds write_lock, as is_in_line */
    bool is_in_line;    /* what was written last did not end its line */
    int why;            /* errno of what could not be written last */
    uint64_t dropped;
    bool has_writer;
    bool is_set_up;             /* for good: buffers and what forks do outlive a closed log */
    pthread_mutex_t write_lock; /* taken before lock */
} access_log = {
    .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER, .write_lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_open(void)
{
    return __atomic_load_n(&access_log.path, __ATOMIC_ACQUIRE) != NULL;
}

/* ---- lines ---- */

static int put_text(struct buf *b, struct http_str s)
{
    return s.len > 0 ? json_append_string(b, s.data, s.len) : buf_append_str(b, "\"-\"");
}

static struct http_str field_of(const struct http_request *req, const char *name)
{
    struct http_str value = {NULL, 0};
    http_header(req, name, &value);
    return value;
}

/* The request line; a refused head has none. */
static int put_request_line(struct buf *b, const struct http_request *req)
{
    char line[512];
    if (req->target.len == 0)
        return buf_append_str(b, "\"-\"");
    int n = snprintf(line, sizeof line, "%s %.*s HTTP/1.%d", http_verb_text(req->verb),
                     (int)(req->target.len < 450 ? req->target.len : 450), req->target.data,
                     req->version_minor);
    return json_append_string(b, line, (size_t)n);
}

/* 192.0.2.1 - - [22/Nov/2026:19:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "curl/8" */
static int put_combined(struct buf *b, const struct http_record *r, const struct tm *tm)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char who[HTTP_ADDRESS_TEXT_BYTES];
    int rv = buf_printf(b, "%s - - [%02d/%.3s/%d:%02d:%02d:%02d +0000] ",
                        http_address_text(&r->request->client, who), tm->tm_mday,
                        months + 3 * tm->tm_mon, tm->tm_year + 1900, tm->tm_hour, tm->tm_min,
                        tm->tm_sec);
    if (rv == 0)
        rv = put_request_line(b, r->request);
    if (rv == 0)
        rv = buf_printf(b, " %d %llu ", r->status, (unsigned long long)r->bytes_out);
    if (rv == 0)
        rv = put_text(b, field_of(r->request, "referer"));
    if (rv == 0)
        rv = buf_append_char(b, ' ');
    return rv < 0 ? rv : put_text(b, field_of(r->request, "user-agent"));
}

static int put_json(struct buf *b, const struct http_record *r, const struct tm *tm, int ms)
{
    char who[HTTP_ADDRESS_TEXT_BYTES];
    int rv = buf_printf(b, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\",\"client\":\"%s\",",
                        tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday, tm->tm_hour, tm->tm_min,
                        tm->tm_sec, ms, http_address_text(&r->request->client, who));
    if (rv == 0)
        rv = buf_append_str(b, "\"request\":");
    if (rv == 0)
        rv = put_request_line(b, r->request);
    if (rv == 0)
        rv = buf_printf(b,
                        ",\"status\":%d,\"bytes_in\":%llu,\"bytes_out\":%llu,\"duration_us\":%lld,",
                        r->status, (unsigned long long)r->bytes_in,
                        (unsigned long long)r->bytes_out, (long long)(r->duration_ns / NS_PER_US));
    if (rv == 0)
        rv = buf_append_str(b, "\"request_id\":");
    if (rv == 0)
        rv = put_text(b, r->request->id);
    if (rv == 0)
        rv = buf_append_str(b, ",\"user_agent\":");
    if (rv == 0)
        rv = put_text(b, field_of(r->request, "user-agent"));
    return rv < 0 ? rv : buf_append_char(b, '}');
}

static int put_line(struct buf *b, const struct http_record *record)
{
    int64_t wall_ns = clock_wall_ns();
    time_t wall_s = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    gmtime_r(&wall_s, &tm);
    int rv = access_log.format == ACCESS_LOG_JSON
                 ? put_json(b, record, &tm, (int)(wall_ns % NS_PER_S / NS_PER_MS))
                 : put_combined(b, record, &tm);
    return rv < 0 ? rv : buf_append_char(b, '\n');
}

/* ---- the writer ---- */

static uint64_t count_lines(const char *bytes, size_t n)
{
    uint64_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += bytes[i] == '\n';
    return count;
}

/* Is there room again?  Only a FIFO ever says that there is none. */
static bool wait_for_room(void)
{
    struct pollfd fd = {.fd = access_log.fd, .events = POLLOUT};
    return poll(&fd, 1, FIFO_WAIT_MS) > 0;
}

/* The lines that got lost: on a full disk, or with nobody reading; the server goes on. */
static uint64_t write_all(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(access_log.fd, bytes, n);
        if (done < 0 && errno != EINTR && (errno != EAGAIN || !wait_for_room())) {
            access_log.why = errno;
            break;
        }
        if (done > 0) {
            access_log.is_in_line = bytes[done - 1] != '\n';
            bytes += done;
            n -= (size_t)done;
        }
    }
    return count_lines(bytes, n);
}

static uint64_t write_dropped(uint64_t dropped)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%s# %llu lines dropped\n",
                     access_log.is_in_line ? "\n" : "", (unsigned long long)dropped);
    return write_all(text, (size_t)n) == 0 ? 0 : dropped;
}

static void warn(void)
{
    static struct log_gate gate;
    uint64_t held;
    if (log_gate_pass(&gate, clock_now_ns(), WARN_EVERY_NS, &held))
        log_warn("lines of the access log are dropped: %s",
                 access_log.why == EAGAIN ? "its reader does not read" : err_text(-access_log.why));
}

void access_log_flush(void)
{
    if (!is_open())
        return;
    pthread_mutex_lock(&access_log.write_lock);
    pthread_mutex_lock(&access_log.lock);
    struct buf full = access_log.filling;
    uint64_t dropped = access_log.dropped;
    access_log.filling = access_log.writing;
    access_log.dropped = 0;
    pthread_mutex_unlock(&access_log.lock);
    if (dropped > 0)
        dropped = write_dropped(dropped);
    if (dropped == 0)
        dropped = write_all(full.data, full.len);
    else
        dropped += count_lines(full.data, full.len);
    full.len = 0;
    access_log.writing = full;
    if (dropped > 0) {
        warn();
        pthread_mutex_lock(&access_log.lock);
        access_log.dropped += dropped;
        pthread_mutex_unlock(&access_log.lock);
    }
    pthread_mutex_unlock(&access_log.write_lock);
}

static void *writer_main(void *arg)
{
    const struct timespec pause = {.tv_nsec = WRITE_EVERY_NS};
    (void)arg;
    for (;;) {
        nanosleep(&pause, NULL);
        access_log_flush();
    }
    return NULL;
}

/* Signals are the main thread's.  Without a writer (the system refuses a thread) the next
 * record tries again, and a buffer that is half full is written by who filled it. */
static void start_writer(void)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 64 * 1024);
    access_log.has_writer = pthread_create(&thread, &attr, writer_main, NULL) == 0;
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void access_log_record(const struct http_record *record)
{
    if (!is_open() || (record->route != NULL && (record->route->flags & HTTP_ROUTE_QUIET) != 0))
        return;
    pthread_mutex_lock(&access_log.lock);
    size_t before = access_log.filling.len;
    if (put_line(&access_log.filling, record) < 0) {
        access_log.filling.len = before;
        access_log.dropped++;
    }
    if (!access_log.has_writer)
        start_writer();
    bool is_mine_to_write =
        !access_log.has_writer && access_log.filling.len > access_log.filling.max_bytes / 2;
    pthread_mutex_unlock(&access_log.lock);
    if (is_mine_to_write)
        access_log_flush();
}

/* ---- life ---- */

static int open_file(const char *path)
{
    if (strcmp(path, "-") == 0)
        return STDOUT_FILENO;
    /* not to wait for the reader of a FIFO; files do not care */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0640);
    return fd < 0 ? -errno : fd;
}

static void lock_all(void)
{
    pthread_mutex_lock(&access_log.write_lock);
    pthread_mutex_lock(&access_log.lock);
}

static void unlock_all(void)
{
    pthread_mutex_unlock(&access_log.lock);
    pthread_mutex_unlock(&access_log.write_lock);
}

/* Lines gathered so far are the parent's to write; threads are not inherited. */
static void in_child(void)
{
    access_log.filling.len = 0;
    access_log.has_writer = false;
    unlock_all();
}

/* Once for good: buffers and what forks do outlive a closed log. */
static int set_up(void)
{
    if (access_log.is_set_up)
        return 0;
    buf_init(&access_log.filling, LOG_MAX_BYTES);
    buf_init(&access_log.writing, LOG_MAX_BYTES);
    int rv = pthread_atfork(lock_all, unlock_all, in_child);
    access_log.is_set_up = rv == 0;
    return -rv;
}

int access_log_open(const char *path, enum access_log_format format)
{
    int rv = set_up();
    int fd = rv < 0 ? rv : open_file(path);
    if (fd < 0)
        return fd;
    lock_all(); /* against the writer of a log that was closed */
    access_log.fd = fd;
    access_log.format = format;
    unlock_all();
    __atomic_store_n(&access_log.path, path, __ATOMIC_RELEASE);
    return 0;
}

int access_log_reopen(void)
{
    if (!is_open())
        return 0;
    access_log_flush();
    int fd = open_file(access_log.path);
    if (fd < 0 || fd == STDOUT_FILENO) /* keep the old one: better than none */
        return fd < 0 ? fd : 0;
    pthread_mutex_lock(&access_log.write_lock);
    dup2(fd, access_log.fd); /* at once: no line meets a closed descriptor */
    pthread_mutex_unlock(&access_log.write_lock);
    close(fd);
    return 0;
}

void access_log_close(void)
{
    if (!is_open())
        return;
    access_log_flush();
    /* the writer, if it is there, goes on with nothing */
    __atomic_store_n(&access_log.path, NULL, __ATOMIC_RELEASE);
}
