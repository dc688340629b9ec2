/* http_floor - the least an HTTP server can do: an epoll loop that reads, does
 * not parse, and writes a fixed answer.  What the kernel costs; what is above
 * it is the server's own.
 *
 *   http_floor REQUEST_BYTES ANSWER_FILE     prints its port on stdout
 *
 * Every REQUEST_BYTES that come in are answered with the file's contents, all
 * of one read with one write, so that it moves the bytes that the server it is
 * compared with moves. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS      65536
#define READ_BYTES   (64 * 1024)
#define MAX_PIPELINE 512

static uint32_t pending[MAX_FDS]; /* bytes of a request not yet complete */
static char in[READ_BYTES];
static char *answers; /* MAX_PIPELINE times the answer */
static size_t answer_len;

static int listen_on_loopback(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        perror("http_floor: listen");
        exit(1);
    }
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

static void load_answer(const char *path)
{
    FILE *f = fopen(path, "r");
    char text[8192];
    if (f == NULL || (answer_len = fread(text, 1, sizeof text, f)) == 0) {
        perror(path);
        exit(1);
    }
    fclose(f);
    answers = malloc(answer_len * MAX_PIPELINE);
    for (size_t i = 0; i < MAX_PIPELINE; i++)
        memcpy(answers + i * answer_len, text, answer_len);
}

static void serve(int fd, size_t request_len)
{
    ssize_t n = recv(fd, in, sizeof in, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            close(fd);
        return;
    }
    size_t bytes = pending[fd] + (size_t)n, count = bytes / request_len;
    pending[fd] = (uint32_t)(bytes % request_len);
    if (count > MAX_PIPELINE)
        count = MAX_PIPELINE;
    if (count > 0 && send(fd, answers, count * answer_len, MSG_NOSIGNAL) < 0)
        close(fd);
}

static void take(int epoll, int listener)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    if (fd < 0 || fd >= MAX_FDS)
        return;
    pending[fd] = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: http_floor REQUEST_BYTES ANSWER_FILE\n");
        return 2;
    }
    size_t request_len = (size_t)atol(argv[1]);
    load_answer(argv[2]);
    int listener = listen_on_loopback(), epoll = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                take(epoll, listener);
            else
                serve(events[i].data.fd, request_len);
        }
    }
}
