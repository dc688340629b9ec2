"""Every limit on a client, over sockets, in each mode: its parameter, its status,
its message, what the metrics say about it, and that others are served on."""

import http.client
import itertools
import json
import socket
import time
import unittest

import domaind
from domaind import PATIENCE_S, Domaind, patiently
from http1 import LINGER, Reader, dial, is_closed
from lifecycle import children_of, kill_children
from modes import counter, each_mode

HEAD = "GET /livez HTTP/1.1\r\nHost: localhost\r\n"
POST = "POST /domain HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
SYMBOL = "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\n"

# flags, request, status, part of the detail, reason of the close
SIZES = (
    ("--target-max=64", f"GET /{64 * 'a'} HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "target is too long", "too_large"),
    ("--header-max=512", f"{HEAD}X: {600 * 'a'}\r\n\r\n", 431, "head is too large", "too_large"),
    ("--header-max-count=4", f"{HEAD}A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", 431, "too many header fields", "too_large"),
    ("--body-max=10", f"{SYMBOL}Content-Length: 11\r\n\r\n", 413, "10 bytes", "too_large"),
    ("--body-max=10", f"{SYMBOL}Transfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n", 413, "too large", "too_large"),
    ("--header-max=512", f"{POST}Transfer-Encoding: chunked\r\n\r\n5;a={600 * 'x'}\r\n", 400, "more framing than data", "too_large"),
    ("--header-max=512", f"{SYMBOL}Transfer-Encoding: chunked\r\n\r\n" + 5000 * "1\r\na\r\n", 400, "more framing than data", "too_large"),
    ("--header-max=512", f"{POST}Transfer-Encoding: chunked\r\n\r\n0\r\nX: {600 * 'x'}\r\n\r\n", 431, "trailer section", "too_large"),
)

# the same just within the limit
WITHIN = (
    ("--target-max=64", f"GET /livez?{57 * 'a'} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("--header-max=512", f"{HEAD}X: {400 * 'a'}\r\n\r\n"),
    ("--header-max-count=4", f"{HEAD}A: 1\r\nB: 2\r\nC: 3\r\n\r\n"),
    ("--body-max=10", f"{SYMBOL}Content-Length: 10\r\n\r\n0123456789"),
    ("--body-max=10", f"{POST}Content-Length: 12\r\n\r\nhttp://a.com"),  # streams have no such limit
)

SLOW = (
    ("--header-timeout=300ms", "GET /livez HT", 408, "head came too slowly", "header_timeout"),
    ("--body-timeout=300ms", f"{POST}Content-Length: 5\r\n\r\n", 408, "body came too slowly", "body_timeout"),
    ("--idle-timeout=300ms", f"{HEAD}\r\n", 200, "", "idle"),
    ("--requests-per-connection=1", f"{HEAD}\r\n", 200, "", "served"),
)


def closed(server, reason):
    return counter(server, f'domaind_connections_closed_total\\{{reason="{reason}"\\}}')


def wait_until(condition, what):
    """As domaind's; where the limits are tight, asking may fail."""

    def holds():
        try:
            return condition()
        except (OSError, http.client.HTTPException):
            return False

    domaind.wait_until(holds, what)


class Limits(unittest.TestCase):
    def check_refusal(self, server, request, status, detail, reason):
        before = closed(server, reason)
        with dial(server) as sock:
            sock.sendall(request.encode())
            reader = Reader(sock)
            answer = reader.answer()
            self.assertIsNotNone(answer)
            got, headers, body = answer
            self.assertEqual(got, status, body)
            if status != 200:
                self.assertEqual(headers["content-type"], "application/problem+json")
                self.assertEqual(headers["connection"], "close")
                problem = json.loads(body)
                self.assertEqual(problem["status"], status)
                self.assertEqual(problem["request_id"], headers["x-request-id"])
                self.assertIn(detail, problem["detail"])
            self.assertTrue(is_closed(sock))
        # asking may close connections for the same reason
        wait_until(lambda: closed(server, reason) > before, f"{reason} is not counted")
        wait_until(lambda: server.get("/livez")[0] == 200, "nobody is served")

    @each_mode
    def test_what_is_too_large(self, mode):
        for flag, rows in itertools.groupby(sorted(SIZES), key=lambda row: row[0]):
            with Domaind(mode, flag, LINGER) as server:
                for _, request, status, detail, reason in rows:
                    with self.subTest(flag=flag, request=request[:80]):
                        self.check_refusal(server, request, status, detail, reason)

    @each_mode
    def test_what_is_just_within(self, mode):
        for flag, rows in itertools.groupby(sorted(WITHIN), key=lambda row: row[0]):
            with Domaind(mode, flag) as server:
                for _, request in rows:
                    with self.subTest(flag=flag, request=request[:80]), dial(server) as sock:
                        sock.sendall(request.encode())
                        self.assertEqual(Reader(sock).answer()[0], 200)

    @each_mode
    def test_what_is_too_slow(self, mode):
        for flag, request, status, detail, reason in SLOW:
            def check(scale):
                with Domaind(mode, flag.replace("300", f"{300 * scale}"), LINGER) as server:
                    self.check_refusal(server, request, status, detail, reason)

            with self.subTest(flag=flag):
                patiently(check)  # who is kept from asking for so long is idle, too

    @each_mode
    def test_a_body_below_the_minimum_rate(self, mode):
        """100 bytes a second where 1000 are asked for: the first second is free, no more."""
        flags = (LINGER, "--body-timeout=500ms", "--body-min-rate=1000")
        with Domaind(mode, *flags) as server, dial(server) as sock:
            sock.sendall(f"{POST}Content-Length: 100000\r\n\r\n".encode())
            sock.settimeout(0.1)
            said, began = b"", time.monotonic()
            while time.monotonic() - began < PATIENCE_S:
                try:
                    sock.sendall(10 * b"x")
                    piece = sock.recv(65536)
                    said += piece
                    if not piece:
                        break
                except TimeoutError:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    break
            else:
                self.fail("still open")
            sock.close()  # or it lingers
            self.assertTrue(said.startswith(b"HTTP/1.1 "))
            self.assertFalse(said.endswith(b"\r\n0\r\n\r\n"), "it looks complete")
            wait_until(lambda: closed(server, "body_timeout") == 1, "not counted")

    @each_mode
    def test_a_client_that_does_not_read(self, mode):
        with Domaind(mode, "--write-timeout=500ms", "--test-endpoints") as server, socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", server.port))
            sock.sendall(b"GET /test/body?bytes=50000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: closed(server, "write_timeout") == 1, "still being served")
            self.assertEqual(server.get("/livez")[0], 200)


class Many(unittest.TestCase):
    """Limits on how many, in all and from one address."""

    def check_answer(self, sock, status):
        got, headers, body = Reader(sock).answer()
        self.assertEqual(got, status)
        self.assertEqual((headers["retry-after"], headers["content-type"]), ("1", "application/problem+json"))
        self.assertEqual(json.loads(body)["status"], status)
        return headers

    def hold(self, server, count):
        """Connections that have been served once and stay."""
        held = [dial(server) for _ in range(count)]
        for sock in held:
            self.addCleanup(sock.close)
            sock.sendall(f"{HEAD}\r\n".encode())
            self.assertEqual(Reader(sock).answer()[0], 200)
        return held

    def holds(self, server, count):
        """As hold, or False: those before them may not be seen to have gone yet."""
        held = [dial(server) for _ in range(count)]
        for sock in held:
            self.addCleanup(sock.close)
            sock.sendall(f"{HEAD}\r\n".encode())
        if all([Reader(sock).answer()[0] == 200 for sock in held]):
            return True
        for sock in held:
            sock.close()
        return False

    def check_connections(self, mode, flag, status, reason):
        with Domaind(mode, flag, LINGER) as server:
            held = self.hold(server, 3)
            with dial(server) as sock:  # refused before it asked for anything
                headers = self.check_answer(sock, status)
                self.assertEqual(headers["connection"], "close")
                self.assertTrue(is_closed(sock))
            with dial(server) as sock:  # its request, sent before it knew, does not destroy the answer
                sock.sendall(f"{HEAD}\r\n".encode())
                self.check_answer(sock, status)
                self.assertTrue(is_closed(sock))
            for sock in held:
                sock.sendall(f"{HEAD}\r\n".encode())
                self.assertEqual(Reader(sock).answer()[0], 200)
            held.pop().close()
            wait_until(lambda: server.get("/livez")[0] == 200, "nobody is let in any more")
            held.pop().close()  # and room for reading the metrics
            wait_until(lambda: closed(server, reason) >= 2, "not counted")

    @each_mode
    def test_connections_in_all(self, mode):
        self.check_connections(mode, "--connections-max=3", 503, "overload")

    @each_mode
    def test_connections_from_one_address(self, mode):
        self.check_connections(mode, "--connections-per-address=3", 429, "address_limit")

    @each_mode
    def test_requests_from_one_address(self, mode):
        with Domaind(mode, "--requests-per-address=5") as server, dial(server) as sock:
            reader, statuses, began = Reader(sock), [], time.monotonic()
            sock.sendall(f"{HEAD}\r\n".encode() * 30)
            for _ in range(30):
                status, headers, _ = reader.answer()
                statuses.append(status)
                if status == 429:  # the connection goes on
                    self.assertEqual(headers["retry-after"], "1")
                    self.assertNotIn("connection", headers)
            self.assertIn(429, statuses)
            seconds = 2 + int(time.monotonic() - began)  # that have begun meanwhile
            self.assertTrue(5 <= statuses.count(200) <= 5 * seconds, statuses)

            def is_served_again():
                sock.sendall(f"{HEAD}\r\n".encode())
                return reader.answer()[0] == 200

            wait_until(is_served_again, "429 for ever")
            wait_until(lambda: server.get("/livez")[0] == 200, "429 for ever")
            wait_until(lambda: counter(server, r'domaind_requests_total\{.*status="429"\}') > 0, "not counted")

    @each_mode
    def test_forwarded_clients_are_told_apart(self, mode):
        flags = ("--requests-per-address=3", "--trusted-proxies=127.0.0.0/8")

        def burst(server, forwarded, count=20):
            return many(server, [forwarded] * count)

        def many(server, forwarded):
            """All at once, to be one second's."""
            with dial(server) as sock:
                sock.sendall("".join(f"{HEAD}X-Forwarded-For: {who}\r\n\r\n" for who in forwarded).encode())
                reader = Reader(sock)
                return [reader.answer()[0] for _ in forwarded]

        with Domaind(mode, *flags) as server:
            self.assertIn(429, burst(server, "192.0.2.1"))
            self.assertEqual(burst(server, "192.0.2.2", 2), [200, 200])
            # what stands before the address our proxy wrote is the client's own invention
            self.assertIn(429, many(server, [f"10.9.8.{i}, 192.0.2.3" for i in range(20)]))
        with Domaind(mode, flags[0]) as server:  # from a stranger it is no evidence
            self.assertIn(429, many(server, [f"192.0.2.{i}" for i in range(20)]))

    @each_mode
    def test_a_trusted_proxy_may_have_many_connections(self, mode):
        """It speaks for many clients; without a PROXY header its connections are nobody's."""
        with Domaind(mode, "--connections-per-address=2", "--trusted-proxies=127.0.0.1") as server:
            self.hold(server, 5)

    @each_mode
    def test_the_proxy_header_says_whose_connection_it_is(self, mode):
        flags = (LINGER, "--connections-per-address=1", "--trusted-proxies=127.0.0.0/8", "--proxy-protocol")

        def enter(server, header):
            sock = dial(server)
            self.addCleanup(sock.close)
            sock.sendall(header + f"{HEAD}\r\n".encode())
            return sock

        v1 = b"PROXY TCP4 192.0.2.%d 192.0.2.9 4000 80\r\n"
        v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02%c\xc0\0\x02\x09\x0f\xa0\0\x50"
        with Domaind(mode, *flags) as server:
            first = enter(server, v1 % 1)
            self.assertEqual(Reader(first).answer()[0], 200)
            self.assertEqual(Reader(enter(server, v2 % 2)).answer()[0], 200)
            for header in (v1 % 1, v2 % 1):  # one address, whatever the version
                with enter(server, header) as refused:
                    self.check_answer(refused, 429)
                    self.assertTrue(is_closed(refused))
            for bad in (b"", b"PROXY TCP4 192.0.2.1\r\n", b"PROXY TCP4 a b 1 2\r\n"):
                with enter(server, bad) as sock:  # closed without a word: nobody knows who is there
                    self.assertEqual(Reader(sock).answer(), None)
            first.close()

            def is_let_in_again():
                with enter(server, v1 % 1) as sock:
                    return Reader(sock).answer()[0] == 200

            wait_until(is_let_in_again, "its connection is still counted")

    def test_a_killed_child_gives_its_connection_back(self):
        for flag in ("--connections-max=3", "--connections-per-address=3"):
            with self.subTest(flag=flag), Domaind("prefork", flag, "--min-spare=4") as server:
                for _ in range(2):
                    wait_until(lambda: self.holds(server, 3), "not as many as before are let in")
                    with dial(server) as sock:
                        self.assertIn(Reader(sock).answer()[0], (429, 503))
                    kill_children(children_of(server.pid))
                    answers = []

                    def is_serving():
                        try:
                            answers.append(server.get("/livez")[0])
                        except OSError as error:
                            answers.append(repr(error))
                        return answers[-1] == 200

                    wait_until(is_serving, f"nobody is let in any more: {answers}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
