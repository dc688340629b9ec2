"""Programs made of tasks, under Valgrind: it must know their stacks."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOMAIND_BIN", ROOT / "build" / "dev" / "bin")).parent
SANITIZED = re.search(r"^DOMAIND_SANITIZE:\w+=.+$", (BUILD / "CMakeCache.txt").read_text(), re.M)
HEADER = pathlib.Path("/usr/include/valgrind/valgrind.h")


@unittest.skipUnless(shutil.which("valgrind") and HEADER.exists(), "no valgrind, or not its header")
@unittest.skipIf(SANITIZED, "a sanitizer and Valgrind do not go together")
class Valgrind(unittest.TestCase):
    def memcheck(self, switch, mistake=None):
        done = subprocess.run(
            ["valgrind", "--leak-check=full", "--show-leak-kinds=definite",
             "--errors-for-leak-kinds=definite", "--error-exitcode=99",
             BUILD / "tests" / f"valgrind_target_{switch}", *([mistake] if mistake else [])],
            capture_output=True, text=True, timeout=200, env={**os.environ, "DEBUGINFOD_URLS": ""})
        self.assertNotIn("client switching stacks", done.stderr)
        return done.returncode, done.stderr

    def test_tasks_are_clean(self):
        for switch in ("fast", "setjmp", "ucontext"):
            with self.subTest(switch=switch):
                code, said = self.memcheck(switch)
                self.assertEqual(code, 0, said)
                self.assertIn("ERROR SUMMARY: 0 errors", said)

    def mistake(self, name, kind, function):
        code, said = self.memcheck("fast", name)
        self.assertEqual(code, 99, said)
        # the kind, and below it the way from the mistake to the task's first function
        self.assertRegex(said, rf"{kind}(\n.*at 0x.*malloc.*)?"
                               rf"\n.*: {function} \(valgrind_target\.c:\d+\)"
                               r"\n.*: mistaken \(valgrind_target\.c:\d+\)"
                               r"\n.*: task_main \(task\.c:\d+\)")

    def test_a_leak_in_a_task_is_found(self):
        self.mistake("leak", r"are definitely lost in loss record .*", "leak")

    def test_a_read_of_freed_memory_in_a_task_is_found(self):
        self.mistake("read", r"Invalid read of size 1", "read_freed")

    def test_an_undefined_value_stays_undefined_across_switches(self):
        self.mistake("undefined", r"Conditional jump or move depends on uninitialised value\(s\)",
                     "use_undefined")


if __name__ == "__main__":
    unittest.main()
