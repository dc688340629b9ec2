"""./dev bench profile, last figures: how a report delays requests, and CPU per
request with and without recording.

The delay is what requests beside a report, one each 50 ms, take longer than at
other times, at the 95th percentile: beyond it stands what other programs did.

One server per arm (recording, and --profile=off) on one CPU, loadgen on the
other, c=100 keep-alive; short blocks in turn, so that both arms see the same
machine; the figure is the median of the ratios of neighbours.  On a busy
machine that is mostly noise, so beside it stands what the recorder itself
counts: calls recorded, times the price of a scope, per request's CPU.
"""

import json
import os
import re
import statistics
import subprocess
import tempfile
import time

DELAY_S = float(os.environ.get("DELAY_S", "30"))
ROUNDS = int(os.environ.get("ROUNDS", "15"))
REQUESTS = int(os.environ.get("REQUESTS", "60000"))
BIN = "build/release/bin"
TARGET = (
    "/domain?url=https://www.google.com/search?q=Enhancement&aq=f"
    "&sugexp=chrome,mod=0&sourceid=chrome&ie=UTF-8"
)
CPUS = sorted(os.sched_getaffinity(0))


def pinned(cpu, argv):
    return ["taskset", "-c", str(CPUS[cpu % len(CPUS)]), *argv]


class Server:
    def __init__(self, *flags):
        self.log = tempfile.TemporaryFile()
        argv = [f"{BIN}/domaind", "--listen=127.0.0.1:0", "--workers=1", *flags]
        self.process = subprocess.Popen(pinned(0, argv), stdout=self.log, stderr=self.log)
        for _ in range(500):
            text = os.pread(self.log.fileno(), 65536, 0).decode()
            found = re.search(r"listening on \S*:(\d+)", text)
            if found and "ready" in text:
                self.port = found[1]
                return
            time.sleep(0.01)
        raise SystemExit("domaind did not start: " + text)

    def cpu_ns(self):
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
        return total

    def block(self):
        """ns of CPU per request over REQUESTS requests."""
        before = self.cpu_ns()
        subprocess.run(
            pinned(1, [f"{BIN}/loadgen", "-c", "100", "-n", str(REQUESTS),
                       f"http://127.0.0.1:{self.port}{TARGET}"]),
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        return (self.cpu_ns() - before) / REQUESTS

    def recorded_ns(self):
        """What recording has cost so far, by its own count."""
        url = f"http://127.0.0.1:{self.port}/profile?format=json"
        answer = subprocess.run(["curl", "-sf", url], check=True, capture_output=True)
        return json.loads(answer.stdout)["overhead"]["total"]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def report_delay():
    server = Server()
    try:
        server.block()  # a tree as it is in use
        subprocess.run(pinned(1, ["build/release/report_delay", server.port, str(DELAY_S), TARGET]), check=True)
    finally:
        server.stop()


def main():
    report_delay()
    on, off = Server(), Server("--profile=off")
    ratios, costs = [], []
    try:
        on.block(), off.block()
        for i in range(ROUNDS):
            if i % 2 == 0:
                with_it, without = on.block(), off.block()
            else:
                without, with_it = off.block(), on.block()
            ratios.append(with_it / without)
            costs.append((with_it, without))
        counted_ns = on.recorded_ns() / ((ROUNDS + 1) * REQUESTS)
    finally:
        on.stop()
        off.stop()
    print(f"profile.request_on {statistics.median(c[0] for c in costs) / 1000:.3f} us")
    print(f"profile.request_off {statistics.median(c[1] for c in costs) / 1000:.3f} us")
    counted = counted_ns / statistics.median(c[1] for c in costs)
    print(f"profile.overhead_counted {100 * counted:.2f} %")
    print(f"profile.overhead {100 * (statistics.median(ratios) - 1):.2f} %")


if __name__ == "__main__":
    main()
