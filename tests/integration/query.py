"""domainc query: order, bounds, faults of the server, of the input and of the output."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from domaind import BIN, PATIENCE_S, ROOT, patiently, run, wait_until
from fakehttp import FakeServer, Reply, domain_answer
from fleet import free_ports


def query(*args, server=None, **kwargs):
    """An answer may come late, if nothing else is said."""
    where = [f"--server=127.0.0.1:{server.port}", "--timeout=5m"] if server else []
    return run("domainc", "query", *where, *args, **kwargs)


def urls_file(urls):
    file = tempfile.NamedTemporaryFile("w", suffix=".urls")
    file.write("".join(url + "\n" for url in urls))
    file.flush()
    return file


class Order(unittest.TestCase):
    def test_answers_come_in_input_order(self):
        urls = [f"https://h{i}.example/" for i in range(500)]

        def answer(url):
            return domain_answer(url, delay=0.05 if url.startswith("https://h7") else 0)

        with FakeServer(answer) as server, urls_file(urls) as file:
            done = query("-c", "20", "-f", file.name, server=server)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([json.loads(line)["url"] for line in done.stdout.splitlines()], urls)
            self.assertLessEqual(server.connections, 20)
            self.assertLessEqual(server.most_busy, 20)
            self.assertIn("500 URLs: 500 domains, 0 refused, 0 without an answer", done.stderr)

    def test_every_byte_of_a_url_arrives(self):
        odd = ["http://x/?a=1&b=2&url=y#f", "http://x/a b+c%20d%", "http://bücher.example/ß", "http://x/'\"<>;`{}|\\^"]
        with FakeServer(domain_answer) as server:
            done = query(*odd, server=server)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(sorted(server.seen), sorted(odd))

    def test_a_slow_answer_bounds_what_is_read_ahead(self):
        """While the first URL has no answer, only a ring of others may be asked."""
        released = threading.Event()

        def answer(url):
            if url == "first":
                released.wait(PATIENCE_S)
            return domain_answer(url)

        with FakeServer(answer) as server, urls_file(["first"] + ["other"] * 5000) as file:
            process = subprocess.Popen(
                [BIN / "domainc", "query", f"--server=127.0.0.1:{server.port}", "--timeout=10m", "-c", "4", "-f", file.name],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            last, still = -1, 0
            while still < 5:  # until no more requests come
                time.sleep(0.1)
                still = still + 1 if len(server.seen) == last else 0
                last = len(server.seen)
            self.assertLess(last, 1000)
            released.set()
            out, _ = process.communicate(timeout=PATIENCE_S)
            self.assertEqual(process.returncode, 0)
            self.assertEqual(len(out.splitlines()), 5001)

    def test_standard_input_and_blank_lines(self):
        with FakeServer(domain_answer) as server:
            done = query("--format=ndjson", "-f", "-", server=server, input="a\n\r\n\nb\r\nc")
            self.assertEqual([json.loads(line)["url"] for line in done.stdout.splitlines()], ["a", "b", "c"])

    def test_an_answer_is_printed_before_the_input_ends(self):
        with FakeServer(domain_answer) as server:
            process = subprocess.Popen(
                [BIN / "domainc", "query", f"--server=127.0.0.1:{server.port}", "--timeout=5m", "-q", "-f", "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            process.stdin.write(b"one\n")
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["url"], "one")
            process.stdin.close()
            self.assertEqual(process.wait(PATIENCE_S), 0)
            process.stdout.close()


class Answers(unittest.TestCase):
    def test_a_refusal_is_an_answer(self):
        problem = b'{"title":"Unprocessable Content",\n "status":422,"detail":"no host"}\n'
        reply = Reply(422, problem, "application/problem+json")
        with FakeServer(lambda url: reply) as server:
            done = query("nonsense", server=server)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(
                json.loads(done.stdout), {"url": "nonsense", "line": 1, "error": "refused", "detail": "no host"}
            )
            self.assertIn("1 refused, 0 without", done.stderr)

    def test_text_has_a_line_for_every_url(self):
        def answer(url):
            if url == "bad":
                return Reply(422, b"not a URL\n", "text/plain")
            return Reply(body=b"example.org\n", content_type="text/plain; charset=utf-8")

        with FakeServer(answer) as server:
            done = query("--format=text", "a", "bad", "b", server=server)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout, "example.org\n\nexample.org\n")

    def test_something_else_that_answers_200(self):
        reply = Reply(body=b"<html>", content_type="text/html")
        with FakeServer(lambda url: reply) as server:
            done = query("https://a.example/", server=server)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(json.loads(done.stdout)["url"], "https://a.example/")
            self.assertIn("is that a domaind?", done.stderr)

    def test_a_server_that_does_not_speak_http(self):
        """It is the server that is not HTTP, not the address that was given."""
        with FakeServer(lambda _: Reply(raw=b"SSH-2.0-OpenSSH_9.2\r\n", close=True)) as server:
            done = query("https://a/", server=server)
            self.assertEqual(done.returncode, 1)
            self.assertIn("no answer: the server's reply is not HTTP", done.stderr)
        done = run("domainc", "query", "--server=ftp://127.0.0.1:1", "https://a/")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--server: http://HOST:PORT, https://HOST:PORT or unix:PATH, not 'ftp://127", done.stderr)

    def test_a_too_long_line_costs_only_itself(self):
        with FakeServer(domain_answer) as server:
            done = query("-f", "-", server=server, input="a\n" + "x" * 200000 + "\nb\n")
            self.assertEqual(done.returncode, 1)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual(len(lines), 3)
            self.assertIn("longer than", lines[1]["detail"])
            self.assertEqual(lines[2]["url"], "b")


class ServerFaults(unittest.TestCase):
    def test_busy_is_tried_again(self):
        attempts = {}

        def answer(url):
            attempts[url] = attempts.get(url, 0) + 1
            return Reply(503, b"busy") if attempts[url] < 3 else domain_answer(url)

        with FakeServer(answer) as server:
            done = query("a", "b", server=server)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(attempts, {"a": 3, "b": 3})
            self.assertIn("4 retries", done.stderr)

    def test_retry_after_is_honoured(self):
        times = []

        def answer(url):
            times.append(time.monotonic())
            if len(times) == 1:
                return Reply(429, b"later", headers=(("Retry-After", "1"),))
            return domain_answer(url)

        with FakeServer(answer) as server:
            self.assertEqual(query("a", server=server).returncode, 0)
        self.assertGreaterEqual(times[1] - times[0], 1)

    def test_a_url_without_an_answer_fails_the_run_and_not_the_others(self):
        faults = {
            "garbage": Reply(raw=b"\x00\xff garbage\r\n\r\n", close=True),
            "nothing": Reply(raw=b"", close=True),
            "half": Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", close=True),
            "error": Reply(500, b"oops"),
            "missing": Reply(404, b"no such route"),
            "huge": Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3000000, close=True),
        }
        urls = ["fine1", *faults, "fine2"]
        with FakeServer(lambda url: faults.get(url) or domain_answer(url)) as server:
            done = query("--retry=1", *urls, server=server)
            self.assertEqual(done.returncode, 1)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual([line["url"] for line in lines], urls)
            self.assertEqual([line["url"] for line in lines if "error" in line], list(faults))
            self.assertIn(f"2 domains, 0 refused, {len(faults)} without an answer", done.stderr)

    def test_silence_is_a_timeout(self):
        with FakeServer(lambda url: domain_answer(url, delay=2)) as server:
            done = query("--timeout=100ms", "--retry=0", "a", server=server)
            self.assertEqual(done.returncode, 1)
            self.assertIn("timed out", done.stderr)

    def test_nobody_there(self):
        (port,) = free_ports(1)
        with urls_file(["a"] * 1000) as file:
            done = run("domainc", "query", f"--server=localhost:{port}", "-f", file.name)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "")
        self.assertIn(f"cannot reach http://localhost:{port}: Connection refused", done.stderr)
        self.assertIn("--server", done.stderr)

    def test_a_name_that_does_not_resolve(self):
        done = run("domainc", "query", "--server=http://no-such-host.invalid", "a")
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not resolve", done.stderr)

    def test_a_server_that_restarts_loses_nothing(self):
        urls = [f"u{i}" for i in range(300)]
        (port,) = free_ports(1)
        with FakeServer(lambda url: domain_answer(url, delay=0.01), port=port) as first:
            process = subprocess.Popen(
                [BIN / "domainc", "query", f"--server=127.0.0.1:{port}", "--timeout=5m", "--retry=50", "-c", "4", "-f", "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            process.stdin.write("\n".join(urls))
            process.stdin.close()
            process.stdin = None
            wait_until(lambda: len(first.seen) >= 40, "nothing is asked")
        time.sleep(0.5)
        with FakeServer(domain_answer, port=port):
            out, err = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual([json.loads(line)["url"] for line in out.splitlines()], urls)


@unittest.skipIf(shutil.which("openssl") is None, "openssl is not installed")
class Tls(unittest.TestCase):
    def test_a_server_behind_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = f"{folder}/certificate.pem", f"{folder}/key.pem"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                 "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
                check=True, capture_output=True,
            )
            with FakeServer(domain_answer, tls=(certificate, key)) as server:
                where = f"--server=https://localhost:{server.port}"
                stranger = run("domainc", "query", "--retry=0", "--timeout=5m", where, "a")
                self.assertEqual(stranger.returncode, 1)
                self.assertIn("the certificate is not trusted", stranger.stderr)
                known = run("domainc", "query", "--timeout=5m", where, f"--cacert={certificate}", *[f"u{i}" for i in range(50)])
                self.assertEqual(known.returncode, 0, known.stderr)
                self.assertEqual(len(known.stdout.splitlines()), 50)
                where = where.replace("localhost", "127.0.0.1")
                other = run("domainc", "query", "--timeout=5m", where, f"--cacert={certificate}", "a")
                self.assertEqual(other.returncode, 1)


class CommandLine(unittest.TestCase):
    def test_usage_errors(self):
        for args in (
            [],
            ["-f", "x", "url"],
            ["-c", "0", "url"],
            ["-c", "many", "url"],
            ["--format=xml", "url"],
            ["--suffixes=some", "url"],
            ["--timeout=soon", "url"],
            ["--server=", "url"],
            ["--no-such-option", "url"],
        ):
            with self.subTest(args=args):
                done = query(*args)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertTrue(done.stderr.startswith("domainc query: "), done.stderr)
                self.assertEqual(done.stdout, "")

    def test_top_level(self):
        self.assertEqual(run("domainc").returncode, 2)
        unknown = run("domainc", "dance")
        self.assertEqual(unknown.returncode, 2)
        self.assertIn("there is no command 'dance'", unknown.stderr)
        version = run("domainc", "--version")
        self.assertEqual(version.returncode, 0)
        self.assertIn("libcurl/", version.stdout)
        text = run("domainc", "--help")
        self.assertEqual(text.returncode, 0)
        self.assertIn("query", text.stdout)

    def test_the_manual_has_every_option(self):
        page = (ROOT / "conf" / "man" / "domainc.1").read_text()
        sections = dict(re.findall(r"^\.Ss (\w+)\n(.*?)(?=^\.S[sh] )", page, re.M | re.S))
        commands = re.findall(r"^  (\w+)  ", run("domainc", "--help").stdout, re.M)
        self.assertEqual(set(sections), set(commands))
        for command in commands:
            options = re.findall(r"--([a-z-]+)", run("domainc", command, "--help").stdout.split("Examples:")[0])
            for option in set(options) - {"help", "usage", "version"}:
                with self.subTest(command=command, option=option):
                    self.assertIn(f"Fl \\-{option}", sections[command])

    def test_files_that_cannot_be_read(self):
        for path, why in (("/nonexistent/urls", "No such file"), ("/", "Is a directory")):
            done = query("-f", path)
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


class Output(unittest.TestCase):
    def test_a_full_disk(self):
        with FakeServer(domain_answer) as server, open("/dev/full", "w") as full:
            done = subprocess.run(
                [BIN / "domainc", "query", f"--server=127.0.0.1:{server.port}", "--timeout=5m", "a"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write the output: No space left on device", done.stderr)

    def test_a_reader_that_leaves(self):
        with FakeServer(domain_answer) as server, urls_file(["a"] * 20000) as file:
            process = subprocess.Popen(
                [BIN / "domainc", "query", f"--server=127.0.0.1:{server.port}", "--timeout=5m", "-f", file.name],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            process.stdout.readline()
            process.stdout.close()
            err = process.stderr.read()
            self.assertEqual(process.wait(PATIENCE_S), 1)
            process.stderr.close()
        self.assertIn("cannot write the output: Broken pipe", err)

    def test_a_reader_that_pauses_costs_no_answer(self):
        patiently(self.check_a_pause)

    def check_a_pause(self, seconds):
        with FakeServer(domain_answer) as server, urls_file([f"u{i}" + "x" * 500 for i in range(2000)]) as file:
            process = subprocess.Popen(
                [BIN / "domainc", "query", f"--server=127.0.0.1:{server.port}", f"--timeout={seconds}s", "--retry=0",
                 "-f", file.name],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            time.sleep(1.5 + seconds)  # longer than the timeout
            out, err = process.communicate(timeout=2 * PATIENCE_S)
            self.assertEqual(process.returncode, 0, err)
            self.assertEqual(len(out.splitlines()), 2000)

    def test_an_interrupt_ends_it_with_what_is_done(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number), FakeServer(
                lambda url: domain_answer(url, delay=600 if url == "slow" else 0)
            ) as server:
                process = subprocess.Popen(
                    [BIN / "domainc", "query", f"--server=127.0.0.1:{server.port}", "--timeout=10m", "a", "b", "slow", "c"],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                before = process.stdout.readline() + process.stdout.readline()
                wait_until(lambda: len(server.seen) == 4, "not all are asked")
                process.send_signal(number)
                out, err = process.communicate(timeout=PATIENCE_S)
                self.assertEqual(process.returncode, 130, err)
                self.assertEqual(len((before + out).splitlines()), 2)
                self.assertIn("interrupted", err)
                self.assertIn("2 URLs", err)


class Progress(unittest.TestCase):
    def on_terminal(self, term):
        """What a terminal on standard error receives, while a run takes half a second."""
        with FakeServer(lambda url: domain_answer(url, delay=0.05)) as server:
            master, slave = pty.openpty()
            process = subprocess.Popen(
                [BIN / "domainc", "query", f"--server=127.0.0.1:{server.port}", "--timeout=5m", "-c", "1", *["u"] * 12],
                stdout=subprocess.DEVNULL,
                stderr=slave,
                env={**os.environ, "TERM": term},
            )
            os.close(slave)
            text = b""
            while True:
                try:
                    chunk = os.read(master, 65536)
                except OSError:  # how Linux says that the other side has closed
                    break
                if not chunk:
                    break
                text += chunk
            os.close(master)
            self.assertEqual(process.wait(PATIENCE_S), 0)
            return text.decode()

    def test_a_terminal_sees_some(self):
        text = self.on_terminal("xterm")
        self.assertIn("\r\033[K", text)
        self.assertIn("URLs  ", text)
        shown = text.count("refused  ")
        self.assertGreater(shown, 1)
        self.assertNotIn("\033[3", text)  # no colours

    def test_a_dumb_terminal_and_a_file_see_none(self):
        self.assertNotIn("\033", self.on_terminal("dumb"))
        with FakeServer(domain_answer) as server:
            self.assertNotIn("\033", query("a", server=server).stderr)


if __name__ == "__main__":
    unittest.main()
