"""The access log in every mode: both formats, reopened by USR1, nothing raw."""

import json
import os
import pathlib
import re
import signal
import socket
import tempfile
import time
import unittest

from domaind import MODES, PATIENCE_S, Domaind, patiently, run, wait_until
from lifecycle import children_of

COMBINED = re.compile(r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /\S* HTTP/1\.1" (\d{3}) \d+ "-" ".*"$')


def wait_for_lines(path, count):
    def lines():
        return path.read_text().splitlines() if path.exists() else []

    wait_until(lambda: len(lines()) >= count, lambda: f"not {count} lines: {lines()}")
    return lines()


def wait_till_left(server, path):
    """Until no process of the server has this file open: a reopened log is written to from then on."""

    def openers():
        for pid in (server.pid, *children_of(server.pid)):
            for fd in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
                try:
                    if os.readlink(fd) == str(path):
                        yield pid
                except FileNotFoundError:
                    pass  # closed meanwhile, or the child has ended

    wait_until(lambda: not list(openers()), lambda: f"{path} is open in {list(openers())}")


def drained(fifo):
    """What is in the pipe now."""
    said = b""
    try:
        while piece := os.read(fifo, 65536):
            said += piece
    except BlockingIOError:
        pass
    return said


class AccessLog(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "access.log"

    def test_combined_and_reopened(self):
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode, f"--access-log={self.path}") as server:
                for i in range(5):
                    server.get(f"/domain?url=http://a{i}.com/", headers={"User-Agent": 'x"y'})
                server.get("/livez")  # probes are not logged
                lines = wait_for_lines(self.path, 5)
                self.assertEqual(len(lines), 5)
                for line in lines:
                    self.assertRegex(line, COMBINED)
                    self.assertIn('"x\\"', line)
                moved = self.path.with_suffix(".1")
                os.rename(self.path, moved)
                os.kill(server.pid, signal.SIGUSR1)
                wait_till_left(server, moved)
                server.get("/domain?url=http://b.com/")
                self.assertIn("b.com", wait_for_lines(self.path, 1)[0])
            os.unlink(self.path)

    def test_json_and_refusals(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                flags = (f"--access-log={self.path}", "--access-log-format=json")
                with Domaind(mode, *flags) as server:
                    server.get("/domain?url=http://a.com/", headers={"X-Request-Id": "mine"})
                    server.request("GET", "/domain?url=x", headers={"Bad Name": "x"})
                # what was gathered is written at the end
                lines = [json.loads(line) for line in wait_for_lines(self.path, 2)]
                lines.sort(key=lambda line: line["status"])  # each child writes for itself
                self.assertEqual([line["status"] for line in lines], [200, 400])
                self.assertEqual(lines[0]["request_id"], "mine")
                self.assertEqual(lines[1]["request"], "-")
                os.unlink(self.path)

    def test_a_fifo_that_nobody_reads_does_not_hold_up_the_start(self):
        os.mkfifo(self.path)
        ended = run("domaind", "--listen=127.0.0.1:0", f"--access-log={self.path}")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(f"cannot write the access log {self.path}: a FIFO that nobody reads", ended.stderr)

    def let_drop(self, server, reader, scale):
        """More than the pipe holds, read when the writer has waited for it long enough: what was read."""
        request = f"GET /domain?url=http://{400 * 'a'} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as sock:
                sock.sendall(30 * request)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
        time.sleep(1.5 * scale)
        said = drained(reader)
        for _ in range(100 * scale):
            server.get("/domain?url=http://a.com/")
            time.sleep(0.05)
            said += drained(reader)
            if b" lines dropped\n" in said:
                break
        self.assertRegex(said, rb"(?m)^# \d+ lines dropped$")
        return said

    def test_a_reader_that_stops_costs_lines_and_nothing_else(self):
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        for mode in MODES:
            with self.subTest(mode=mode):
                with Domaind(mode, f"--access-log={self.path}") as server:
                    said = patiently(lambda scale: self.let_drop(server, reader, scale))
                # the end is not held up either
                said += drained(reader)
                for line in said.splitlines():
                    self.assertLess(line.count(b"GET /"), 2, "two lines in one")

    def test_a_log_that_cannot_be_opened_again_goes_on(self):
        with Domaind("thread", f"--access-log={self.path}") as server:
            server.get("/domain?url=http://a.com/")
            wait_for_lines(self.path, 1)
            moved = self.path.with_suffix(".1")
            os.rename(self.path, moved)
            os.mkdir(self.path)
            os.kill(server.pid, signal.SIGUSR1)
            wait_until(lambda: "cannot open the access log again: Is a directory" in server.stderr)
            server.get("/domain?url=http://b.com/")
            self.assertIn("b.com", wait_for_lines(moved, 2)[1])


if __name__ == "__main__":
    unittest.main()
