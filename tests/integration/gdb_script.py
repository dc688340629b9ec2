"""The gdb commands, on a stopped program."""

import os
import pathlib
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOMAIND_BIN", ROOT / "build" / "dev" / "bin")).parent


@unittest.skipUnless(shutil.which("gdb"), "no gdb")
class Gdb(unittest.TestCase):
    def test_lists_tasks_and_walks_one(self):
        done = subprocess.run(
            ["gdb", "-nx", "-batch", "-ex", f"source {ROOT}/conf/build/gdb/coro.py",
             "-ex", "set breakpoint pending on", "-ex", "break gdb_stop_here", "-ex", "run",
             "-ex", "co-list", "-ex", "co-bt 2", "-ex", "co-bt 3", "-ex", "co-bt 99", "-ex", "kill",
             BUILD / "tests" / "gdb_target"],
            capture_output=True, text=True, timeout=300, env={**os.environ, "DEBUGINFOD_URLS": ""})
        said = done.stdout + done.stderr
        self.assertRegex(said, r"loop main \(3 alive\)")
        self.assertRegex(said, r"\b1 running +main +spawned at coro/sched\.c:\d+")
        self.assertRegex(said, r"\b2 parked +sleep 0x0 +napper +spawned at tests/integration/gdb_target\.c")
        self.assertRegex(said, r"#\d+ 0x[0-9a-f]+ in nap_in_a_static_function at .*gdb_target\.c:\d+")
        self.assertRegex(said, r"task 3 waiter: parked event")
        self.assertRegex(said, r"in waiter_main at")
        self.assertIn("no task 99", said)


if __name__ == "__main__":
    unittest.main()
