"""./dev bench loadgen: loadgen's own CPU per request as a ratio to wrk's, and its
schedule lag at a high rate.

domaind on one CPU, the load generator on another, c=100 kept connections.
The two generators take turns within each round, in changing order; the ratio is
the median over the rounds of the ratio within a round, because the machine
drifts more between rounds than within one.
"""

import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "release" / "bin"
sys.path.insert(0, str(ROOT / "tests" / "lib"))
os.environ["DOMAIND_BIN"] = str(BIN)
from domaind import Domaind  # noqa: E402

Domaind.UNHURRIED = {}  # a bench is about the limits as they are by default

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS_EACH", "2"))
RATE = 50000
CPUS = sorted(os.sched_getaffinity(0))
TARGET = "/domain?url=https://www.google.com/"


def on_last_cpu():
    os.sched_setaffinity(0, {CPUS[-1]})


def own_cpu_us(argv, pattern):
    """CPU time of the program per request, whatever it says about itself."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, preexec_fn=on_last_cpu)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.search(pattern, done.stdout)
    if not found:
        sys.exit(f"{argv[0]} failed:\n{done.stdout}{done.stderr}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used * 1e6 / int(found.group(1))


def lag_p99_us(url):
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(
            [BIN / "loadgen", "-q", "-c100", f"-d{SECONDS}s", "--warmup=500ms", f"-R{RATE}",
             f"--json={file.name}", url],
            stdout=subprocess.DEVNULL, check=False, preexec_fn=on_last_cpu,
        )
        with open(file.name) as text:
            result = json.load(text)["result"]
    return result["schedule_lag"]["p99_us"] or 0.0, result["requests_per_s"]


def main():
    ratios, ours, theirs, lags, rates = [], [], [], [], []
    with Domaind("coroutine", "--workers=1") as server:
        os.sched_setaffinity(server.pid, {CPUS[0]})
        for task in os.listdir(f"/proc/{server.pid}/task"):
            os.sched_setaffinity(int(task), {CPUS[0]})
        url = f"http://127.0.0.1:{server.port}{TARGET}"
        pattern = r"(\d+) requests in"
        for i in range(ROUNDS):
            runs = [
                (ours, [BIN / "loadgen", "-q", "-c100", f"-d{SECONDS}s", url]),
                (theirs, ["wrk", "-t1", "-c100", f"-d{SECONDS}s", url]),
            ]
            for values, argv in runs if i % 2 == 0 else reversed(runs):
                values.append(own_cpu_us(argv, pattern))
            ratios.append(ours[-1] / theirs[-1])
            lag, rate = lag_p99_us(url)
            lags.append(lag)
            rates.append(rate)
    median = statistics.median
    print(f"loadgen.cpu_per_request {median(ours):.2f} us")
    print(f"loadgen.wrk_cpu_per_request {median(theirs):.2f} us")
    print(f"loadgen.cpu_vs_wrk {median(ratios):.3f} ratio")
    print(f"loadgen.open_loop_rate {median(rates):.0f} requests/s")
    print(f"loadgen.lag_p99_us {median(lags):.1f} us")


if __name__ == "__main__":
    main()
