"""./dev bench overload: twice the work that can be done, with the default limits.

Server on one CPU, loadgen on another, modes in turn within each round, medians
over the rounds; prints "name value unit".  A block: the capacity (closed loop,
64 connections), then twice that (open loop, 600 connections), then requests
one by one until they are answered as fast as before.

Answers per second are per second that the server's CPU was free for the server:
what other programs took of it meanwhile (others) is taken off the time, as well
as it can be known.  work_per_cpu does without that: answers per CPU second that
the server used, beyond its capacity as a share of what it was below.
"""

import copy
import os
import re
import statistics
import subprocess
import time

from domaind import BIN, MODES, Domaind
from lifecycle import children_of
from modes import Connection, counter

Domaind.UNHURRIED = {}  # a bench is about the limits as they are by default

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = float(os.environ.get("SECONDS_EACH", "4"))
CALM, STORM = 64, 600  # connections
CPUS = sorted(os.sched_getaffinity(0))
WORK = {
    "": "/test/cpu?ms=2",  # the work is in the handler
    "tiny_": "/domain?url=http://a.example.com/",  # the work is mostly the kernel's
}
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def say(name, value, unit):
    text = f"{value:.2f}" if isinstance(value, float) else str(value)
    print(f"overload.{name} {text} {unit}", flush=True)


def on_last_cpu():
    os.sched_setaffinity(0, {CPUS[-1]})


class PinnedDomaind(Domaind):
    def __enter__(self):
        os.sched_setaffinity(0, {CPUS[0]})
        try:
            super().__enter__()
        finally:
            os.sched_setaffinity(0, set(CPUS))
        self.admin = copy.copy(self)  # the same server, asked on its other port
        self.admin.port = int(re.search(r"administrators: listening on \S*:(\d+)", self.stderr).group(1))
        return self


def server_cpu_s(pid):
    """CPU time so far of the server: its children, living and dead, included."""
    total = 0
    for each in [pid, *children_of(pid)]:
        try:
            with open(f"/proc/{each}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue  # ended meanwhile: in what its parent has of its children
        total += sum(map(int, fields[11:15] if each == pid else fields[11:13]))
    return total / TICKS_PER_S


def busy_s():
    """How long the server's CPU has not been idle, for whomever."""
    with open("/proc/stat") as file:
        for line in file:
            name, *times = line.split()
            if name == f"cpu{CPUS[0]}":
                user, nice, system, _, _, irq, softirq, steal = map(int, times[:8])
                return (user + nice + system + irq + softirq + steal) / TICKS_PER_S
    return 0.0


class Load:
    """A run of loadgen against the server, looked at from the server's side."""

    def __init__(self, server, target, *flags):
        self.server = server
        self.route = re.escape(target.partition("?")[0])
        self.process = subprocess.Popen(
            [BIN / "loadgen", "-q", f"-d{SECONDS}s", *flags, f"http://127.0.0.1:{server.port}{target}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=on_last_cpu,
        )
        self.ends = time.monotonic() + SECONDS
        time.sleep(SECONDS / 4)  # not the time in which queues grow
        before = self.look()
        time.sleep(max(0.0, self.ends - time.monotonic()))
        after = self.look()
        answered, at, busy, cpu = (y - x for x, y in zip(before, after))
        others = max(0.0, busy - cpu)
        self.per_s = answered / max(at - others, 0.1)
        self.per_cpu_s = answered / max(cpu, 0.01)
        self.others = others / at

    def look(self):
        pattern = f'domaind_requests_total\\{{route="{self.route}",status="200"'
        around = []
        for _ in range(2):
            around.append((time.monotonic(), busy_s(), server_cpu_s(self.server.pid)))
            if len(around) == 1:
                answered = counter(self.server.admin, pattern)
        return (answered, *map(statistics.mean, zip(*around)))


def recovery_s(server, target, ended, usual_s):
    """From the end of the load to the first of five answers as quick as usual."""
    good, since = 0, 0.0
    while good < 5 and time.monotonic() - ended < 20:
        began = time.monotonic()
        try:
            connection = Connection(server)
            connection.send(target)
            answer = connection.receive()
            connection.close()
        except OSError:
            answer = None
        is_good = answer is not None and answer[0] == 200 and time.monotonic() - began < 5 * usual_s + 0.01
        since = began if is_good and good == 0 else since
        good = good + 1 if is_good else 0
    return max(0.0, since - ended)


def block(mode, target, figures):
    with PinnedDomaind(mode, "--test-endpoints", "--admin-listen=127.0.0.1:0") as server:
        calm = Load(server, target, f"-c{CALM}")
        calm.process.wait()
        storm = Load(server, target, f"-c{STORM}", f"-R{2 * calm.per_s:.0f}")
        recovery = recovery_s(server, target, storm.ends, CALM / calm.per_s)
        storm.process.wait()
        refused = counter(server.admin, r"domaind_requests_refused_total\{")
    for name, value in (
        ("capacity", calm.per_s),
        ("goodput", 100 * storm.per_s / calm.per_s),
        ("work_per_cpu", 100 * storm.per_cpu_s / calm.per_cpu_s),
        ("refused", refused),
        ("recovery", recovery),
        ("others", 100 * max(calm.others, storm.others)),
    ):
        figures.setdefault(name, []).append(value)


UNITS = {"capacity": "answers/s", "goodput": "%", "work_per_cpu": "%", "refused": "requests", "recovery": "s",
         "others": "%"}


def main():
    figures = {}
    for turn in range(ROUNDS):
        modes = MODES[turn % len(MODES):] + MODES[:turn % len(MODES)]
        for mode in modes:
            for kind, target in WORK.items():
                block(mode, target, figures.setdefault((mode, kind), {}))
    for (mode, kind), values in figures.items():
        for name, unit in UNITS.items():
            say(f"{mode}_{kind}{name}", statistics.median(values[name]), unit)


if __name__ == "__main__":
    main()
