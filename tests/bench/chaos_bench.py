"""The long form of the fault tests; prints "name value unit"."""

import os
import signal
import sys
import time

from domaind import MODES, Domaind
from fleet import SIZE, Fleet
from lifecycle import Load, children_of
from modes import counter

Domaind.UNHURRIED = {}  # a bench is about the limits as they are by default

DRAINS = int(os.environ.get("DRAINS", "100"))
SECONDS = float(os.environ.get("SECONDS_EACH", "10"))
TARGET = "/domain?url=http://a.example.com/"


def say(name, value, unit):
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    print(f"{name} {text} {unit}", flush=True)


def explain(failures):
    for reason in sorted(set(failures)):
        print(f"  {failures.count(reason)} x {reason.strip()}", file=sys.stderr, flush=True)


def tell(name, load):
    say(f"{name}_answered", load.answered, "requests")
    say(f"{name}_failed", len(load.failures), "requests")
    explain(load.failures)
    say(f"{name}_repeated_on_a_closed_connection", load.repeated, "requests")


def drains(mode):
    """TERM under load, again and again: no request that reached the server is lost."""
    answered = repeated = 0
    failures = []
    for _ in range(DRAINS):
        server = Domaind(mode, "--min-spare=8", "--children=32").__enter__()
        with Load(server.port, clients=8, reuse=30) as load:
            time.sleep(0.15)
            code = server.stop()
            load.stop()
        answered += load.answered
        repeated += load.repeated
        failures += load.failures
        if code != 0:
            failures.append(f"exit {code}")
    say(f"{mode}_drains", DRAINS, "times")
    say(f"{mode}_drains_answered", answered, "requests")
    say(f"{mode}_drains_failed", len(failures), "requests")
    explain(failures)
    say(f"{mode}_drains_repeated_on_a_closed_connection", repeated, "requests")


def reloads(mode):
    with Domaind(mode) as server, Load(server.port) as load:
        end, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            server.process.send_signal(signal.SIGHUP)
            count += 1
            time.sleep(0.02)
        load.stop()
    say(f"{mode}_reloads", count, "times")
    tell(f"{mode}_reloads", load)


def rolling(mode):
    with Fleet(mode) as fleet, Load(fleet.front, target=TARGET) as load:
        end, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            fleet.restart(count % SIZE)
            count += 1
            time.sleep(0.7)
        load.stop()
    say(f"{mode}_rolling_restarts", count, "times")
    tell(f"{mode}_rolling_restarts", load)


def killed_instances():
    with Fleet("coroutine") as fleet, Load(fleet.front, target=TARGET) as load:
        end, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            fleet.instances[count % SIZE].kill()
            time.sleep(0.5)
            fleet.start(count % SIZE)
            time.sleep(1)
            count += 1
        load.stop()
    say("killed_instances", count, "times")
    tell("killed_instances", load)


def killed_children():
    """One child a second; only its own request may be lost, and HAProxy repeats that."""
    with Fleet("prefork") as fleet, Load(fleet.front, target=TARGET) as load:
        end, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            os.kill(children_of(fleet.instances[count % SIZE].pid)[0], signal.SIGKILL)
            count += 1
            time.sleep(1)
        load.stop()
        say("killed_children_still_counted",
            int(sum(counter(i, "domaind_workers_died_total") for i in fleet.instances)), "children")
    say("killed_children", count, "times")
    tell("killed_children", load)


def main():
    for mode in MODES:
        drains(mode)
        reloads(mode)
        rolling(mode)
    killed_instances()
    killed_children()


if __name__ == "__main__":
    main()
