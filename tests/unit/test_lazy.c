/* libcurl loaded late: not before the first call, then all of it is there; without it,
 * or with one that lacks something, every call says so and nothing crashes. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "client/client.h"
#include "coro/coro.h"
#include "http_thread.h"
#include "suite.h"

static bool is_missing;     /* there is no libcurl on this machine */
static const char *lacking; /* it has no function of this name */

void *__real_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags);
void *__real_dlsym(void *library, const char *name);
void *__wrap_dlsym(void *library, const char *name);

void *__wrap_dlopen(const char *name, int flags)
{
    return is_missing ? NULL : __real_dlopen(name, flags);
}

void *__wrap_dlsym(void *library, const char *name)
{
    bool is_lacking = lacking != NULL && strcmp(name, lacking) == 0;
    return is_lacking ? NULL : __real_dlsym(library, name);
}

/* ---- without ---- */

/* In a child, whose exit code is told: a process loads libcurl once. */
#define MUST(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "not so: %s\n", #what);                                                \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void call_everything(void)
{
    long number = 7;
    int left = 7;
    MUST(cl_init() < 0);
    MUST(curl_easy_init() == NULL);
    MUST(curl_easy_setopt(NULL, CURLOPT_NOSIGNAL, 1L) == CURLE_FAILED_INIT);
    MUST(curl_easy_getinfo(NULL, CURLINFO_RESPONSE_CODE, &number) == CURLE_FAILED_INIT);
    MUST(number == 7);
    MUST(curl_easy_perform(NULL) == CURLE_FAILED_INIT);
    MUST(strcmp(curl_easy_strerror(CURLE_OK), "libcurl is missing") == 0);
    MUST(curl_multi_init() == NULL);
    MUST(curl_multi_setopt(NULL, CURLMOPT_MAXCONNECTS, 1L) == CURLM_INTERNAL_ERROR);
    MUST(curl_multi_add_handle(NULL, NULL) == CURLM_INTERNAL_ERROR);
    MUST(curl_multi_remove_handle(NULL, NULL) == CURLM_INTERNAL_ERROR);
    MUST(curl_multi_socket_action(NULL, 0, 0, &left) == CURLM_INTERNAL_ERROR);
    MUST(curl_multi_timeout(NULL, &number) == CURLM_INTERNAL_ERROR);
    MUST(curl_multi_info_read(NULL, &left) == NULL);
    MUST(curl_multi_cleanup(NULL) == CURLM_INTERNAL_ERROR);
    MUST(cl_version() == NULL);
    MUST(curl_version_info(CURLVERSION_NOW) == NULL);
    curl_easy_reset(NULL);
    curl_easy_cleanup(NULL);
    cl_fini();
}

static void call_without_libcurl(void)
{
    is_missing = true;
    call_everything();
}

static void call_with_half_of_it(void)
{
    lacking = "curl_multi_socket_action";
    call_everything();
}

static void check_in_child(void (*fn)(void))
{
    struct buf text;
    buf_init(&text, 1 << 16);
    int status = in_child(fn, &text);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d: %.*s", status, (int)text.len,
                  text.len > 0 ? text.data : "");
    buf_fini(&text);
}

START_TEST(without_libcurl_every_call_fails)
{
    check_in_child(call_without_libcurl);
}
END_TEST

START_TEST(a_libcurl_that_lacks_a_function_is_none)
{
    check_in_child(call_with_half_of_it);
}
END_TEST

/* ---- with ---- */

static const char bytes[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                            "Content-Length: 5\r\n\r\nhello";

static int get(void *arg)
{
    const struct http_thread *server = arg;
    const struct cl_request req = {
        .url = server->url, .timeout_ns = 60 * NS_PER_S, .body_max_bytes = 9, .flags = CL_NO_PROXY};
    struct cl_reply reply;
    cl_reply_init(&reply);
    ck_assert_int_eq(cl_get(&req, &reply), 0);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_uint_eq(reply.body.len, 5);
    ck_assert_mem_eq(reply.body.data, "hello", 5);
    ck_assert_str_eq(reply.content_type, "text/plain");
    cl_reply_fini(&reply);
    return 0;
}

static void *get_in_thread(void *arg)
{
    get(arg);
    return NULL;
}

/* Options and infos of every type go through: texts, numbers, functions, pointers. */
START_TEST(the_first_call_loads_it_and_calls_are_passed_on)
{
    struct http_thread server;
    pthread_t thread;
    ck_assert_ptr_null(dlopen("libcurl.so.4", RTLD_LAZY | RTLD_NOLOAD));
    ck_assert_int_eq(cl_init(), 0);
    void *library = dlopen("libcurl.so.4", RTLD_LAZY | RTLD_NOLOAD);
    ck_assert_ptr_nonnull(library);
    dlclose(library);
    ck_assert_int_eq(strncmp(cl_version(), "libcurl/", 8), 0);
    ck_assert_str_eq(curl_easy_strerror(CURLE_OK), "No error");

    http_thread_start(&server, bytes, sizeof bytes - 1);
    ck_assert_int_eq(co_run(get, &server, NULL), 0); /* the multi interface */
    ck_assert_int_eq(pthread_create(&thread, NULL, get_in_thread, &server), 0); /* the easy one */
    pthread_join(thread, NULL);
    http_thread_stop(&server);
    cl_fini();
}
END_TEST

/* The children first: where the tests share a process they are to fork from one that
 * has not loaded it yet. */
SUITE_MAIN("lazy", SUITE_TEST(without_libcurl_every_call_fails),
           SUITE_TEST(a_libcurl_that_lacks_a_function_is_none),
           SUITE_TEST(the_first_call_loads_it_and_calls_are_passed_on))
