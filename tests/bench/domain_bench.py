"""./dev bench domain: the library (domain_bench), domainc extract, POST /domain."""

import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "release" / "bin"
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SAMPLE = (
    "https://www.google.com/search?q=Enhancement&aq=f&sugexp=chrome,mod=0&sourceid=chrome&ie=UTF-8"
)
SAMPLE_CALLS = 900_000
EXTRACT_TIMES, BATCH_TIMES = 50, 20


def shared(*parts):
    base = pathlib.Path(os.environ.get("DOMAIND_SHARED_DATA", ROOT.parent / "shared" / "data"))
    return base.joinpath(*parts)


def urls():
    """The real URLs, or made-up ones when they are not here."""
    path = shared("urls", "real_mix.txt")
    if path.exists():
        return path.read_bytes()
    print(f"not here: {path}; these figures are about made-up URLs", file=sys.stderr)
    tops = ("com", "org", "co.uk", "github.io", "de", "net")
    return "".join(
        f"https://www.host{i * 7919 % 31607}.{tops[i % 6]}/path/{i}?q={i * 31}\n" for i in range(93_143)
    ).encode()


def suffix_list():
    path = shared("psl", "public_suffix_list.dat")
    return path if path.exists() else pathlib.Path("/usr/share/publicsuffix/public_suffix_list.dat")


def one_core():
    """The measured process on the first CPU we may use; the others for the rest."""
    cpus = sorted(os.sched_getaffinity(0))
    return {cpus[0]}


def run(args, stdout=subprocess.DEVNULL):
    """Seconds: (on the clock, of CPU) of a whole process on one core."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(args, stdout=stdout, stderr=subprocess.PIPE, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, one_core()))
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"bench domain: {args[0]}: {done.stderr.decode()}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def batch(path, lines):
    """Server CPU nanoseconds per URL, and its peak memory in MiB."""
    server = subprocess.Popen(
        [BIN / "domaind", "--mode=coroutine", "--workers=1", "--listen=127.0.0.1:0", f"--suffix-list={suffix_list()}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    port = None
    for line in server.stderr:
        found = re.search(r"listening on \S*:(\d+)", line)
        port = found.group(1) if found else port
        if "domaind: ready" in line:
            break
    try:
        figures = []
        for _ in range(ROUNDS):
            before = cpu_of(server.pid)
            answer = subprocess.run(
                ["curl", "-sS", "-T", path, "-X", "POST", "-H", "Content-Type: text/plain", "-H", "Expect:",
                 f"http://127.0.0.1:{port}/domain"], stdout=subprocess.PIPE, check=True).stdout
            if answer.count(b"\n") != lines:
                sys.exit("bench domain: not as many answers as lines")
            figures.append((cpu_of(server.pid) - before) / lines * 1e9)
        with open(f"/proc/{server.pid}/status", encoding="ascii") as f:
            peak = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) / 1024
        return statistics.median(figures), peak
    finally:
        server.terminate()
        server.wait(30)
        server.stderr.close()


def main():
    text = urls()
    lines = text.count(b"\n")
    with tempfile.TemporaryDirectory() as scratch:
        once, many, some = (pathlib.Path(scratch, name) for name in ("once", "many", "some"))
        once.write_bytes(text)
        many.write_bytes(text * EXTRACT_TIMES)
        some.write_bytes(text * BATCH_TIMES)
        subprocess.run([ROOT / "build/release/domain_bench", once, suffix_list(), str(max(ROUNDS, 5))],
                       check=True, preexec_fn=lambda: os.sched_setaffinity(0, one_core()))
        extract = [run([BIN / "domainc", "extract", "-q", "-j1", "--format=tsv",
                        f"--suffix-list={suffix_list()}", many]) for _ in range(ROUNDS)]
        total = lines * EXTRACT_TIMES / 1e6
        print(f"domain.extract {total / statistics.median(w for w, _ in extract):.2f} MURL/s")
        print(f"domain.extract_cpu {total / statistics.median(c for _, c in extract):.2f} MURL/s")
        ns, peak = batch(some, lines * BATCH_TIMES)
        print(f"domain.batch {ns:.0f} ns")
        print(f"domain.batch_peak {peak:.1f} MiB")
        sample = [run([BIN / "domainc", "extract", "-q", f"--repeat={SAMPLE_CALLS}", SAMPLE]) for _ in range(ROUNDS * 2)]
        print(f"domain.sample {statistics.median(w for w, _ in sample):.3f} s")
        print(f"domain.sample_cpu {statistics.median(c for _, c in sample):.3f} s")


if __name__ == "__main__":
    main()
