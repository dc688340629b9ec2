/* client/lazy.c - libcurl, loaded when it is first called.
 *
 * For the server, which needs libcurl only to follow redirects, and that only
 * when told to: linked directly, libcurl and the thirty libraries behind it
 * would be mapped and relocated in every server and every child.  Functions of
 * libcurl's own names stand here instead and pass the call on.
 *
 * curl_global_init is the first call (cl_init) and the one that fails when
 * libcurl is not there; the others are not reached then.  Options are passed on
 * as one pointer-sized argument, which is what they are on LP64 systems. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>

/* Plain functions, not the type-checking macros over them. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define LIBRARY "libcurl.so.4"

_Static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *),
               "every option's argument fits into a pointer");

static struct {
#define CL_LAZY(result, name, parameters, arguments, missing) result(*name) parameters;
#include "client/lazy.def"
#undef CL_LAZY
    void (*curl_easy_cleanup)(CURL *easy);
    void (*curl_easy_reset)(CURL *easy);
    void (*curl_global_cleanup)(void);
    CURLcode (*curl_easy_setopt)(CURL *easy, CURLoption option, ...);
    CURLcode (*curl_easy_getinfo)(CURL *easy, CURLINFO info, ...);
    CURLMcode (*curl_multi_setopt)(CURLM *multi, CURLMoption option, ...);
} real;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int is_loaded;

static void load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return;
    is_loaded = 1;
/* a function pointer from dlsym: POSIX asks for this way around ISO C */
#define FIND(name)                                            is_loaded &= (*(void **)(void *)&real.name = dlsym(library, #name)) != NULL;
#define CL_LAZY(result, name, parameters, arguments, missing) FIND(name)
#include "client/lazy.def"
#undef CL_LAZY
    FIND(curl_easy_cleanup)
    FIND(curl_easy_reset)
    FIND(curl_global_cleanup)
    FIND(curl_easy_setopt)
    FIND(curl_easy_getinfo)
    FIND(curl_multi_setopt)
}

static int is_there(void)
{
    pthread_once(&once, load);
    return is_loaded;
}

#define CL_LAZY(result, name, parameters, arguments, missing)                                      \
    result name parameters                                                                         \
    {                                                                                              \
        return is_there() ? real.name arguments : (missing);                                       \
    }
#include "client/lazy.def"
#undef CL_LAZY

void curl_easy_cleanup(CURL *easy)
{
    if (is_there())
        real.curl_easy_cleanup(easy);
}

void curl_easy_reset(CURL *easy)
{
    if (is_there())
        real.curl_easy_reset(easy);
}

void curl_global_cleanup(void)
{
    if (is_there())
        real.curl_global_cleanup();
}

#define PASS_ON(result, name, handle, option, missing)                                             \
    result name(handle a, option b, ...)                                                           \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, b);                                                                         \
        void *value = va_arg(args, void *);                                                        \
        va_end(args);                                                                              \
        return is_there() ? real.name(a, b, value) : (missing);                                    \
    }
PASS_ON(CURLcode, curl_easy_setopt, CURL *, CURLoption, CURLE_FAILED_INIT)
PASS_ON(CURLcode, curl_easy_getinfo, CURL *, CURLINFO, CURLE_FAILED_INIT)
PASS_ON(CURLMcode, curl_multi_setopt, CURLM *, CURLMoption, CURLM_INTERNAL_ERROR)
