"""loadgen against servers that misbehave, each in its own way: every failure is
counted under its own name, explained, and never a hang or a silent zero."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from domaind import BIN, PATIENCE_S, Domaind, patiently, wait_until
from modes import counter

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
OUTCOMES = ("ok status connect connect_timeout write reset closed half malformed timeout local unfinished").split()


class Fake:
    """A server whose connections are served by `serve(connection, number)`, a thread each."""

    def __init__(self, serve, path=None):
        self.serve = serve
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(path)
            self.url = "http://localhost/x"
        else:
            self.socket = socket.socket()
            self.socket.bind(("127.0.0.1", 0))
            self.port = self.socket.getsockname()[1]
            self.url = f"http://127.0.0.1:{self.port}/x"
        self.connections = []

    def __enter__(self):
        self.socket.listen(200)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(
                target=self._serve, args=(connection, len(self.connections)), daemon=True
            ).start()

    def _serve(self, connection, number):
        with contextlib.suppress(OSError), connection:
            self.serve(connection, number)

    def stop_listening(self):
        # shutdown wakes the accept that another thread is in; close alone does not
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def __exit__(self, *_):
        self.stop_listening()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.close()


def request(connection):
    """Read one request (no body); False at the end of the stream."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            return False
        data += piece
    return True


def good(connection, _number):
    while request(connection):
        connection.sendall(ANSWER)


class Good:
    """As good, and counts what was asked."""

    def __init__(self):
        self.requests = 0

    def __call__(self, connection, _number):
        while request(connection):
            self.requests += 1
            connection.sendall(ANSWER)

    def wait_for(self, count):
        wait_until(lambda: self.requests >= count, lambda: f"{self.requests} requests")


def loadgen(*args, timeout=2 * PATIENCE_S, **kwargs):
    """Run it with --json; (CompletedProcess, the JSON or None).  An answer may come late."""
    if args[-1].startswith("http:") and "--timeout" not in args:
        args = ("--timeout", "60s", *args)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        done = subprocess.run(
            [BIN / "loadgen", "--json", path, *args],
            capture_output=True, text=True, timeout=timeout, check=False, **kwargs
        )
        result = None
        if os.path.exists(path):
            with open(path) as file:
                result = json.load(file)
        return done, result


