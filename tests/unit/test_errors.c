/* libcurl's codes at the border: every row maps, the unknown is -EIO, texts exist. */
#include <errno.h>
#include <string.h>

#include "client/errors.h"
#include "suite.h"

static const struct {
    CURLcode code;
    int rv;
} easy_cases[] = {
    {CURLE_OK, 0},
    {CURLE_COULDNT_CONNECT, -ECONNREFUSED},
    {CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH},
    {CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT},
    {CURLE_TOO_MANY_REDIRECTS, -ELOOP},
    {CURLE_GOT_NOTHING, -ECONNRESET},
    {CURLE_UNSUPPORTED_PROTOCOL, -EPROTONOSUPPORT},
    {CURLE_OUT_OF_MEMORY, -ENOMEM},
    {CURLE_LDAP_CANNOT_BIND, -EIO},
    {(CURLcode)9999, -EIO},
};

START_TEST(easy_codes_map)
{
    ck_assert_int_eq(cl_error_from_easy(easy_cases[_i].code), easy_cases[_i].rv);
}
END_TEST

START_TEST(every_code_has_a_text_and_a_sign)
{
    for (int code = 0; code <= CURL_LAST; code++) {
        int rv = cl_error_from_easy((CURLcode)code);
        ck_assert_int_eq(rv < 0, code != CURLE_OK);
        const char *text = cl_error_text((CURLcode)code);
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_gt(strlen(text), 0);
    }
}
END_TEST

static const struct {
    CURLMcode code;
    int rv;
} multi_cases[] = {
    {CURLM_OK, 0},
    {CURLM_CALL_MULTI_PERFORM, 0},
    {CURLM_OUT_OF_MEMORY, -ENOMEM},
    {CURLM_RECURSIVE_API_CALL, -EDEADLK},
    {CURLM_BAD_SOCKET, -EBADF},
    {CURLM_BAD_EASY_HANDLE, -EINVAL},
    {CURLM_INTERNAL_ERROR, -EIO},
    {(CURLMcode)999, -EIO},
};

START_TEST(multi_codes_map)
{
    ck_assert_int_eq(cl_error_from_multi(multi_cases[_i].code), multi_cases[_i].rv);
}
END_TEST

SUITE_MAIN("errors", SUITE_LOOP(easy_codes_map, easy_cases),
           SUITE_TEST(every_code_has_a_text_and_a_sign), SUITE_LOOP(multi_codes_map, multi_cases))
