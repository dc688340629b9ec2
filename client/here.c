/* client/here.c - a GET in whatever way the calling thread waits.
 *
 * Each thread has at most one of two things, made when it first asks: a
 * cl_multi when it is a loop (it ends with the loop, whose last breath clears
 * it), a cl_blocking when it is not (the thread's end frees it). */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "client/client.h"
#include "client/multi.h"
#include "coro/base/err.h"

/* Transfers of one loop at once; more wait their turn. */
#define TRANSFERS_PER_LOOP 256

static __thread struct cl_multi *multi_here;
static pthread_key_t blocking_key;
static int blocking_key_err;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_blocking(void *client)
{
    cl_blocking_free(client);
}

static void make_key(void)
{
    blocking_key_err = -pthread_key_create(&blocking_key, free_blocking);
}

static int multi_of_this_loop(struct cl_multi **ret_multi)
{
    if (multi_here == NULL) {
        int rv = cl_multi_new_for_loop(TRANSFERS_PER_LOOP, &multi_here);
        if (rv < 0)
            return rv;
    }
    *ret_multi = multi_here;
    return 0;
}

static int blocking_of_this_thread(struct cl_blocking **ret_client)
{
    pthread_once(&once, make_key);
    if (blocking_key_err < 0)
        return blocking_key_err;
    struct cl_blocking *client = pthread_getspecific(blocking_key);
    if (client == NULL) {
        int rv = cl_blocking_new(&client);
        if (rv == 0)
            rv = -pthread_setspecific(blocking_key, client);
        if (rv < 0) {
            cl_blocking_free(client);
            return rv;
        }
    }
    *ret_client = client;
    return 0;
}

int cl_get(const struct cl_request *req, struct cl_reply *reply)
{
    struct cl_multi *multi;
    struct cl_blocking *client;
    int rv;
    if (co_self() != NULL) {
        rv = multi_of_this_loop(&multi);
        if (rv == 0)
            return cl_multi_get(multi, req, reply, CO_NO_DEADLINE);
    } else {
        rv = blocking_of_this_thread(&client);
        if (rv == 0)
            return cl_blocking_get(client, req, reply);
    }
    snprintf(reply->why, sizeof reply->why, "%s", err_text(rv));
    return rv;
}
