"""Three instances behind HAProxy with the sample configuration, under steady load:
restarted one by one, reloaded in a storm, killed."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

from domaind import LOADED_MODES, PATIENCE_S, ROOT, Domaind
from lifecycle import Load, children_of

SIZE = 3


reserved = []  # sockets that only hold their port


def free_ports(count):
    """Ports that nobody else is given as long as this test lives, for servers that allow an
    address to be taken again."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
    reserved.extend(sockets)
    return [s.getsockname()[1] for s in sockets]


def patient(configuration):
    """With time for checks: an instance that a busy machine keeps waiting is not down."""
    text, count = re.subn(r"(?m)^( *)timeout queue .*$", r"\1timeout queue 60s\n\1timeout check 30s", configuration)
    text, other = re.subn(r"timeout connect 1s", "timeout connect 30s", text)
    assert (count, other) == (1, 1), text
    return text


class Fleet:
    """HAProxy in front of instances that can be stopped and started again."""

    def __init__(self, mode):
        self.mode = mode
        self.front, *self.ports = free_ports(SIZE + 1)
        self.instances = [None] * SIZE

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        for i in range(SIZE):
            self.start(i)
        env = {f"DOMAIND{i + 1}": f"127.0.0.1:{port}" for i, port in enumerate(self.ports)}
        env["FRONT"] = f"127.0.0.1:{self.front}"
        self.configuration = tempfile.NamedTemporaryFile("w", suffix=".cfg")
        self.configuration.write(patient((ROOT / "conf" / "haproxy" / "domaind.cfg").read_text()))
        self.configuration.flush()
        self.haproxy = subprocess.Popen(
            ["haproxy", "-db", "-f", self.configuration.name],
            env={**os.environ, **env}, stdout=self.log, stderr=self.log,
        )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.front), timeout=PATIENCE_S).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        time.sleep(1)  # a first round of checks
        return self

    def __exit__(self, exc_type, *_):
        if exc_type is not None:
            print(f"haproxy said:\n{os.pread(self.log.fileno(), 1 << 20, 0).decode(errors='replace')}", flush=True)
        self.haproxy.terminate()
        self.haproxy.wait(PATIENCE_S)
        self.log.close()
        self.configuration.close()
        for instance in self.instances:
            if instance is not None:
                instance.stop()

    def start(self, i):
        flags = [f"--listen=127.0.0.1:{self.ports[i]}", "--drain-delay=1s", "--children=32"]
        self.instances[i] = Domaind(self.mode, *flags).__enter__()

    def restart(self, i):
        code = self.instances[i].stop()
        self.start(i)
        return code


class UnderLoad(unittest.TestCase):
    def check(self, load):
        load.wait_for(50)
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertEqual(load.refused, 0)

    def test_a_rolling_restart_fails_no_request(self):
        for mode in LOADED_MODES:
            with self.subTest(mode=mode), Fleet(mode) as fleet:
                with Load(fleet.front, target="/domain?url=http://a.example.com/") as load:
                    for i in range(SIZE):
                        load.wait_for(50)
                        self.assertEqual(fleet.restart(i), 0)
                        time.sleep(0.7)
                    self.check(load)

    def test_storms_of_reloads_and_killed_children(self):
        for mode in LOADED_MODES:
            with self.subTest(mode=mode), Fleet(mode) as fleet:
                with Load(fleet.front, target="/domain?url=http://a.example.com/") as load:
                    for _ in range(15):
                        for instance in fleet.instances:
                            instance.process.send_signal(signal.SIGHUP)
                        if mode == "prefork":
                            os.kill(children_of(fleet.instances[0].pid)[0], signal.SIGKILL)
                        time.sleep(0.1)
                    self.check(load)

    def test_a_killed_instance_costs_nothing_that_haproxy_cannot_repeat(self):
        with Fleet("coroutine") as fleet:
            with Load(fleet.front, target="/domain?url=http://a.example.com/") as load:
                load.wait_for(50)
                fleet.instances[0].kill()
                time.sleep(1)
                load.wait_for(50)
                fleet.start(0)
                time.sleep(0.5)
                self.check(load)

    def test_the_front_keeps_the_administrators_routes_to_itself(self):
        with Fleet("coroutine") as fleet:
            instance = fleet.instances[0]
            own, instance.port = instance.port, fleet.front
            try:
                for path in ("/metrics", "/profile", "/tasks", "/debug/pprof/"):
                    self.assertEqual(instance.get(path)[0], 403)
                self.assertEqual(instance.get("/domain?url=http://example.com/")[0], 200)
            finally:
                instance.port = own


class Scraping(unittest.TestCase):
    def test_prometheus_counts_what_was_sent(self):
        with tempfile.TemporaryDirectory() as folder, Domaind("prefork") as server:
            (port,) = free_ports(1)
            path = pathlib.Path(folder) / "prometheus.yml"
            text = (ROOT / "conf" / "prometheus" / "prometheus.yml").read_text()
            text = text.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
            text = text.replace("15s", "500ms").replace("  - domaind.rules.yml\n", "")
            path.write_text(text.replace("rule_files:\n", ""))
            prometheus = subprocess.Popen(
                ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{port}"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            try:
                for _ in range(137):
                    self.assertEqual(server.get("/domain?url=http://example.com/")[0], 200)
                self.assertEqual(self.query(port), 137)
            finally:
                prometheus.terminate()
                prometheus.wait(PATIENCE_S)

    def query(self, port):
        """What Prometheus says once a scrape has come after the last request."""
        asked = urllib.parse.quote('sum(domaind_requests_total{route="/domain"})')
        value, deadline = None, time.monotonic() + PATIENCE_S
        while value != 137 and time.monotonic() < deadline:
            time.sleep(0.5)
            try:
                url = f"http://127.0.0.1:{port}/api/v1/query?query={asked}"
                with urllib.request.urlopen(url, timeout=5) as answer:
                    found = json.load(answer)["data"]["result"]
                value = float(found[0]["value"][1]) if found else None
            except OSError:
                continue
        return value


if __name__ == "__main__":
    unittest.main(verbosity=2)
