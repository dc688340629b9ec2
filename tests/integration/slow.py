"""Clients that are slow on purpose, as slowhttptest makes them (the bench `slow` runs
that itself): others are served throughout, and the slow ones end in time."""

import socket
import threading
import time
import unittest

from domaind import LOADED_MODES, PATIENCE_S, Domaind, wait_until
from modes import counter, each_mode

SLOW = 60
LIMITS = ("--header-timeout=2s", "--body-timeout=2s", "--write-timeout=2s", "--linger-timeout=200ms")
# prefork has fewer children than there are slow clients
FLAGS = (*LIMITS, "--test-endpoints", "--children=20", "--min-spare=20", "--max-spare=20", "--admin-listen=127.0.0.1:0")
FLAGS += ("--queue-delay-max=0s",)  # who waited is answered: here that is the question


def line(server, text):
    """On the administrators' port, which answers when every child is busy."""
    admin = Domaind(server.mode)
    admin.port = int(server.stderr.split("for administrators: listening on 127.0.0.1:")[1].split()[0])
    return counter(admin, text)


class SlowClients:
    """SLOW connections that send `begin`, then `drop` twice a second, and read nothing."""

    def __init__(self, server, begin, drop=b""):
        self.sockets = []
        for _ in range(SLOW):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", server.port))
            sock.sendall(begin)
            self.sockets.append(sock)
        self.drop = drop
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_over.wait(0.5):
            for sock in self.sockets if self.drop else ():
                try:
                    sock.send(self.drop)
                except OSError:
                    pass

    def end(self):
        self.is_over.set()
        self.thread.join()
        for sock in self.sockets:
            sock.close()


def each_loaded_mode(test):
    return each_mode(test, LOADED_MODES)


class Slow(unittest.TestCase):
    def check(self, mode, reason, begin, drop=b""):
        with Domaind(mode, *FLAGS) as server:
            slow = SlowClients(server, begin, drop)
            self.addCleanup(slow.end)
            # coroutine and thread: each time; prefork: those before us come first
            for _ in range(1 if mode == "prefork" else 20):
                status, _, _ = server.get("/domain?url=http://a.com/")
                self.assertEqual(status, 200)
                time.sleep(0.1)
            closed = f'domaind_connections_closed_total\\{{reason="{reason}"\\}}'
            wait_until(lambda: line(server, closed) >= SLOW, "slow clients stay")
            slow.end()
            self.assertEqual(server.get("/domain?url=http://a.com/")[0], 200)

    @each_loaded_mode
    def test_heads(self, mode):
        self.check(mode, "header_timeout", b"GET /livez HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n")

    @each_loaded_mode
    def test_bodies(self, mode):
        head = b"POST /domain HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 8192\r\n\r\n"
        self.check(mode, "body_timeout", head, b"x")

    @each_loaded_mode
    def test_bodies_of_a_connection_that_ends_anyway(self, mode):
        head = b"POST /domain HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 8192\r\n\r\n"
        self.check(mode, "body_timeout", head, b"x")

    @each_loaded_mode
    def test_readers(self, mode):
        self.check(mode, "write_timeout", b"GET /test/body?bytes=50000000 HTTP/1.1\r\nHost: a\r\n\r\n")

    @each_loaded_mode
    def test_ranges(self, mode):
        """A thousand ranges of one answer: they are not offered, so it is answered whole."""
        ranges = ",".join(f"5-{n}" for n in range(1000))
        with Domaind(mode) as server:
            for method in ("GET", "HEAD"):
                for _ in range(SLOW):
                    status, headers, _ = server.request(method, "/domain?url=http://a.com/", headers={"Range": f"bytes=0-,{ranges}"})
                    self.assertEqual((status, headers["content-range"]), (200, None))

    def test_a_slow_client_keeps_its_child_when_nobody_waits(self):
        """Prefork hurries only under pressure: alone, a head may take its time."""
        with Domaind("prefork", "--children=4", "--min-spare=1", "--header-timeout=10m") as server:
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as sock:
                sock.sendall(b"GET /livez HTTP/1.1\r\n")
                time.sleep(2.5)
                sock.sendall(b"Host: a\r\n\r\n")
                self.assertTrue(sock.recv(4096).startswith(b"HTTP/1.1 200 "))


if __name__ == "__main__":
    unittest.main(verbosity=2)
