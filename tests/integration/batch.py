"""POST /domain over real sockets: streamed both ways, in every mode."""

import gzip
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from domaind import BIN, MODES, PATIENCE_S, Domaind, shared_data, wait_until
from modes import counter

TYPE = {"Content-Type": "text/plain"}


def some_urls():
    path = shared_data("urls", "real_mix.txt")
    if path is not None:
        return path.read_bytes()
    return b"".join(b"https://h%d.example%d.co.uk/%s\n" % (i, i % 97, b"x" * (i % 150)) for i in range(20_000))


def peak_kib(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


def connect(server, data=b""):
    s = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    s.sendall(b"POST /domain HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    return s


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


class Batch(unittest.TestCase):
    def test_the_same_bytes_as_the_command_line_in_every_mode(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(some_urls() + b"/\nhttp://1.2.3.256/\n\xff\xfe\n\n")
            file.flush()
            expected = subprocess.run([BIN / "domainc", "extract", "-q", "--format=ndjson", file.name],
                                      capture_output=True, check=True).stdout
            for mode in MODES:
                with self.subTest(mode=mode), Domaind(mode) as server:
                    for expect in ([], ["-H", "Expect:"]):
                        done = subprocess.run(
                            ["curl", "-sS", "-T", file.name, "-X", "POST", "-H", "Content-Type: text/plain", *expect,
                             f"http://127.0.0.1:{server.port}/domain"], capture_output=True, check=True)
                        self.assertTrue(done.stdout == expected, f"{len(done.stdout)}, not {len(expected)} bytes")

    def test_answers_come_while_the_body_still_flows(self):
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode) as server, connect(server) as s:
                stream = s.makefile("rb")
                s.sendall(chunk(b"http://first.com/\nhttp://sec"))
                while stream.readline() != b"\r\n":
                    pass
                stream.readline()
                self.assertEqual(json.loads(stream.readline())["domain"], "first.com")
                self.assertEqual(stream.readline(), b"\r\n")
                s.sendall(chunk(b"ond.com/\n") + b"0\r\n\r\n")
                stream.readline()
                self.assertEqual(json.loads(stream.readline())["domain"], "second.com")
                self.assertEqual(stream.read(7), b"\r\n0\r\n\r\n")
                s.sendall(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
                self.assertEqual(stream.readline(), b"HTTP/1.1 200 OK\r\n")

    def test_a_client_that_does_not_read(self):
        """Back-pressure: it is stopped, then ended by the write timeout; memory stays."""
        lines = chunk(b"http://a.example.com/%s\n" % (b"x" * 60) * 1000)
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode, "--write-timeout=1s") as server, connect(server) as s:
                s.settimeout(5)
                sent = 0
                with self.assertRaises(OSError):
                    while sent < 200_000_000:
                        s.sendall(lines)
                        sent += len(lines)
                wait_until(lambda: "does not read the answers" in server.stderr, lambda: server.stderr)
                self.assertIn("POST /domain from 127.0.0.1 ended after line ", server.stderr)
                self.assertIn(": the client sends but does not read the answers", server.stderr)
                if mode != "prefork":
                    self.assertLess(peak_kib(server.pid), 100_000)
                self.assertEqual(server.get("/livez")[0], 200)

    def test_clients_that_go_away_do_not_fill_the_log(self):
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode, "--children=1", "--min-spare=1") as server:
                began = time.monotonic()
                for _ in range(20):
                    with connect(server) as s:
                        s.sendall(chunk(b"http://first.com/\nhttp://sec"))
                        self.assertIn(b" 200 ", s.recv(65536))
                wait_until(lambda: counter(server, "domaind_batches_incomplete_total") >= 20)
                lines = server.stderr.count("ended after line")
                # one in ten seconds
                self.assertTrue(1 <= lines <= 1 + (time.monotonic() - began) / 10, server.stderr)

    def test_a_body_that_stops(self):
        part = chunk(b"http://first.com/\nhttp://sec")
        with Domaind("coroutine", "--body-timeout=1s") as server, connect(server, part) as s:
            answer = b""
            while piece := s.recv(65536):
                answer += piece
            self.assertIn(b"first.com", answer)
            self.assertFalse(answer.endswith(b"0\r\n\r\n"))
            wait_until(lambda: "the client stopped sending" in server.stderr, lambda: server.stderr)

    def test_half_an_answer_does_not_look_whole(self):
        """HTTP/1.0 has no last chunk: a body that stops short ends its answer in a reset."""
        head = b"POST /domain HTTP/1.0\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        line = b"http://first.com/\n"
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode) as server:
                for length, is_whole in ((len(line), True), (len(line) + 1, False)):
                    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as s:
                        s.sendall(head % length + line)
                        s.shutdown(socket.SHUT_WR)
                        if is_whole:
                            self.assertIn(b'"domain":"first.com"', s.makefile("rb").read())
                        else:
                            received = b""
                            with self.assertRaises(ConnectionResetError):
                                while piece := s.recv(65536):
                                    received += piece
                            self.assertIn(b'"domain":"first.com"', received)

    def test_others_are_served_meanwhile(self):
        """One worker, one endless batch: small requests still get their turn."""
        urls = chunk(some_urls()[:1_000_000].rpartition(b"\n")[0] + b"\n")
        with Domaind("coroutine", "--workers=1") as server, connect(server) as s:
            over = threading.Event()

            def send():
                try:
                    while not over.is_set():
                        s.sendall(urls)
                except OSError:
                    pass

            def receive():
                try:
                    while s.recv(1 << 20):
                        pass
                except OSError:
                    pass

            threads = [threading.Thread(target=send), threading.Thread(target=receive)]
            for thread in threads:
                thread.start()
            try:
                for _ in range(50):
                    self.assertEqual(server.get("/domain?url=http://a.com/")[0], 200)
            finally:
                over.set()
                s.shutdown(socket.SHUT_RDWR)
                for thread in threads:
                    thread.join()

    def test_old_clients_and_wrong_types(self):
        with Domaind("coroutine") as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as s:
                s.sendall(b"POST /domain HTTP/1.0\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nhttp://a.com/")
                answer = b""
                while piece := s.recv(65536):
                    answer += piece
            head, _, body = answer.partition(b"\r\n\r\n")
            self.assertNotIn(b"chunked", head.lower())
            self.assertEqual(json.loads(body)["domain"], "a.com")
            status, headers, body = server.request("POST", "/domain", body=b"x", headers={"Content-Type": "text/html"})
            self.assertEqual(status, 415)
            self.assertEqual(headers["Content-Type"], "application/problem+json")
            self.assertIn("application/x-ndjson", json.loads(body)["detail"])
            status, _, body = server.request("POST", "/domain?suffixes=icann", headers=TYPE,
                                             body=b"https://a.github.io/\n")
            self.assertEqual((status, json.loads(body)["registrable"]), (200, "github.io"))
            status, _, _ = server.request("POST", "/domain?suffixes=all&suffixes=all", body=b"", headers=TYPE)
            self.assertEqual(status, 400)

    def test_what_it_cannot_do_is_refused(self):
        with Domaind("coroutine") as server:
            for query in ("format=text", "url=a.com", "follow=1", "engine=scan", "suffixes=icann&format=text"):
                with self.subTest(query=query):
                    status, _, body = server.request("POST", f"/domain?{query}", body=b"a.com\n", headers=TYPE)
                    self.assertEqual(status, 400)
                    self.assertIn("no parameter but suffixes", json.loads(body)["detail"])
            status, headers, body = server.request("POST", "/domain", body=gzip.compress(b"a.com\n"),
                                                   headers={**TYPE, "Content-Encoding": "gzip"})
            self.assertEqual((status, headers["Accept-Encoding"]), (415, "identity"))
            self.assertIn("Content-Encoding", json.loads(body)["detail"])
            status, _, body = server.request("POST", "/domain", body=b"a.com\n",
                                             headers={**TYPE, "Content-Encoding": "identity"})
            self.assertEqual((status, json.loads(body)["domain"]), (200, "a.com"))


if __name__ == "__main__":
    unittest.main()
