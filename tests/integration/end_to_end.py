"""The three programs on real input: the same answers from every mode, whatever
other clients do meanwhile, and no system call for switching tasks."""

import hashlib
import json
import pathlib
import random
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

from domaind import LOADED_MODES, MODES, PATIENCE_S, SANITIZE, Domaind, run, shared_data, wait_until

ODD_URLS = [
    line.split("\t")
    for line in pathlib.Path(__file__).with_name("urls.tsv").read_text().splitlines()
    if not line.startswith("#")
]


def query(server, *args, timeout=600):
    """An answer may come late."""
    return run("domainc", "query", f"--server=127.0.0.1:{server.port}", "--timeout=5m", *args, timeout=timeout)


class SameAnswers(unittest.TestCase):
    def test_odd_urls(self):
        """What each answer is, and that it is the same in every mode and format."""
        outputs = set()
        with tempfile.NamedTemporaryFile("w", suffix=".urls") as file:
            file.write("".join(url + "\n" for url, _ in ODD_URLS))
            file.flush()
            for mode in MODES:
                with self.subTest(mode=mode), Domaind(mode) as server:
                    done = query(server, "-c", "10", "-f", file.name)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    text = query(server, "--format=text", "-f", file.name)
                    self.assertEqual(text.returncode, 0, text.stderr)
                    outputs.add(done.stdout)
                    lines = done.stdout.splitlines()
                    self.assertEqual(len(lines), len(ODD_URLS))
                    for (url, domain), line, bare in zip(ODD_URLS, lines, text.stdout.splitlines(), strict=True):
                        answer = json.loads(line)
                        if domain == "-":
                            self.assertEqual((answer["url"], answer["error"]), (url, "refused"))
                            self.assertGreater(len(answer["detail"]), 5)
                            self.assertEqual(bare, "")
                        else:
                            self.assertEqual((answer["url"], answer["domain"]), (url, domain))
                            self.assertEqual(bare, domain)
        self.assertEqual(len(outputs), 1)

    def test_real_urls(self):
        """Every URL of the large list through every mode: as many answers, byte for byte the same.
        Under ThreadSanitizer the first 10,000: the same paths again show it nothing more."""
        path = shared_data("urls", "real_mix.txt")
        if path is None:
            return
        text = path.read_bytes()
        if SANITIZE == "thread":
            text = b"".join(text.splitlines(keepends=True)[:10_000])
        count = text.count(b"\n")
        digests = set()
        for mode in LOADED_MODES:
            with self.subTest(mode=mode), Domaind(mode) as server, tempfile.NamedTemporaryFile() as file:
                file.write(text)
                file.flush()
                done = query(server, "-c", "100", "-f", file.name)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stdout.count("\n"), count)
                self.assertIn(", 0 without an answer; 0 retries;", done.stderr)
                digests.add(hashlib.sha256(done.stdout.encode()).hexdigest())
        self.assertEqual(len(digests), 1)


class Addresses(unittest.TestCase):
    def test_every_kind_of_address(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            with Domaind("coroutine", "--listen=127.0.0.1:0", f"--listen=unix:{path}") as server:
                for where in (
                    f"127.0.0.1:{server.port}", f"localhost:{server.port}", f"http://localhost:{server.port}/", f"unix:{path}"
                ):
                    with self.subTest(server=where):
                        done = run("domainc", "query", "-q", "--format=text", f"--server={where}", "https://a.example/x")
                        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "a.example\n", ""))
            nobody = run("domainc", "query", f"--server=unix:{path}", "https://a.example/")
            self.assertEqual(nobody.returncode, 1)
            self.assertIn(f"cannot reach unix:{path}: ", nobody.stderr)


