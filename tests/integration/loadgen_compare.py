"""loadgen compare: starts the modes itself, says what it measured, leaves nothing running."""

import json
import os
import signal
import subprocess
import tempfile
import unittest

from domaind import BIN, PATIENCE_S, SANITIZE, Domaind, run, wait_until

QUICK = ["compare", "-c", "5", "-d", "200ms", "--warmup", "60ms", "--rounds", "2"]
# The last -d counts: for when the machine gives a short block no CPU at all.
PATIENT = [*QUICK, "-d", "2s"]
LONG_S = 300

# In the environment of what this test starts, to tell its servers from others'.
MARK = f"DOMAIND_TEST_MARK={os.getpid()}"
os.environ.update([MARK.split("=")])


def servers():
    """The processes of the domaind under test that this test has started, by whatever way."""
    program, found = os.path.realpath(BIN / "domaind"), set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe") == program:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if MARK.encode() in file.read().split(b"\0"):
                        found.add(int(pid))
        except OSError:
            pass  # ended meanwhile, a kernel thread, or somebody else's
    return found


def sees_something(result):
    """Has every candidate a block with requests?"""
    return all(max(b["requests_per_s"] or 0 for b in c["blocks"]) > 0
               for c in result["comparisons"][0]["candidates"])


def idle_open(result):
    """The numbers of idle connections that stood in the blocks of the second comparison."""
    return {b["idle_open"] for b in result["comparisons"][1]["candidates"][0]["blocks"]}


class CompareTest(unittest.TestCase):
    def test_three_modes(self):
        with tempfile.TemporaryDirectory() as folder:
            path, page = os.path.join(folder, "c.json"), os.path.join(folder, "c.html")
            for how in (QUICK, PATIENT):
                done = run("loadgen", *how, "--json", path, "--html", page, timeout=LONG_S)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                with open(path) as file:
                    result = json.load(file)
                if sees_something(result):
                    break
            self.assertGreater(os.path.getsize(page), 10000)
        comparison = result["comparisons"][0]
        self.assertEqual([c["name"] for c in comparison["candidates"]], ["coroutine", "thread", "prefork"])
        places = []
        for candidate in comparison["candidates"]:
            self.assertEqual(len(candidate["blocks"]), 2)
            for block in candidate["blocks"]:
                places.append(block["place"])
                self.assertTrue(block["counted"])
            # a single short block may see nothing when the machine gives it no CPU
            for value, least in (("requests_per_s", 0), ("cpu_us", 0), ("pss_bytes", 100_000)):
                self.assertGreater(max(b[value] or 0 for b in candidate["blocks"]), least, value)
            for part in ("closed", "open"):
                self.assertEqual(candidate[part]["sent"], sum(candidate[part]["outcomes"].values()))
        self.assertEqual(sorted(places), list(range(6)))
        processes = {c["name"]: max(b["processes"] for b in c["blocks"]) for c in comparison["candidates"]}
        self.assertEqual((processes["coroutine"], processes["thread"]), (1, 1))
        self.assertGreater(processes["prefork"], 2)
        self.assertIn("no winner can be named", done.stdout)  # two blocks prove nothing

    def test_a_report_of_several_scenarios(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "c.json")
            for how in (QUICK, PATIENT):
                args = ["--modes=coroutine,thread", "--scenario=tiny,idle", "--json", path]
                done = run("loadgen", *how, *args, timeout=LONG_S)
                if "use a longer -d" in done.stderr:
                    continue
                with open(path) as file:
                    result = json.load(file)
                if idle_open(result) == {1000}:
                    break
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual([c["scenario"] for c in result["comparisons"]], ["tiny", "idle"])
        for comparison in result["comparisons"]:
            for ranking in comparison["rankings"]:
                # two blocks each: those that nobody beats are all, or there is a reason
                self.assertTrue(ranking.get("leaders") or ranking.get("why"), ranking)
            for candidate in comparison["candidates"]:
                for block in candidate["blocks"]:
                    self.assertLessEqual(block["answered"], 1)
        self.assertEqual(idle_open(result), {1000})

    @unittest.skipIf(SANITIZE, "minutes with a sanitizer, and the same code as the other comparisons")
    def test_scenarios_with_test_routes(self):
        args = ["--modes=coroutine,thread", "--scenario=cpu,upstream,mixed,body,churn"]
        done = run("loadgen", *QUICK, *args, timeout=LONG_S)
        if "use a longer -d" in done.stderr:
            done = run("loadgen", *PATIENT, *args, timeout=LONG_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for name in ("cpu", "upstream", "mixed", "body", "churn"):
            self.assertRegex(done.stdout, rf"(?m)^{name}: ")
        self.assertNotIn("status", done.stdout)
        summary = done.stdout.partition("\nwho leads")[2]
        self.assertEqual([line.split()[0] for line in summary.splitlines()[2:]],
                         ["cpu", "upstream", "mixed", "body", "churn"])

    def test_running_servers(self):
        with Domaind("coroutine") as a, Domaind("thread") as b:
            targets = [f"--target={n}=http://127.0.0.1:{s.port}/livez,{s.pid}" for n, s in (("a", a), ("b", b))]
            done = run("loadgen", *QUICK, *targets, timeout=LONG_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("cores shared", done.stdout)

    def test_interrupt_stops_the_servers(self):
        process = subprocess.Popen([BIN / "loadgen", "compare", "-c", "5", "--modes=prefork,thread"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(servers, "it starts none")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 130, out + err)
        self.assertEqual(servers(), set())

    def test_death_stops_the_servers(self):
        process = subprocess.Popen([BIN / "loadgen", "compare", "-c", "5", "--modes=prefork,prefork"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(servers, "it starts none")
        process.kill()
        process.wait()
        wait_until(lambda: not servers(), servers)

    def test_a_server_that_does_not_start(self):
        done = run("loadgen", *QUICK, "--server-flag=--no-such-flag")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no-such-flag", done.stderr)
        done = run("loadgen", *QUICK, "--domaind=/nonexistent/domaind")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "cannot run /nonexistent/domaind: No such file")

    def test_scenarios_are_listed(self):
        done = run("loadgen", "compare", "--scenario=list")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(done.stdout.splitlines()), 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
