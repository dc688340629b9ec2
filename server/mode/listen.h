/* server/mode/listen.h - addresses to listen on, and the sockets that do.
 *
 *   context    plain code; may resolve names
 *   returns    0 or more, or -errno with a message for the operator in error
 *   ownership  a struct listen_set owns its sockets; listen_set_fini closes them */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "coro/base/attr.h"

#define LISTEN_TEXT_BYTES  128
#define LISTEN_ERROR_BYTES 512
#define LISTEN_MAX         64

struct listener {
    int fd;
    struct sockaddr_storage addr;
    socklen_t len;
    bool is_unix;
    dev_t file_dev; /* of the socket file that we made; 0: none */
    ino_t file_ino;
    int *clones; /* owned; taken ones are -1 */
    size_t clone_count;
    bool is_inherited;            /* opened by whoever started us */
    char text[LISTEN_TEXT_BYTES]; /* "127.0.0.1:8080", as bound */
};

struct listen_set {
    struct listener items[LISTEN_MAX];
    size_t count;
};

/* Open every address of the list ("127.0.0.1:8080,[::1]:8080,unix:/run/x").
 * The first bind of an address is made without SO_REUSEPORT, so that a port in
 * use is found out even when its owner allows sharing; the flag is set
 * afterwards, for listen_clone.  Port 0 picks a free port. */
MUST_USE int listen_set_open(struct listen_set *set, const char *list, int backlog,
                             char error[LISTEN_ERROR_BYTES]);
void listen_set_fini(struct listen_set *set);
/* Remove the files of the UNIX sockets that were opened here, unless others have
 * taken their place: before the sockets close, so that a next server can be there
 * already.  Inherited ones stay. */
void listen_set_unlink(struct listen_set *set);

/* Could the list be opened, as far as its words go? */
MUST_USE int listen_list_check(const char *list, char error[LISTEN_ERROR_BYTES]);
/* Take over descriptors 3.. that systemd handed to us (LISTEN_FDS).  Their
 * number; 0: none. */
MUST_USE int listen_set_inherit(struct listen_set *set, char error[LISTEN_ERROR_BYTES]);

/* Open `count` clones of every listener that can be cloned, for listen_take_clone:
 * before root is given up, for the kernel shares a port among one user alone. */
MUST_USE int listen_set_clone(struct listen_set *set, size_t count, int backlog,
                              char error[LISTEN_ERROR_BYTES]);
/* Clone number i, the caller's from here on; opened now when there is none.  -errno. */
MUST_USE int listen_take_clone(struct listener *listener, size_t i, int backlog);

/* One more socket on the same address, with its own queue (SO_REUSEPORT); the
 * caller's.  -EOPNOTSUPP for one that cannot be shared this way. */
MUST_USE int listen_clone(const struct listener *listener, int backlog);

/* From now on no new handshake starts on the socket (a SYN is dropped, its
 * client tries again, elsewhere or in a second); those under way complete and
 * are to be accepted before the socket is closed, which would reset them. */
void listen_quiesce(int fd);
/* Connections that wait to be accepted; of a UNIX socket at most 1 is told. */
int listen_queue_len(int fd);
