"""GET /metrics: what it counts, in each mode, and that both formats are what they say."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

from domaind import ROOT, SANITIZE, Domaind, patiently, wait_until
from lifecycle import Load
from modes import SAMPLE, Connection, counter, each_mode, wait_till_read

try:
    from prometheus_client.openmetrics import parser as openmetrics
    from prometheus_client import parser as prometheus
except ImportError:  # another Python than Debian's, which could read it all the same
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        from prometheus_client.openmetrics import parser as openmetrics
        from prometheus_client import parser as prometheus
    except ImportError:
        openmetrics = None
        print("not here: python3-prometheus-client; its readers were not asked", flush=True)

# What Prometheus 2 sends.
SCRAPE = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
          "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


def scrape(server, accept=None):
    status, headers, body = server.get("/metrics", headers={"Accept": accept} if accept else {})
    assert status == 200, status
    return headers["Content-Type"], body.decode()


def samples(text):
    """{line without its value: value}."""
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def busy(server):
    """Something of everything: answers, errors, a connection that stays."""
    connection = Connection(server)
    for target in (SAMPLE, "/nowhere", "/domain?url=x"):
        connection.send(target)
        connection.receive()
    return connection


class Formats(unittest.TestCase):
    def test_which_one_is_asked_for(self):
        text, opened = "text/plain; version=0.0.4; charset=utf-8", \
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        with Domaind("coroutine") as server:
            for accept, expected in (
                (None, text), ("*/*", text), ("text/plain", text), ("text/html", text), (SCRAPE, opened),
                ("application/openmetrics-text", opened),
                ("application/openmetrics-text;q=0.3, text/plain;q=0.9", text),
            ):
                with self.subTest(accept=accept):
                    self.assertEqual(scrape(server, accept)[0], expected)

    @each_mode
    def test_openmetrics_holds_its_rules(self, mode):
        with Domaind(mode) as server:
            connection = busy(server)
            _, text = scrape(server, SCRAPE)
            connection.close()
        self.check_strictly(text)
        if openmetrics is None:
            return
        families = {family.name: family for family in openmetrics.text_string_to_metric_families(text)}
        self.assertEqual(families["domaind_build"].type, "info")
        self.assertEqual(families["domaind_requests"].type, "counter")
        self.assertEqual(families["domaind_received_bytes"].unit, "bytes")
        self.assertEqual(families["domaind_request_duration_seconds"].unit, "seconds")

    def check_strictly(self, text):
        """Each family once, in one piece, described first; names as its type wants them."""
        self.assertTrue(text.endswith("\n# EOF\n"))
        self.assertEqual(text.count("# EOF"), 1)
        self.assertNotIn("\n\n", text)
        family, kind, seen = None, None, set()
        for line in text.splitlines()[:-1]:
            word = line.split(" ", 3)
            if word[:2] == ["#", "HELP"]:
                family, kind = word[2], None
                self.assertNotIn(family, seen)
                seen.add(family)
                self.assertTrue(word[3].endswith("."), line)
                continue
            if line.startswith("#"):
                self.assertEqual(word[2], family)
                self.assertIn(word[1], ("TYPE", "UNIT"))
                if word[1] == "TYPE":
                    kind = word[3]
                else:
                    self.assertTrue(family.endswith("_" + word[3]), line)
                continue
            suffixes = {"counter": ("_total",), "gauge": ("",), "info": ("_info",),
                        "histogram": ("_bucket", "_sum", "_count")}[kind]
            name = re.match(r"[a-z_]+", line).group()
            self.assertIn(name, [family + suffix for suffix in suffixes])
            for bound in re.findall(r'le="([^"]+)"', line):
                self.assertTrue(bound == "+Inf" or "." in bound or "e" in bound, line)
        for family in seen:
            if family.endswith(("_seconds", "_bytes", "_ratio")):
                self.assertIn(f"# UNIT {family} {family.rsplit('_', 1)[1]}\n", text)

    @each_mode
    def test_both_formats_have_the_same_series(self, mode):
        with Domaind(mode) as server:
            connection = busy(server)
            scrape(server)  # which is counted itself
            time.sleep(1.2)
            plain, opened = scrape(server)[1], scrape(server, SCRAPE)[1]
            connection.close()
        self.assertEqual(set(samples(plain)), set(samples(opened)))
        checked = subprocess.run(["promtool", "check", "metrics"], input=plain, capture_output=True,
                                 text=True, timeout=60, check=False)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))
        if openmetrics is not None:
            names = {family.name for family in prometheus.text_string_to_metric_families(plain)}
            self.assertGreater(len(names), 20)

    def test_every_metric_of_the_table_is_there(self):
        table = (ROOT / "server" / "metrics" / "metrics.def").read_text()
        with Domaind("coroutine") as server:
            _, text = scrape(server)
        rows = re.findall(r'^METRICS_(\w+)\(\w+, "(\w+)"', table, re.MULTILINE)
        self.assertGreater(len(rows), 15)
        for kind, name in rows:
            name += {"COUNTER": "_total", "VECTOR": "_total", "HISTOGRAM": "_seconds", "GAUGE": ""}[kind]
            self.assertIn(f"# TYPE domaind_{name} ", text)


class Values(unittest.TestCase):
    def wait_for(self, server, pattern, is_right):
        wait_until(lambda: is_right(counter(server, pattern)), lambda: f"{pattern} is {counter(server, pattern)}")

    @each_mode
    def test_what_is_running(self, mode):
        with Domaind(mode) as server:
            _, text = scrape(server)
            self.assertRegex(text, rf'\ndomaind_build_info{{version="[0-9.]+",mode="{mode}"}} 1\n')
            self.assertGreaterEqual(counter(server, "domaind_workers "), 1)

    @each_mode
    def test_connections_by_state(self, mode):
        with Domaind(mode, "--admin-listen=127.0.0.1:0", "--children=3", "--min-spare=3", "--max-spare=3",
                     "--header-timeout=10m") as server:
            idle, half = Connection(server), Connection(server)
            idle.send()
            idle.receive()
            half.send()
            half.receive()
            half.socket.sendall(b"GET /livez HT")
            server.port = int(re.search(r"administrators: listening on \S*:(\d+)", server.stderr).group(1))
            self.wait_for(server, r'domaind_connections\{state="idle"\}', lambda n: n == 1)
            # the one that is half through its request, and the one that asks
            self.wait_for(server, r'domaind_connections\{state="serving"\}', lambda n: n == 2)
            idle.close()
            half.close()

    def test_connections_that_nobody_takes(self):
        patiently(self.check_queue)

    def check_queue(self, scale):
        """The one child is told before long to give up who keeps others waiting."""
        with Domaind("prefork", "--admin-listen=127.0.0.1:0", "--children=1", "--min-spare=1", "--max-spare=1",
                     f"--header-timeout={10 * scale}s") as server:
            first = Connection(server)
            first.socket.sendall(b"GET /livez HT")
            wait_till_read(server, first.socket)
            others = [Connection(server) for _ in range(3)]
            server.port = int(re.search(r"administrators: listening on \S*:(\d+)", server.stderr).group(1))
            self.wait_for(server, r'domaind_connections\{state="queued"\}', lambda n: n == 3)
            for connection in (first, *others):
                connection.close()

    def test_tasks(self):
        with Domaind("coroutine", "--workers=2") as server:
            self.wait_for(server, "domaind_tasks ", lambda n: n >= 4)  # on each loop: one that tends, one that accepts
            spawned = counter(server, "domaind_tasks_spawned_total")
            for _ in range(50):
                server.get("/livez")
            self.wait_for(server, "domaind_tasks_spawned_total", lambda n: n >= spawned + 50)
            self.wait_for(server, "domaind_task_switches_total", lambda n: n > 50)
            self.wait_for(server, "domaind_loop_lag_seconds_count", lambda n: n >= 2)

    @each_mode
    def test_what_recording_costs(self, mode):
        with Domaind(mode) as server:
            for _ in range(100):
                server.get(SAMPLE)
            values = samples(scrape(server)[1])
            self.assertEqual(values["domaind_profile_recording"], 1)
            self.assertGreaterEqual(values["domaind_profile_scopes_total"], 100)
            self.assertGreater(values["domaind_profile_run_seconds_total"], 0)
            self.assertTrue(0 < values["domaind_profile_overhead_ratio"] < 0.5)
            self.assertTrue(0 < values["domaind_profile_scope_cost_seconds"] < (1e-3 if SANITIZE else 1e-5))
            server.request("POST", "/profile/stop")
            self.assertEqual(counter(server, "domaind_profile_recording"), 0)
        with Domaind(mode, "--profile=off") as server:
            self.assertNotIn("domaind_profile_", scrape(server)[1])

    @each_mode
    def test_limits_that_were_hit(self, mode):
        patiently(lambda scale: self.check_limits(mode, scale))

    def check_limits(self, mode, scale):
        flags = ("--target-max=100", "--header-max=400", "--body-max=10", f"--header-timeout={300 * scale}ms",
                 f"--idle-timeout={300 * scale}ms", "--requests-per-connection=2", "--linger-timeout=100ms")
        with Domaind(mode, *flags) as server:
            long = "a" * 600
            self.assertEqual(server.get("/" + long)[0], 414)
            self.assertEqual(server.get("/livez", headers={"X-Long": long})[0], 431)
            self.assertEqual(server.request("POST", "/profile/stop", body=b"x" * 11)[0], 413)
            twice = Connection(server)
            for _ in range(2):
                twice.send()
                twice.receive()
            twice.close()
            slow, idle, silent = Connection(server), Connection(server), Connection(server)
            slow.socket.sendall(b"GET / HT")
            idle.send()
            self.assertEqual(idle.receive()[0], 200)
            self.assertEqual(slow.receive()[0], 408)
            self.assertIsNone(idle.receive())
            self.assertIsNone(silent.receive())
            for connection in (slow, idle, silent):
                connection.close()
            expected = {"target-max": 1, "header-max": 1, "body-max": 1, "requests-per-connection": 1,
                        "header-timeout": 2, "idle-timeout": 1}
            self.wait_for(server, "domaind_limits_hit_total", lambda n: n >= sum(expected.values()))
            text = scrape(server)[1]
            found = dict(re.findall(r'domaind_limits_hit_total\{limit="([a-z-]+)"\} (\d+)', text))
            self.assertEqual({name: int(n) for name, n in found.items() if n != "0"}, expected)
            names = subprocess.run([os.fspath(server.process.args[0]), "--help"], capture_output=True, text=True, check=True).stdout
            for name in found:
                self.assertIn(f"--{name}=", names)


class Exact(unittest.TestCase):
    def test_counters_never_fall_though_children_are_killed(self):
        with Domaind("prefork", "--children=24", "--min-spare=6", "--admin-listen=127.0.0.1:0") as server:
            port = server.port
            server.port = int(re.search(r"administrators: listening on \S*:(\d+)", server.stderr).group(1))
            with Load(port, clients=4, target=SAMPLE) as load:
                before = {}
                for round_number in range(60):
                    if round_number % 3 == 0:
                        self.kill_one(server)
                    now = samples(scrape(server)[1])
                    for name, value in before.items():
                        if re.search(r"_(total|bucket|count|sum)(\{|$)", name):
                            self.assertGreaterEqual(now[name], value, name)
                    before = now
                    time.sleep(0.03)
                load.stop()
                answered = load.answered
            counted = counter(server, r'domaind_requests_total\{route="/domain"')
            # an answer that was counted may have been lost with its child, no answer is not counted
            self.assertGreaterEqual(counted, answered)
            self.assertLessEqual(counted, answered + 20 + load.repeated + len(load.failures))
            self.assertEqual(counter(server, "domaind_workers_died_total"), 20)

    def kill_one(self, server):
        def listed():
            status, _, body = server.get("/tasks?format=json")
            self.assertEqual(status, 200, body)
            return [child["pid"] for child in json.loads(body)["children"]]

        pid = wait_until(listed, "no child is alive")[-1]  # all may be dead just now
        self.assertGreater(pid, 1)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in listed(), "it is listed for ever")  # or it would be killed twice

    @each_mode
    def test_sums_over_workers_are_what_was_sent(self, mode):
        with Domaind(mode, "--workers=2", "--min-spare=4") as server:
            connections = [Connection(server) for _ in range(12)]
            for _ in range(25):
                for connection in connections:
                    connection.send(SAMPLE)
                for connection in connections:
                    self.assertEqual(connection.receive()[0], 200)
            for connection in connections:
                connection.close()
            pattern = r'domaind_requests_total\{route="/domain",status="200"\}'
            self.assertEqual(counter(server, pattern), 300)
            duration = r'domaind_request_duration_seconds_count\{route="/domain"\}'
            self.assertEqual(counter(server, duration), 300)


if __name__ == "__main__":
    unittest.main(verbosity=2)