class RunTest(unittest.TestCase):
    def check_truth(self, result):
        counts = result["result"]["outcomes"]
        self.assertEqual(sorted(counts), sorted(OUTCOMES))
        self.assertEqual(result["result"]["sent"], sum(counts.values()))
        return counts

    def run_against(self, serve, *args, **kwargs):
        with Fake(serve) as fake:
            done, result = loadgen(*args, fake.url, **kwargs)
        self.assertIsNotNone(result, done.stderr + done.stdout)
        return done, result, self.check_truth(result)

    # ---- what goes well ----

    def test_requests_are_counted_exactly(self):
        done, _result, counts = self.run_against(good, "-c", "5", "-n", "500")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(counts["ok"], 500)
        self.assertIn("500 sent = 500 ok + 0 timeout + 0 unfinished", done.stdout)

    def test_wrk_layout(self):
        patiently(self.check_wrk_layout)  # a short run may get no answer at all

    def check_wrk_layout(self, scale):
        done, _result, _counts = self.run_against(good, "-c", "2", "-d", f"{300 * scale}ms")
        for pattern in (
            r"^Running [\d.]+s test @ http://127\.0\.0\.1:\d+/x$",
            r"^  1 thread and 2 connections, closed loop$",
            r"^  Thread Stats   Avg      Stdev     Max   \+/- Stdev$",
            r"^    Latency  +[\d.]+[mu]?s +[\d.]+[mu]?s +[\d.]+[mu]?s +[\d.]+%$",
            r"^    Req/Sec  +[\d.]+k? +[\d.]+k? +[\d.]+k? +[\d.]+%$",
            r"^  Latency Distribution",
            r"^ +50% +[\d.]+[mu]?s$",
            r"^  \d+ requests in [\d.]+s, [\d.]+[KMG]?B read$",
            r"^Requests/sec: +[\d.]+$",
            r"^Transfer/sec: +[\d.]+[KMG]?B$",
        ):
            self.assertRegex(done.stdout, re.compile(pattern, re.M))
        self.assertNotIn("Socket errors", done.stdout)

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            with Fake(good, path) as fake:
                done, result = loadgen("-c", "2", "-n", "50", "--unix", path, fake.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.check_truth(result)["ok"], 50)

    def test_no_keepalive_opens_a_connection_each(self):
        def once(connection, _number):
            if request(connection):
                connection.sendall(ANSWER)

        with Fake(once) as fake:
            done, result = loadgen("-c", "3", "-n", "30", "--no-keepalive", fake.url)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(result["result"]["connects"], 30)

    def test_pipelining_gets_every_answer(self):
        def in_batches(connection, _number):
            data = b""
            while piece := connection.recv(65536):
                data += piece
                n = data.count(b"\r\n\r\n")
                data = data[data.rfind(b"\r\n\r\n") + 4:] if n else data
                connection.sendall(ANSWER * n)

        _done, _result, counts = self.run_against(in_batches, "-c", "2", "-n", "640", "--pipeline", "16")
        self.assertEqual(counts["ok"], 640)

    def test_method_headers_and_body_are_sent(self):
        seen = []

        def look(connection, _number):
            data = b""
            while b"hello" not in data:
                data += connection.recv(4096)
            seen.append(data)
            connection.sendall(ANSWER)

        self.run_against(look, "-c", "1", "-n", "1", "-X", "PUT", "-H", "X-A: b", "-b", "hello")
        self.assertTrue(seen[0].startswith(b"PUT /x HTTP/1.1\r\n"))
        self.assertIn(b"\r\nX-A: b\r\n", seen[0])
        self.assertIn(b"\r\nContent-Length: 5\r\n", seen[0])

    def test_open_loop_keeps_its_rate(self):
        _done, result, counts = self.run_against(good, "-c", "10", "-R", "200", "-d", "1s", "-t", "2")
        self.assertGreater(counts["ok"], 0)
        self.assertEqual(counts["ok"] + counts["unfinished"] + result["result"]["unsent"], 200)

    def test_warmup_and_ramp_are_not_counted(self):
        _done, result, _counts = self.run_against(
            good, "-c", "4", "-R", "100", "-d", "500ms", "--warmup", "300ms", "--ramp", "300ms"
        )
        self.assertLessEqual(result["result"]["sent"] + result["result"]["unsent"], 51)
        self.assertGreaterEqual(result["result"]["sent"] + result["result"]["unsent"], 49)

    def test_profile_shows_its_own_calls(self):
        done, _result, _counts = self.run_against(good, "-c", "3", "-n", "120", "--profile")
        self.assertRegex(done.stdout, r"(?m)^ +\d+ function calls in [\d.]+ seconds$")
        self.assertRegex(done.stdout, r"(?m)^ +120 .*conn\.c:\d+\(exchange\)$")

    # ---- faults ----

    def test_nobody_listens(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            done, _ = loadgen("-d", "1s", f"http://127.0.0.1:{free.getsockname()[1]}/")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "cannot connect .*Connection refused; is the server running")
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_a_server_that_hangs(self):
        def hang(connection, _number):
            while connection.recv(4096):
                pass

        done, result, counts = self.run_against(hang, "-c", "3", "-d", "500ms", "--timeout", "700ms")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertGreaterEqual(counts["timeout"], 3)
        self.assertEqual(counts["ok"], 0)
        self.assertIn("no request succeeded", done.stdout)
        # in the tail at the time it waited, not dropped
        self.assertGreaterEqual(result["result"]["latency"]["min_us"], 700_000)

    def test_connections_that_are_reset(self):
        def reset(connection, _number):
            request(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        done, _result, counts = self.run_against(reset, "-c", "2", "-n", "20")
        self.assertEqual(counts["reset"], 20, done.stdout)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Connection reset by peer", done.stdout)

    def test_connections_that_are_closed(self):
        _done, _result, counts = self.run_against(lambda c, _n: request(c), "-c", "2", "-n", "20")
        self.assertEqual(counts["closed"], 20)

    def test_half_answers(self):
        def half(connection, _number):
            request(connection)
            connection.sendall(ANSWER[:-2])

        _done, _result, counts = self.run_against(half, "-c", "2", "-n", "20")
        self.assertEqual(counts["half"], 20)

    def test_malformed_answers(self):
        def odd(connection, _number):
            request(connection)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        done, _result, counts = self.run_against(odd, "-c", "2", "-n", "20")
        self.assertEqual(counts["malformed"], 20)
        self.assertIn("not an HTTP answer", done.stdout)

    def test_errors_by_status(self):
        def busy(connection, _number):
            while request(connection):
                connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

        done, result, counts = self.run_against(busy, "-c", "2", "-n", "20")
        self.assertEqual(counts["status"], 20)
        self.assertEqual(result["result"]["statuses"], {"503": 20})
        self.assertEqual(result["result"]["latency"]["count"], 0)
        self.assertEqual(result["result"]["errors"]["count"], 20)
        self.assertIn("Non-2xx or 3xx responses: 20", done.stdout)

    def test_a_server_that_dies_in_mid_run(self):
        serve = Good()
        with Fake(serve) as fake:
            def die():
                serve.wait_for(50)
                fake.stop_listening()
                for connection in fake.connections:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

            killer = threading.Thread(target=die)
            killer.start()
            done, result = loadgen("-c", "4", "-d", "5s", fake.url)
            killer.join()
        counts = self.check_truth(result)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertGreater(counts["ok"], 0)
        self.assertGreater(counts["connect"], 0)
        self.assertIn("the server stopped answering", done.stdout)

    def test_too_few_descriptors(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))

        with Fake(good) as fake:
            done, _ = loadgen("-c", "100", "-d", "1s", fake.url, preexec_fn=limit)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "100 connections need .* descriptors, .*ulimit -n")

    def test_too_few_ports(self):
        done, _ = loadgen("-c", "70000", "-d", "1s", "http://127.0.0.1:9/")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "70000 connections need as many local ports, .*ip_local_port_range")

    def test_a_tls_port(self):
        def alert(connection, _number):
            connection.recv(1000)
            connection.sendall(bytes.fromhex("15030100020246"))

        done, result, counts = self.run_against(alert, "-c", "2", "-n", "6")
        self.assertEqual(counts["malformed"], 6)
        self.assertIn("it speaks TLS", done.stdout)
        self.assertEqual(result["result"]["reasons"], {"malformed": "it speaks TLS"})

    def test_nothing_measured_shows_no_zeros(self):
        done, _result, _counts = self.run_against(lambda c, _n: request(c), "-c", "2", "-n", "4")
        self.assertRegex(done.stdout, r"(?m)^    Latency +- +- +- +-$")
        self.assertNotIn("us per request", done.stdout)

    def test_a_name_that_does_not_exist(self):
        done, _ = loadgen("-d", "1s", "http://no-such-host.invalid/")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "cannot find host no-such-host.invalid")

    def test_ipv6(self):
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                self.skipTest("this machine has no ::1")
        with Domaind("coroutine", "--listen=[::1]:0") as server:
            done, result = loadgen("-c", "2", "-n", "50", f"http://[::1]:{server.port}/livez")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.check_truth(result)["ok"], 50)

    # ---- interrupts, gates, usage ----

    def test_interrupt_while_connecting(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            full = [socket.socket() for _ in range(8)]  # more than its queue takes: connects hang
            for one in full:
                one.setblocking(False)
                one.connect_ex(listener.getsockname())
            process = subprocess.Popen([BIN / "loadgen", "--timeout=300s", f"http://127.0.0.1:{listener.getsockname()[1]}/"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            def is_connecting():
                with open("/proc/net/tcp") as table:
                    rows = [line.split() for line in table]
                port = f"0100007F:{listener.getsockname()[1]:04X}"
                mine = {os.readlink(f"/proc/{process.pid}/fd/{n}") for n in os.listdir(f"/proc/{process.pid}/fd")}
                return any(r[2] == port and r[3] == "02" and f"socket:[{r[9]}]" in mine for r in rows)
            while process.poll() is None and not is_connecting():
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            for one in full:
                one.close()
        self.assertEqual(process.returncode, 130, out + err)
        self.assertIn("interrupted", err)

    def test_interrupt_in_the_warm_up(self):
        serve = Good()
        with Fake(serve) as fake:
            process = subprocess.Popen([BIN / "loadgen", "-c", "2", "-d", "10m", "--warmup", "10m", fake.url],
                                       stdout=subprocess.PIPE, text=True)
            serve.wait_for(10)  # most of them answered
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 130, out)
        self.assertRegex(out, r"interrupted before measuring began: [1-9]\d* requests of the warm-up")

    def test_interrupt_writes_the_partial_result(self):
        serve = Good()
        with Fake(serve) as fake, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r.json")
            process = subprocess.Popen(
                [BIN / "loadgen", "-c", "2", "-d", "10m", "--fail-if", "p50>1ns", "--json", path, fake.url],
                stdout=subprocess.PIPE, text=True,
            )
            serve.wait_for(20)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=PATIENCE_S)
            with open(path) as file:
                result = json.load(file)
        self.assertEqual(process.returncode, 130, out)
        self.assertIn("partial result", out)
        self.assertTrue(result["result"]["interrupted"])
        self.assertGreater(self.check_truth(result)["ok"], 0)
        self.assertNotIn("breached", out)  # gates say nothing about a partial result

    def test_one_request_to_end_may_come_twice(self):
        """timeout(1) signals the program and then its group."""
        for _ in range(5):  # a starved test sends the second so late that it means what it says
            with Fake(good) as fake, tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "fifo")
                os.mkfifo(path)  # it cannot be written before we read it
                process = subprocess.Popen([BIN / "loadgen", "-c", "2", "-d", "60s", "--json", path, fake.url],
                                           stdout=subprocess.PIPE, text=True)
                process.stdout.readline()  # it runs: its handlers are set
                time.sleep(0.3)
                process.send_signal(signal.SIGTERM)
                while "partial result" not in process.stdout.readline():
                    self.assertIsNone(process.poll())
                process.send_signal(signal.SIGTERM)
                reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                process.communicate(timeout=60)
                os.close(reader)
            if process.returncode == 130:
                break
        self.assertEqual(process.returncode, 130)

    def test_gates(self):
        done, result, _ = self.run_against(good, "-c", "1", "-n", "100", "--fail-if", "p50>1ns",
                                           "--fail-if", "failed>0")
        self.assertEqual(done.returncode, 3)
        self.assertEqual([g["breached"] for g in result["gates"]], [True, False])
        self.assertRegex(done.stdout, r"--fail-if p50>1ns: breached, it is [\d.]+us")
        self.assertIn("--fail-if failed>0: held off, it is 0", done.stdout)

    def test_a_gate_that_nobody_can_judge_is_no_success(self):
        done, result, _ = self.run_against(good, "-c", "1", "-n", "100", "--fail-if", "p99>10s")
        self.assertEqual(done.returncode, 4)
        self.assertIn("--fail-if p99>10s: too few requests to say", done.stdout)
        self.assertEqual(result["exit"], 4)

    def test_gates_leave_json_on_standard_output_alone(self):
        with Fake(good) as fake:
            done = subprocess.run([BIN / "loadgen", "-n", "100", "--json", "-", "--fail-if", "p50>1ns", fake.url],
                                  capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(json.loads(done.stdout)["exit"], 3)
        self.assertIn("breached", done.stderr)

    def test_output_files_are_tried_before_the_run(self):
        serve = Good()
        with Fake(serve) as fake:
            done, _ = loadgen("-d", "10m", "--html", "/nowhere/x.html", fake.url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write /nowhere/x.html: No such file", done.stderr)
        self.assertEqual(serve.requests, 0)

    def test_usage_errors(self):
        for args in (["--no-such-flag"], ["-c", "0"], ["-d", "soon"], ["--fail-if", "p99>5"],
                     ["ftp://h/"], ["https://h/"], ["-R", "5", "--pipeline", "4"], ["--url-param", "u"],
                     ["--no-keepalive", "--pipeline", "4"],
                     ["compare", "--modes", "coroutine"], ["compare", "--scenario", "none"]):
            done, _ = loadgen(*args)
            self.assertEqual(done.returncode, 2, f"{args}: {done.stderr}")
            self.assertNotEqual(done.stderr, "")

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full, Fake(good) as fake:
            for args in (["--help"], ["--version"], ["compare", "--help"], ["compare", "--scenario=list"],
                         ["-n", "10", fake.url], ["-n", "10", "--json", "-", fake.url]):
                done = subprocess.run([BIN / "loadgen", *args], stdout=full, stderr=subprocess.PIPE,
                                      text=True, timeout=PATIENCE_S, check=False)
                self.assertEqual(done.returncode, 1, args)
                self.assertIn("No space left on device", done.stderr, args)

    def test_reader_that_goes_away(self):
        with Fake(good) as fake:
            process = subprocess.Popen([BIN / "loadgen", "-c", "2", "-d", "500ms", fake.url],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            process.stdout.close()
            err = process.stderr.read()
            self.assertEqual(process.wait(timeout=PATIENCE_S), 1)
            process.stderr.close()
        self.assertIn("Broken pipe", err)

    def test_help_names_each_group_once(self):
        for args in (["--help"], ["compare", "--help"]):
            done, _ = loadgen(*args)
            for heading in ("Load:", "Requests:", "Results:"):
                self.assertEqual(done.stdout.count(f"\n {heading}\n"), 1, heading)

    def test_html_is_self_contained(self):
        with Fake(good) as fake, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r.html")
            loadgen("-c", "1", "-n", "10", "--html", path, fake.url + "?</script><b>")
            with open(path) as file:
                page = file.read()
        self.assertNotIn("</script><b>", page)
        self.assertNotRegex(page, r"""(src|href)\s*=""")
        data = re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.S).group(1)
        self.assertEqual(json.loads(data)["result"]["outcomes"]["ok"], 10)


class DomaindTest(unittest.TestCase):
    def test_the_servers_counter_agrees(self):
        with Domaind("coroutine") as server:
            done, result = loadgen("-c", "10", "-n", "2000", "--warmup", "100ms",
                                   f"http://127.0.0.1:{server.port}/domain?url=https://a.example/")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("the server's own counter agrees", done.stdout)
        self.assertEqual(result["result"]["outcomes"]["ok"], 2000)

    def test_a_freeze_shows_in_corrected_latency_only(self):
        with Domaind("coroutine") as server:
            def freeze():
                wait_until(lambda: counter(server, "domaind_requests_total") > 1000, "no load")
                os.kill(server.pid, signal.SIGSTOP)
                time.sleep(1.4)
                os.kill(server.pid, signal.SIGCONT)

            # so many requests that a few frozen ones are no hundredth of them
            freezer = threading.Thread(target=freeze)
            freezer.start()
            _done, result = loadgen("-c", "10", "-d", "10s", "-R", "500",
                                    f"http://127.0.0.1:{server.port}/domain?url=https://a.example/")
            freezer.join()
        r = result["result"]
        self.assertGreater(r["latency"]["p99_us"], 1_000_000)
        self.assertLess(r["raw"]["p99_us"], 500_000)

    def test_url_file(self):
        with Domaind("coroutine") as server, tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("https://a.example/?x=1&y=2\nhttps://b.example/\n\nhttps://xn--bcher-kva.example/\n")
            file.flush()
            done, result = loadgen("-c", "3", "-n", "99", "-f", file.name, "--url-param", "url",
                                   f"http://127.0.0.1:{server.port}/domain")
        self.assertEqual(result["result"]["outcomes"]["ok"], 99, done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
