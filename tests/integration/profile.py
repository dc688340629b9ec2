"""The live call-table over HTTP, in every mode."""

import gzip
import http.client
import io
import json
import pstats
import re
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from domaind import BIN, MODES, PATIENCE_S, Domaind, patiently, wait_until
from lifecycle import kill_children

URL = "/domain?url=https://www.example.co.uk/a"
HANDLER = "endpoint_domain"


def ask(server, count, path=URL):
    """Requests on one keep-alive connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    for _ in range(count):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
    connection.close()


def table(text):
    """{function name: (ncalls, primitive, cells)} of a printed table."""
    rows = {}
    for line in text.splitlines():
        found = re.match(r"\s*(\d+)(?:/(\d+))?\s+(-?[\d.]+)\s+.*?(\{[^}]*\}|\S+:\d+\((\w+)\))$", line)
        if found:
            name = found[5] or found[4]
            rows[name] = (int(found[1]), int(found[2] or found[1]), float(found[3]))
    return rows


def profile(server, query=""):
    status, headers, body = server.get("/profile" + query)
    assert status == 200, (status, body)
    return headers, body.decode()


def report(server, query="?format=json"):
    return json.loads(profile(server, query)[1])


def exact_report(server):
    """Once no worker was kept from answering: of one that was, the sums need not agree."""

    def look():
        data = report(server)
        return None if any(worker["stale"] for worker in data["workers"]) else data

    return wait_until(look, "a worker does not answer")


def in_every_mode(*flags):
    """The test runs once for each mode, with a fresh server."""

    def decorate(test):
        def run(self):
            for mode in MODES:
                with self.subTest(mode=mode), Domaind(mode, *flags) as server:
                    test(self, server)

        return run

    return decorate


class InEveryMode(unittest.TestCase):
    @in_every_mode()
    def test_calls_are_the_requests_served(self, server):
        threads = [threading.Thread(target=ask, args=(server, 100)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _, text = profile(server)
        rows = table(text)
        self.assertEqual(rows[HANDLER][:2], (400, 400), text)
        self.assertIn("http_session_turn", rows)
        self.assertIn("{read}", rows)
        self.assertIn("{writev}", rows)
        self.assertIn("   Ordered by: cumulative time\n", text)

    @in_every_mode()
    def test_calls_equal_loadgens_count(self, server):
        run = subprocess.run(
            [BIN / "loadgen", "-c", "50", "-n", "3000", "--timeout=60s", f"http://127.0.0.1:{server.port}{URL}"],
            capture_output=True, text=True, timeout=2 * PATIENCE_S, check=True,
        )
        ok = int(re.search(r"(\d+) sent = (\d+) ok", run.stdout)[2])
        self.assertEqual(table(profile(server)[1])[HANDLER][0], ok, run.stdout)

    @in_every_mode()
    def test_the_table_moves_under_load(self, server):
        stop = threading.Event()

        def load():
            while not stop.is_set():
                ask(server, 20)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            def calls():
                return table(profile(server)[1]).get(HANDLER, (0,))[0]

            before = wait_until(calls, "no calls")
            wait_until(lambda: calls() > before, "it stands still")
        finally:
            stop.set()
            thread.join()

    @in_every_mode()
    def test_text_is_what_pstats_prints_for_the_same_snapshot(self, server):
        ask(server, 50)
        headers, text = profile(server, "?sort=tottime")
        snapshot = headers["X-Profile-Snapshot"]
        ask(server, 10)
        for query, call in (
            ("", lambda s: s.sort_stats("cumulative").print_stats()),
            ("&sort=tottime,name&limit=5", lambda s: s.sort_stats("tottime", "name").print_stats(5)),
            ("&sort=calls&filter=%7B.*%7D", lambda s: s.sort_stats("calls").print_stats("{.*}")),
            ("&callers=1", lambda s: s.sort_stats("cumulative").print_callers()),
            ("&callees=1&limit=0.5", lambda s: s.sort_stats("cumulative").print_callees(0.5)),
        ):
            _, again = profile(server, f"?snapshot={snapshot}{query}")
            status, _, file = server.get(f"/profile?snapshot={snapshot}&format=pstats")
            self.assertEqual(status, 200)
            with tempfile.NamedTemporaryFile() as f:
                f.write(file)
                f.flush()
                out = io.StringIO()
                stats = pstats.Stats(f.name, stream=out)
                stats.files = []
                call(stats)
            self.assertEqual(again, out.getvalue(), query)
        self.assertEqual(profile(server, f"?snapshot={snapshot}&sort=tottime")[1], text)

    @in_every_mode()
    def test_sums_agree_in_every_worker(self, server):
        ask(server, 200)
        data = exact_report(server)
        self.assertTrue(data["conserved"])
        for worker in data["workers"]:
            self.assertTrue(worker["exact"], worker)
        self.assertEqual(data["mode"], server.mode)
        self.assertGreater(data["overhead"]["scope_ns"], 0)

    @in_every_mode()
    def test_endpoint_filter(self, server):
        ask(server, 30)
        rows = table(profile(server, "?endpoint=/domain")[1])
        self.assertEqual(rows[HANDLER][0], 30)
        self.assertNotIn("http_session_turn", rows)
        self.assertNotIn("{unscoped}", rows)

    def test_windows_and_reset(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                patiently(lambda scale: self.check_windows(mode, scale))

    def check_windows(self, mode, seconds):
        with Domaind(mode) as server:
            ask(server, 40)
            time.sleep(seconds + 1.3)  # a tick lies between
            ask(server, 7)
            headers, text = profile(server, f"?window={seconds}s")
            self.assertEqual(table(text)[HANDLER][0], 7, text)
            self.assertLess(float(headers["X-Profile-Seconds"]), seconds + 1.5)
            self.check_bases(server, headers)

    def check_bases(self, server, headers):
        base = headers["X-Profile-Snapshot"]
        self.assertEqual(table(profile(server)[1])[HANDLER][0], 47)
        ask(server, 5)
        self.assertEqual(table(profile(server, f"?base={base}")[1])[HANDLER][0], 5)
        self.assertEqual(server.request("POST", "/profile/reset")[0], 200)
        ask(server, 3)
        self.assertEqual(table(profile(server)[1])[HANDLER][0], 3)
        self.assertEqual(table(profile(server, "?window=1h")[1])[HANDLER][0], 3)
        self.assertEqual(table(profile(server, f"?snapshot={base}")[1])[HANDLER][0], 47)

    @in_every_mode()
    def test_stop_and_start(self, server):
        ask(server, 5)
        status, _, body = server.request("POST", "/profile/stop")
        self.assertEqual((status, json.loads(body)), (200, {"recording": False}))
        ask(server, 2)  # workers may still be inside a call that began before
        stopped = table(profile(server)[1])[HANDLER][0]
        ask(server, 50)
        self.assertLessEqual(table(profile(server)[1])[HANDLER][0] - stopped, 0)
        self.assertFalse(report(server)["recording"])
        self.assertEqual(server.request("POST", "/profile/start")[0], 200)
        ask(server, 2)
        started = table(profile(server)[1])[HANDLER][0]
        ask(server, 50)
        self.assertEqual(table(profile(server)[1])[HANDLER][0] - started, 50)
        self.assertTrue(exact_report(server)["conserved"])

    def test_many_waiting_in_one_function_is_no_recursion(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                patiently(lambda scale: self.check_waiting(mode, 700 * scale))

    def check_waiting(self, mode, ms):
        with Domaind(mode, "--test-endpoints") as server:
            threads = [
                threading.Thread(target=server.get, args=(f"/test/wait?ms={ms}",)) for _ in range(6)
            ]
            for thread in threads:
                thread.start()

            def is_full():
                rows = [f for f in report(server)["functions"] if f["name"] == "endpoint_test_wait"]
                return rows and rows[0]["calls"] == 6 and rows

            (row,) = wait_until(is_full, "not all wait")
            self.check_ended(server, threads, row, ms)

    def check_ended(self, server, threads, row, ms):
        self.assertEqual((row["calls"], row["primitive"], row["in_flight"]), (6, 6, 6))
        for thread in threads:
            thread.join()
        (row,) = [f for f in report(server)["functions"] if f["name"] == "endpoint_test_wait"]
        self.assertEqual((row["calls"], row["primitive"], row["in_flight"]), (6, 6, 0))
        rows = table(profile(server)[1])
        self.assertLess(rows["endpoint_test_wait"][2], 6 * ms / 8000)  # waiting is not running

    @in_every_mode()
    def test_pprof(self, server):
        stop = threading.Event()

        def load():
            while not stop.is_set():
                ask(server, 20)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            begin = time.monotonic()
            status, headers, body = server.get("/debug/pprof/profile?seconds=1")
        finally:
            stop.set()
            thread.join()
        self.assertEqual(status, 200, body)
        self.assertGreaterEqual(time.monotonic() - begin, 1)
        self.assertEqual(headers["Content-Type"], "application/octet-stream")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        raw = gzip.decompress(body)
        for text in (b"cpu", b"nanoseconds", b"http_session_turn", b"mode", server.mode.encode(), b"worker"):
            self.assertIn(text, raw)
        if shutil.which("readelf"):  # the mapping names this very build
            notes = subprocess.run(["readelf", "-n", BIN / "domaind"], capture_output=True, text=True, timeout=60)
            build = re.search(r"Build ID: ([0-9a-f]+)", notes.stdout)
            if build:
                self.assertIn(build.group(1).encode(), raw)


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Domaind("coroutine").__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def refused(self, target, status, *words, method="GET", headers=None):
        got, _, body = self.server.request(method, target, headers=headers)
        self.assertEqual(got, status, body)
        for word in words:
            self.assertIn(word, body.decode())

    def test_what_makes_no_sense_says_so(self):
        for query, words in (
            ("colour=red", ("no parameter 'colour'", "sort=KEYS", "window=TIME")),
            ("sort=colour", ("unknown or ambiguous", "tottime")),
            ("sort=cum", ("ambiguous",)),
            ("limit=many", ("number of rows",)),
            ("limit=1.5", ("number of rows",)),
            ("filter=(", ("regular expression",)),
            ("window=-1s", ("window is a time",)),
            ("window=2h", ("window is a time",)),
            ("endpoint=/nowhere", ("no route", "/domain")),
            ("format=gif", ("callgrind", "pprof", "pprof html", "text|json|html|")),
            ("callers=yes", ("callers and callees are 0 or 1",)),
            ("worker=first", ("worker is a number",)),
            ("filter=%zz", ("percent-encoded",)),
        ):
            with self.subTest(query=query):
                self.refused("/profile?" + query, 400, *words)

    def test_snapshots_that_are_gone(self):
        self.refused("/profile?snapshot=999999", 404, "no snapshot 999999")
        self.refused("/profile?base=999999", 404, "no snapshot 999999")

    def test_only_for_administrators(self):
        for path in ("/profile", "/profile/start", "/debug/pprof/", "/debug/pprof/cmdline"):
            method = "POST" if path == "/profile/start" else "GET"
            self.refused(path, 403, method=method, headers={"X-Forwarded-For": "192.0.2.1"})
            self.refused(path, 403, method=method, headers={"Host": "evil.example"})
        self.refused("/profile/reset", 403, method="POST", headers={"Origin": "http://evil.example"})

    def test_get_does_not_change_anything(self):
        self.refused("/profile/stop", 405)
        self.refused("/profile", 405, method="POST")

    def test_pprof_refusals(self):
        status, headers, _ = self.server.get("/debug/pprof/nothing")
        self.assertEqual((status, headers["X-Go-Pprof"]), (404, "1"))
        self.refused("/debug/pprof/calls?debug=1&seconds=1", 400, "do not go together")
        self.refused("/debug/pprof/profile?seconds=100000", 400, "at most")

    def test_pprof_helpers(self):
        status, _, body = self.server.get("/debug/pprof/")
        self.assertEqual(status, 200)
        self.assertIn(b"profile?seconds=", body)
        _, _, body = self.server.get("/debug/pprof/cmdline")
        self.assertIn(b"domaind\0--mode=coroutine\0", body)
        _, _, body = self.server.get("/debug/pprof/calls?debug=1")
        self.assertIn(b"function calls", body)
        _, _, body = self.server.get("/debug/pprof/calls")
        self.assertIn(b"count", gzip.decompress(body))
        status, _, body = self.server.get("/debug/pprof/symbol?0x1+0x2")
        self.assertEqual((status, body), (200, b"num_symbols: 1\n"))
        status, _, body = self.server.request("POST", "/debug/pprof/symbol", body="0x1")
        self.assertEqual((status, body), (200, b"num_symbols: 1\n"))

    def test_negotiation(self):
        _, headers, _ = self.server.get("/profile", headers={"Accept": "*/*"})
        self.assertTrue(headers["Content-Type"].startswith("text/plain"))
        _, headers, body = self.server.get("/profile", headers={"Accept": "application/json"})
        self.assertEqual(headers["Content-Type"], "application/json")
        json.loads(body)


class Faults(unittest.TestCase):
    def test_a_killed_child_loses_nothing_reported(self):
        with Domaind("prefork") as server:
            ask(server, 200)
            before = table(profile(server)[1])[HANDLER][0]
            self.assertEqual(before, 200)
            kill_children([worker["pid"] for worker in report(server)["workers"][:3]])
            after = report(server)
            (row,) = [f for f in after["functions"] if f["name"] == HANDLER]
            self.assertEqual(row["calls"], 200)
            ask(server, 10)
            self.assertEqual(table(profile(server)[1])[HANDLER][0], 210)
            self.assertTrue(exact_report(server)["conserved"])

    def test_clients_that_leave_leave_nothing_behind(self):
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode, "--test-endpoints") as server:
                clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
                for client in clients:
                    client.sendall(b"GET /test/wait?ms=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")

                def waits():
                    rows = [f for f in report(server)["functions"] if f["name"] == "endpoint_test_wait"]
                    return (rows[0]["calls"], rows[0]["in_flight"]) if rows else (0, 0)

                wait_until(lambda: waits()[0] == 5, "not all wait")
                for client in clients:
                    client.close()
                wait_until(lambda: waits()[1] == 0, "something is left behind")
                data = exact_report(server)
                (row,) = [f for f in data["functions"] if f["name"] == "endpoint_test_wait"]
                self.assertEqual((row["calls"], row["in_flight"]), (5, 0))
                self.assertTrue(data["conserved"])
                self.assertEqual(sum(w["abandoned"] for w in data["workers"]), 0)

    def test_a_stuck_worker_does_not_hold_the_report(self):
        patiently(self.check_stuck)

    def check_stuck(self, scale):
        with Domaind("coroutine", "--workers=2", "--test-endpoints") as server:
            ask(server, 20)
            busy = threading.Thread(target=server.get, args=(f"/test/block?ms={2500 * scale}",))
            busy.start()
            time.sleep(0.3 * scale)
            # some connections land on the worker that is stuck; the others are answered
            connections = [
                http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S) for _ in range(12)
            ]
            for connection in connections:
                connection.request("GET", "/profile?format=json")
            ready, _, _ = select.select([c.sock for c in connections], [], [], 1.5 * scale)
            answered = [c for c in connections if c.sock in ready]
            self.assertTrue(answered)
            data = json.loads(answered[0].getresponse().read())
            self.assertIn(True, [w["stale"] for w in data["workers"]])
            busy.join()
            for connection in connections:
                connection.close()

    def test_recorder_off(self):
        with Domaind("coroutine", "--profile=off") as server:
            ask(server, 3)
            status, _, body = server.get("/profile")
            self.assertEqual(status, 404)
            self.assertIn(b"profile=off", body)
            self.assertEqual(server.request("POST", "/profile/start")[0], 409)
            self.assertEqual(server.get("/debug/pprof/profile?seconds=1")[0], 404)


if __name__ == "__main__":
    unittest.main()
