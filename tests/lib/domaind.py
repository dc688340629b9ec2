"""A domaind under test: started on a port of its own, ended for certain.

    with Domaind("coroutine") as server:
        status, headers, body = server.get("/livez")

The program is the one of the build that runs the test (DOMAIND_BIN, set by
ctest; build/dev/bin otherwise).  Leaving the block asks it to stop (TERM),
fails when it does not within the drain time, and keeps its stderr for the
failure message.
"""

import http.client
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DOMAIND_BIN", ROOT / "build" / "dev" / "bin"))
MODES = ("coroutine", "thread", "prefork")
# The build under test: "", "address,undefined" or "thread".  Everything is slower there:
# tests that make work by the thousand make less of it, but no test is left out.
SANITIZE = os.environ.get("DOMAIND_SANITIZE", "")
# For tests of much load: a process of prefork mode has one thread that serves, in which
# ThreadSanitizer can see nothing that the other tests do not show it.
LOADED_MODES = ("coroutine", "thread") if SANITIZE == "thread" else MODES
# How long to wait for what must happen.  Beside many other tests, and on a machine that has
# its CPUs elsewhere, all takes many times as long as alone; only what hangs waits till the end.
PATIENCE_S = 90


def shared_data(*parts):
    """A file of the larger test data beside the project, or None when it is not there."""
    base = pathlib.Path(os.environ.get("DOMAIND_SHARED_DATA", ROOT.parent / "shared" / "data"))
    path = base.joinpath(*parts)
    if path.exists():
        return path
    print(f"not here: {path}; ran the project's own small cases only", flush=True)
    return None


def wait_until(condition, what="", seconds=PATIENCE_S):
    """What condition() returns once that is true; `what` (or its value, if it is a function)
    is what is wrong if it never is."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)
    return found


def patiently(attempt, most=16):
    """For what holds only while client and server are not kept waiting: attempt(scale) with all
    its times multiplied by scale.  On a busy machine it may fail; then with four times as long,
    up to `most`, which is the one that counts."""
    scale = 1
    while True:
        try:
            return attempt(scale)
        except (AssertionError, OSError):
            if scale >= most:
                raise
        scale *= 4


def where_it_is(pid):
    """What a process and its children are doing, for the message of a test in which they hang."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        said = f"process {pid}: state {stat[0]}, user {stat[11]}, system {stat[12]} (1/100 s)\n"
        traced = subprocess.run(["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all bt 30"],
                                capture_output=True, text=True, timeout=10, check=False)
        said += "".join(line for line in traced.stdout.splitlines(True) if line.startswith(("Thread", "#")))
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            for child in task.read_text().split():
                said += where_it_is(int(child))
        return said
    except (OSError, subprocess.TimeoutExpired) as error:  # it may have ended meanwhile
        return f"process {pid}: {error}\n"


class Domaind:
    """One running server; `port`, `pid`, `stderr` (text so far), `returncode` after stop."""

    # A server that the machine has kept waiting would refuse what has come meanwhile; tests of
    # that say so by flags, which come before the environment.
    UNHURRIED = {"DOMAIND_QUEUE_DELAY_MAX": "10m"}

    def __init__(self, mode="coroutine", *flags, env=None):
        self.mode = mode
        self.flags = list(flags)
        self.env = env
        self.process = None
        self.returncode = None

    # ---- life ----

    def __enter__(self):
        self._log = tempfile.TemporaryFile()
        listen = [] if any(f.startswith("--listen") for f in self.flags) else ["--listen=127.0.0.1:0"]
        self.process = subprocess.Popen(
            [BIN / "domaind", f"--mode={self.mode}", *listen, *self.flags],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**self.UNHURRIED, **os.environ, **(self.env or {})},
        )
        self.pid = self.process.pid
        deadline = time.monotonic() + PATIENCE_S
        while "domaind: ready" not in self.stderr:
            if self.process.poll() is not None:
                raise AssertionError(f"domaind ended at once ({self.process.returncode}):\n{self.stderr}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"domaind was not ready in {PATIENCE_S} s:\n{self.stderr}")
            time.sleep(0.01)
        found = re.search(r"listening on \S*:(\d+)", self.stderr)
        self.port = int(found.group(1)) if found else None
        return self

    def __exit__(self, exc_type, exc, traceback):
        try:
            code = self.stop()
        finally:
            self._said = self.stderr
            self._log.close()
        if exc_type is None and code != 0:
            raise AssertionError(f"domaind ended with {code}:\n{self.stderr}")
        if exc_type is not None:
            print(f"domaind ({self.mode}) said:\n{self.stderr}", flush=True)

    def stop(self):
        """TERM, wait; the exit code.  Killed (and an AssertionError) when it hangs."""
        if self.returncode is not None:
            return self.returncode
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.returncode = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            where = where_it_is(self.pid)
            self.kill()
            raise AssertionError(f"domaind ignored TERM for {PATIENCE_S} s:\n{self.stderr}{where}") from None
        return self.returncode

    def kill(self):
        self.process.kill()
        self.returncode = self.process.wait()

    @property
    def stderr(self):
        if self._log.closed:
            return self._said
        return os.pread(self._log.fileno(), 1 << 20, 0).decode(errors="replace")

    # ---- requests ----

    def request(self, method, target, body=None, headers=None, timeout=PATIENCE_S):
        """One request on a fresh connection: (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, target, **kwargs):
        return self.request("GET", target, **kwargs)


def run(program, *args, timeout=2 * PATIENCE_S, **kwargs):
    """Run one of the project's programs to its end: a CompletedProcess with text output."""
    return subprocess.run(
        [BIN / program, *args], capture_output=True, text=True, timeout=timeout, check=False, **kwargs
    )
