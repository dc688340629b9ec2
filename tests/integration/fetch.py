"""domainc fetch: the four ways to wait give the same result, and only differ in time."""

import collections
import json
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from domaind import BIN, PATIENCE_S, patiently, run, wait_until
from fakehttp import FakeServer, Reply

FETCH_MODES = ("serial", "thread", "process", "coroutine")


def paths_server(**faults):
    """Answers by the `url` parameter: its faults by name, "ok" to everything else."""
    return FakeServer(lambda url: faults.get(url.split("-")[0]) or Reply(body=b"ok", content_type="text/plain"))


def address(server, name):
    return f"http://127.0.0.1:{server.port}/?url={name}"


def is_stalled(server):
    """Nothing more has been asked for a while."""
    before = len(server.seen)
    time.sleep(0.3)
    return before > 0 and len(server.seen) == before


class Modes(unittest.TestCase):
    def test_all_fetch_the_same(self):
        with paths_server() as server:
            urls = [address(server, f"u{i}") for i in range(50)]
            for mode in FETCH_MODES:
                with self.subTest(mode=mode):
                    done = run("domainc", "fetch", f"--mode={mode}", "-c", "8", *urls)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    rows = [line.split("\t") for line in done.stdout.splitlines()]
                    self.assertEqual(sorted(row[3] for row in rows), sorted(urls))
                    self.assertEqual({(row[0], row[1]) for row in rows}, {("200", "2")})
                    self.assertIn("50 URLs: 50 fetched, 0 failed", done.stderr)
            self.assertEqual(set(collections.Counter(server.seen).values()), {4})
            self.assertLessEqual(server.most_busy, 8)

    def test_waiting_together_is_what_saves_time(self):
        """20 fetches that wait 100 ms each: one by one 2 s at least, ten at once far less."""
        patiently(lambda scale: self.check_saving(scale / 10))

    def check_saving(self, delay):
        with paths_server(slow=Reply(body=b"ok", delay=delay)) as server:
            urls = [address(server, f"slow-{i}") for i in range(20)]
            done = run("domainc", "fetch", "--mode=all", "-c", "10", *urls)
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = [line.split() for line in done.stdout.splitlines()]
            column = lines[0].index("seconds")
            seconds = {line[0]: float(line[column]) for line in lines[1:]}
            self.assertEqual(tuple(seconds), FETCH_MODES)
            self.assertGreaterEqual(seconds["serial"], 20 * delay)
            self.assertEqual(server.most_busy, 10)
            self.assertEqual(len(server.seen), 80)

    def test_failures(self):
        faults = {
            "gone": Reply(404, b"no", "text/plain"),
            "garbage": Reply(raw=b"\x00garbage", close=True),
            "half": Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", close=True),
        }
        with paths_server(**faults) as server:
            urls = [address(server, name) for name in ("fine", *faults)] + ["ftp://127.0.0.1/", "no url at all"]
            for mode in FETCH_MODES:
                with self.subTest(mode=mode):
                    done = run("domainc", "fetch", "--json", f"--mode={mode}", *urls)
                    self.assertEqual(done.returncode, 1)
                    rows = {row["url"]: row for row in map(json.loads, done.stdout.splitlines())}
                    self.assertEqual(set(rows), set(urls))
                    self.assertEqual(rows[urls[0]]["status"], 200)
                    self.assertEqual(rows[urls[1]]["status"], 404)
                    for url in urls[2:]:
                        self.assertGreater(len(rows[url]["error"]), 5)
                    self.assertIn("2 fetched, 4 failed", done.stderr)
            self.assertEqual(run("domainc", "fetch", address(server, "gone")).returncode, 0)
            self.assertEqual(run("domainc", "fetch", "--fail", address(server, "gone")).returncode, 1)

    def test_a_line_that_was_cut_is_not_fetched(self):
        with paths_server() as server, tempfile.NamedTemporaryFile() as file:
            long = address(server, "l" * 70_000).encode()
            file.write(b"\n".join([long, address(server, "a").encode() + b"\0b", address(server, "ok").encode()]))
            file.flush()
            for mode in FETCH_MODES:
                with self.subTest(mode=mode):
                    done = run("domainc", "fetch", "--json", f"--mode={mode}", "-f", file.name)
                    self.assertEqual(done.returncode, 1)
                    rows = [json.loads(line) for line in done.stdout.splitlines()]
                    errors = sorted(row.get("error", "") for row in rows)
                    self.assertEqual(errors, ["", "line 1: longer than 65536 bytes", "line 2: holds a NUL byte"])
                    self.assertLess(max(len(row["url"]) for row in rows), 300)
            self.assertEqual(set(server.seen), {"ok"})

    def test_a_tab_does_not_make_a_column(self):
        done = run("domainc", "fetch", "-q", "http://a\tb\\c d/")
        status, size, ms, url, why = done.stdout.rstrip("\n").split("\t")
        self.assertEqual((status, url), ("-", r"http://a\tb\\c d/"))

    def test_retries(self):
        for mode in FETCH_MODES:
            attempts = []

            def answer(url, attempts=attempts):
                attempts.append(url)
                return Reply(503 if len(attempts) == 1 else 200, b"x")

            with self.subTest(mode=mode), FakeServer(answer) as server:
                done = run("domainc", "fetch", "--retry=2", f"--mode={mode}", address(server, "a"))
                self.assertTrue(done.stdout.startswith("200\t"), done.stdout)
                self.assertIn("1 retries", done.stderr)