class CallTable(unittest.TestCase):
    def test_ncalls_are_the_requests_served(self):
        """Counted, not sampled: after N requests the request path's functions have N calls,
        and the server's own counter says N too."""
        requests = 3000
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode) as server, tempfile.NamedTemporaryFile("w") as file:
                file.write("https://www.example.com/\n" * requests)
                file.flush()
                done = query(server, "-c", "40", "-f", file.name)
                self.assertEqual(done.returncode, 0, done.stderr)
                status, _, table = server.get("/profile?sort=ncalls")
                self.assertEqual(status, 200)
                calls = {}
                for line in table.decode().splitlines():
                    found = re.match(r"\s*(\d+)(?:/\d+)?(?:\s+[\d.]+)+\s+\S*[({](\w+)[)}]$", line)
                    if found:
                        calls[found.group(2)] = int(found.group(1))
                for function in ("endpoint_domain", "domain_parse", "writev"):
                    self.assertEqual(calls.get(function), requests, table.decode())
                self.assertGreaterEqual(calls.get("http_session_turn"), requests, table.decode())
                _, _, metrics = server.get("/metrics")
                self.assertIn(f'domaind_requests_total{{route="/domain",status="200"}} {requests}\n', metrics.decode())


class Vandals:
    """Clients that send garbage, leave in mid-request or reset, until the block ends."""

    def __init__(self, port):
        self.port = port
        self.visits = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(4)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seed):
        random_ = random.Random(seed)
        whole = b"GET /domain?url=https://a.example/ HTTP/1.1\r\nHost: x\r\n\r\n"
        while not self._over.is_set():
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as s:
                try:
                    self._visit(s, random_, whole)
                except OSError:
                    pass  # being thrown out is fine
            self.visits += 1
            self._over.wait(0.002)

    @staticmethod
    def _visit(s, random_, whole):
        kind = random_.randrange(5)
        if kind == 0:  # garbage
            s.sendall(random_.randbytes(random_.randrange(1, 4000)))
            s.recv(4096)
        elif kind == 1:  # leaves in mid-request
            s.sendall(whole[: random_.randrange(1, len(whole))])
        elif kind == 2:  # resets in mid-request
            s.sendall(whole[: random_.randrange(1, len(whole))])
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif kind == 3:  # asks and does not stay for the answer
            s.sendall(whole * 20)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:  # a good request, then garbage behind it
            s.sendall(whole + b"\r\n\x00\x01garbage")
            s.recv(4096)


class OtherClients(unittest.TestCase):
    def test_vandals_cost_only_their_own_connection(self):
        urls = [f"https://host{i}.example.org/" for i in range(2000)]
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode) as server, tempfile.NamedTemporaryFile("w") as file:
                file.write("\n".join(urls))
                file.flush()
                with Vandals(server.port) as vandals:
                    for _ in range(2):
                        done = query(server, "-c", "20", "--retry=0", "-f", file.name)
                        self.assertEqual(done.returncode, 0, done.stderr)
                        self.assertEqual([json.loads(line)["url"] for line in done.stdout.splitlines()], urls)
                    wait_until(lambda: vandals.visits > 10, "no visits")


class SystemCalls(unittest.TestCase):
    def test_switching_tasks_makes_none(self):
        """strace -c of the coroutine server under load: glibc's swapcontext would show
        two rt_sigprocmask for every switch."""
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        requests = 4000
        with tempfile.NamedTemporaryFile("r") as table, tempfile.NamedTemporaryFile("w") as file:
            file.write("https://www.example.com/\n" * requests)
            file.flush()
            # LeakSanitizer cannot look at a process that is traced.
            with Domaind("coroutine", env={"ASAN_OPTIONS": "detect_leaks=0"}) as server:
                tracer = subprocess.Popen(
                    ["strace", "-f", "-c", "-o", table.name, "-p", str(server.pid)],
                    stderr=subprocess.PIPE,
                    text=True,
                )
                attached = tracer.stderr.readline()
                if "attached" not in attached:
                    tracer.wait(PATIENCE_S)
                    tracer.stderr.close()
                    self.skipTest(f"strace may not look: {attached.strip()}")
                done = query(server, "-c", "50", "-f", file.name)
                self.assertEqual(done.returncode, 0, done.stderr)
            tracer.communicate(timeout=PATIENCE_S)
            calls = {}
            for line in table.read().splitlines():
                found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", line)
                if found:
                    calls[found.group(2)] = int(found.group(1))
        self.assertGreater(sum(calls.values()), requests, calls)  # the server really was watched
        self.assertLess(calls.get("rt_sigprocmask", 0), requests / 100, calls)


if __name__ == "__main__":
    unittest.main()
