"""The gdb commands, on a stopped program and on a core file."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOMAIND_BIN", ROOT / "build" / "dev" / "bin")).parent


TARGET = BUILD / "tests" / "gdb_target"


def gdb(*arguments):
    done = subprocess.run(["gdb", "-nx", "-batch", "-ex", f"source {ROOT}/conf/build/gdb/coro.py", *arguments],
                          capture_output=True, text=True, timeout=300, env={**os.environ, "DEBUGINFOD_URLS": ""})
    return done.stdout + done.stderr


def commands(*lines):
    return [word for line in lines for word in ("-ex", line)]


STOP = commands("set breakpoint pending on", "break gdb_stop_here", "run")
LOOK = commands("co-list", "co-bt 1", "co-bt 2", "co-bt 3", "co-bt 99")


@unittest.skipUnless(shutil.which("gdb"), "no gdb")
class Gdb(unittest.TestCase):
    def check(self, said):
        self.assertRegex(said, r"loop main \(3 alive\)")
        self.assertRegex(said, r"\b1 running +main +spawned at coro/sched\.c:\d+")
        self.assertRegex(said, r"\b2 parked +sleep 0x0 +napper +spawned at tests/integration/gdb_target\.c")
        self.assertRegex(said, r"task 1 main: running *\n#0 +gdb_stop_here")
        self.assertRegex(said, r"#\d+ 0x[0-9a-f]+ in nap_in_a_static_function at .*gdb_target\.c:\d+")
        self.assertRegex(said, r"task 3 waiter: parked event")
        self.assertRegex(said, r"in waiter_main at")
        self.assertIn("no task 99", said)

    def test_a_running_program(self):
        self.check(gdb(*STOP, *LOOK, "-ex", "kill", TARGET))

    @unittest.skipIf(os.environ.get("DOMAIND_SANITIZE"), "sanitizers map terabytes, and all would be in it")
    def test_a_core_file(self):
        with tempfile.TemporaryDirectory() as folder:
            core = pathlib.Path(folder) / "core"
            said = gdb(*STOP, *commands(f"co-gcore {core}", "co-bt 2", "kill"), TARGET)
            self.assertIn(f"Saved corefile {core}", said)
            self.check(gdb(*LOOK, TARGET, core))

    def test_without_a_loop(self):
        said = gdb(*commands("break main", "run", "co-list", "co-bt 1", "kill"), TARGET)
        self.assertIn("no loop", said)
        self.assertIn("no task 1", said)


if __name__ == "__main__":
    unittest.main()