class Guard(unittest.TestCase):
    def test_internal_addresses_are_refused_on_request(self):
        with paths_server() as server:
            for mode in FETCH_MODES:
                with self.subTest(mode=mode):
                    done = run(
                        "domainc", "fetch", "--public-only", f"--mode={mode}", address(server, "a"),
                        f"http://localhost:{server.port}/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/",
                    )
                    self.assertEqual(done.returncode, 1)
                    self.assertEqual(done.stdout.count("is not public"), 4)
            self.assertEqual(server.connections, 0)

    def test_environment_proxies_are_no_way_around(self):
        with paths_server() as server:
            env = {**os.environ, "http_proxy": f"http://127.0.0.1:{server.port}"}
            done = run("domainc", "fetch", "--public-only", "http://127.0.0.1:1/", env=env)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(server.connections, 0)


class Shell(unittest.TestCase):
    def test_usage_errors(self):
        for args in ([], ["--mode=fast", "u"], ["-c", "0", "u"], ["-f", "x", "u"], ["--timeout=never", "u"]):
            with self.subTest(args=args):
                done = run("domainc", "fetch", *args)
                self.assertEqual(done.returncode, 2)
                self.assertTrue(done.stderr.startswith("domainc fetch: "), done.stderr)

    def test_a_missing_file(self):
        done = run("domainc", "fetch", "-f", "/nonexistent/urls")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "domainc fetch: cannot read /nonexistent/urls: No such file or directory\n")

    def test_both_a_file_and_urls(self):
        done = run("domainc", "fetch", "-f", "/dev/null", "http://a/")
        self.assertEqual(done.returncode, 2)
        self.assertIn("not both", done.stderr)

    def test_a_slow_reader(self):
        """More than its pipe holds, and several tasks that want to write."""
        with paths_server() as server:
            urls = "".join(address(server, f"u{i}-{'x' * 600}") + "\n" for i in range(400))
            with subprocess.Popen([BIN / "domainc", "fetch", "-c", "16", "-f", "-"], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
                client.stdin.write(urls)
                client.stdin.close()
                wait_until(lambda: is_stalled(server))
                lines = client.stdout.read().splitlines()
                self.assertEqual(client.wait(PATIENCE_S), 0)
            self.assertEqual(len(lines), 400)

    def test_a_full_disk(self):
        with paths_server() as server, open("/dev/full", "w") as full:
            for mode in (*FETCH_MODES, "all"):
                with self.subTest(mode=mode):
                    done = subprocess.run(
                        [BIN / "domainc", "fetch", f"--mode={mode}", address(server, "a")],
                        stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False,
                    )
                    self.assertEqual(done.returncode, 1)
                    self.assertRegex(done.stderr, "cannot write.*: No space left on device")

    def test_descriptors_for_what_is_open_at_once(self):
        """The soft limit is raised; a hard one that does not do is told before anything is fetched."""
        cases = (
            # mode, URLs, -c, hard limit, is it enough
            ("coroutine", 1, 5000, 80, True),
            ("serial", 300, 300, 80, True),
            ("process", 100, 100, 80, True),
            ("coroutine", 300, 300, 400, True),
            ("coroutine", 300, 300, 300, False),
            ("thread", 100, 100, 400, True),
            ("thread", 100, 100, 300, False),
        )
        with paths_server() as server:
            urls = [address(server, f"u{i}") for i in range(300)]
            for mode, count, connections, hard, is_enough in cases:
                with self.subTest(mode=mode, count=count, hard=hard):
                    done = run("domainc", "fetch", f"--mode={mode}", f"-c{connections}", *urls[:count],
                               preexec_fn=lambda hard=hard: resource.setrlimit(resource.RLIMIT_NOFILE, (70, hard)))
                    if is_enough:
                        self.assertEqual(done.returncode, 0, done.stderr)
                        self.assertIn(f"{count} URLs: {count} fetched, 0 failed", done.stderr)
                    else:
                        self.assertEqual(done.returncode, 1)
                        self.assertRegex(done.stderr, "^domainc fetch: so many transfers at once take [0-9]+ open "
                                         rf"files, and the limit is {hard}: lower -c, or raise it \(ulimit -n\)\n$")

    def test_processes_do_not_outlive_their_parent(self):
        with paths_server(slow=Reply(body=b"ok", delay=60)) as server, tempfile.TemporaryFile() as out:
            process = subprocess.Popen(
                [BIN / "domainc", "fetch", "--mode=process", "-c", "3", *[address(server, f"slow-{i}") for i in range(3)]],
                stdout=out, stderr=out,
            )
            wait_until(lambda: len(server.seen) == 3, "not all are fetched")
            with open(f"/proc/{process.pid}/task/{process.pid}/children") as listing:
                children = listing.read().split()
            self.assertEqual(len(children), 3)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(PATIENCE_S), -signal.SIGINT)
            wait_until(lambda: not [pid for pid in children if os.path.exists(f"/proc/{pid}/exe")], children)

    def test_a_process_that_is_killed_costs_what_it_was_at(self):
        release = threading.Event()

        def held(_):
            release.wait(PATIENCE_S)
            return Reply(body=b"ok", content_type="text/plain")

        with FakeServer(held) as server:
            process = subprocess.Popen(
                [BIN / "domainc", "fetch", "--mode=process", "-c", "3", *[address(server, f"slow-{i}") for i in range(5)]],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            wait_until(lambda: len(server.seen) == 3, "not all are fetched")
            with open(f"/proc/{process.pid}/task/{process.pid}/children") as listing:
                os.kill(int(listing.read().split()[0]), signal.SIGKILL)
            release.set()
            said, complaint = process.communicate()
            self.assertEqual(process.returncode, 1)
            self.assertEqual(said.count("\n"), 4)
            self.assertIn("domainc fetch: a worker process died; 1 of 5 URLs were not fetched to the end\n", complaint)


if __name__ == "__main__":
    unittest.main()
