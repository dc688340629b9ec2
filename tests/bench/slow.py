"""slowhttptest in its four modes against each of ours, while others ask for domains;
prints "name value unit".  The timeouts are 5 s, to make the bench short."""

import os
import re
import socket
import subprocess
import threading
import time
import urllib.request

from domaind import MODES, Domaind

Domaind.UNHURRIED = {}  # a bench is about the limits as they are by default

CONNECTIONS = int(os.environ.get("CONNECTIONS", "500"))
SECONDS = int(os.environ.get("SECONDS_EACH", "40"))
TIMEOUT = 5
PATIENCE = 2  # seconds that one of the others waits for its answer

ATTACKS = {
    "slow_head": ["-H", "-i", "2", "-u", "/livez"],
    "slow_body": ["-B", "-i", "2", "-f", "text/plain", "-s", "8192", "-u", "/domain"],
    "slow_read": ["-X", "-n", "1", "-z", "5", "-w", "10", "-y", "512", "-u", "/test/body?bytes=50000000"],
    "ranges": ["-R", "-a", "5", "-b", "2000", "-u", "/domain?url=http://a.example.com/"],
}


class Others:
    """Asks on a fresh connection each time, ten times a second."""

    def __init__(self, port):
        self.address = ("127.0.0.1", port)
        self.waits, self.failures, self.bad_until = [], [], 0.0
        self.is_over = False
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_over:
            began = time.monotonic()
            try:
                self.ask()
                self.waits.append(time.monotonic() - began)
            except OSError as error:
                self.failures.append(error)
                self.bad_until = time.monotonic() - self.began
            time.sleep(0.1)

    def ask(self):
        with socket.create_connection(self.address, PATIENCE) as sock:
            sock.sendall(b"GET /domain?url=http://b.com/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            data = b""
            while piece := sock.recv(4096):
                data += piece
            if not data.startswith(b"HTTP/1.1 200 "):
                raise OSError(f"answered {data[:40]!r}")

    def stop(self):
        self.is_over = True
        self.thread.join()


class Watch:
    """Looks every 100 ms how many connections are open, on the administrators' port."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/metrics"

    def read(self):
        text = urllib.request.urlopen(self.url, timeout=20).read().decode()
        closed = dict(re.findall(r'connections_closed_total\{reason="(\w+)"\} (\d+)', text))
        return int(re.search(r"domaind_connections_open (\d+)", text).group(1)), {
            reason: int(n) for reason, n in closed.items()
        }


def attack(mode, name, flags):
    limits = [f"--{what}-timeout={TIMEOUT}s" for what in ("header", "body", "write")]
    with Domaind(mode, *limits, "--test-endpoints", "--admin-listen=127.0.0.1:0") as server:
        admin = int(re.search(r"administrators: listening on \S*:(\d+)", server.stderr).group(1))
        flags = [f if not f.startswith("/") else f"http://127.0.0.1:{server.port}{f}" for f in flags]
        others, watch = Others(server.port), Watch(admin)
        began = time.monotonic()
        slow = subprocess.Popen(
            ["slowhttptest", *flags, "-c", str(CONNECTIONS), "-r", "250", "-l", str(SECONDS), "-p", "3"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        most = 0
        said = threading.Thread(target=lambda: setattr(slow, "said", slow.stdout.read()))
        said.start()
        while slow.poll() is None:
            most = max(most, watch.read()[0])
            time.sleep(0.1)
        lasted = time.monotonic() - began
        said.join()
        time.sleep(2 * PATIENCE)
        others.stop()
        tell(f"{mode}_{name}", others, watch.read()[1], most, lasted)


def tell(name, others, closed, most, lasted):
    ours = sum(n for reason, n in closed.items() if reason not in ("peer", "aborted", "asked"))
    for what, value, unit in (
        ("open_at_most", most, "connections"),
        ("lasted", f"{lasted:.1f}", "s"),
        ("closed_by_us", ours, "connections"),
        ("others_answered", len(others.waits), "requests"),
        ("others_failed", len(others.failures), "requests"),
        ("others_slowest", f"{1000 * max(others.waits, default=0):.1f}", "ms"),
        ("others_served_again_after", f"{others.bad_until:.1f}", "s"),
    ):
        print(f"slow.{name}_{what} {value} {unit}", flush=True)


def main():
    for mode in os.environ.get("MODES", " ".join(MODES)).split():
        for name in os.environ.get("ATTACKS", " ".join(ATTACKS)).split():
            attack(mode, name, ATTACKS[name])


if __name__ == "__main__":
    main()
