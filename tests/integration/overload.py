"""More work than can be done: refused at once, with the rest done as ever."""

import copy
import json
import re
import subprocess
import tempfile
import threading
import time
import unittest

from domaind import BIN, Domaind, patiently, wait_until
from lifecycle import children_of, kill_children
from modes import Connection, counter, each_mode


class Overload(unittest.TestCase):
    def ask_at_once(self, server, count, target):
        connections = [Connection(server) for _ in range(count)]
        for connection in connections:
            connection.send(target)
        answers = [connection.receive() for connection in connections]
        for connection in connections:
            connection.close()
        return answers

    @each_mode
    def test_in_flight_max_refuses_the_excess(self, mode):
        patiently(lambda scale: self.check_in_flight_max(mode, 700 * scale))

    def check_in_flight_max(self, mode, ms):
        with Domaind(mode, "--test-endpoints", "--in-flight-max=4", "--min-spare=16") as server:
            answers = self.ask_at_once(server, 12, f"/test/wait?ms={ms}")
            refused = [headers for status, headers in answers if status == 503]
            self.assertEqual(sum(status == 200 for status, _ in answers), 4)
            self.assertEqual(len(refused), 8)
            self.assertTrue(all(headers["retry-after"] == "1" for headers in refused))
            self.assertEqual(self.ask_at_once(server, 1, "/test/wait?ms=1")[0][0], 200)

    @each_mode
    def test_queue_delay_max_refuses_what_waited(self, mode):
        patiently(lambda scale: self.check_queue_delay_max(mode, 100 * scale))

    def check_queue_delay_max(self, mode, ms):
        flags = ["--test-endpoints", f"--queue-delay-max={ms}ms", "--workers=1", "--children=1"]
        flags += ["--min-spare=1", "--max-spare=1", "--max-threads=1", "--thread-overflow=wait"]
        with Domaind(mode, *flags) as server:
            held = [threading.Thread(target=server.get, args=(f"/test/block?ms={3 * ms}",)) for _ in range(3)]
            for thread in held:
                thread.start()
                time.sleep(ms / 1000)
            # some of those are late already, but one alone may be chance
            waited = Connection(server)
            waited.send("/domain?url=http://example.com/")
            status, headers = waited.receive()
            self.assertEqual((status, headers["retry-after"]), (503, "1"))
            for thread in held:
                thread.join()
            waited.close()
            wait_until(lambda: server.get("/domain?url=http://example.com/")[0] == 200, "503 for ever")

    @each_mode
    def test_twice_what_can_be_done(self, mode):
        patiently(lambda scale: self.check_twice(mode, 1500 * scale))

    def check_twice(self, mode, ms):
        flags = ["--test-endpoints", "--workers=1", "--queue-delay-max=50ms", "--running-max=4"]
        with Domaind(mode, *flags, "--admin-listen=127.0.0.1:0") as server, tempfile.NamedTemporaryFile() as file:
            load = subprocess.Popen(
                [BIN / "loadgen", "-q", "-c64", "-R2000", f"-d{ms}ms", f"--json={file.name}",
                 f"http://127.0.0.1:{server.port}/test/cpu?ms=3"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            time.sleep(ms / 2000)
            admin = copy.copy(server)
            admin.port = int(re.search(r"administrators: listening on \S*:(\d+)", server.stderr).group(1))
            self.assertEqual(admin.get("/livez")[0], 200)
            self.assertEqual(server.get("/livez")[0], 200)
            load.wait()
            with open(file.name) as text:
                result = json.load(text)["result"]
            statuses, outcomes = result["statuses"], result["outcomes"]
            self.assertEqual(result["sent"], sum(outcomes.values()), outcomes)
            self.assertEqual(set(statuses), {"200", "503"})
            for gauge in ("running", "waiting", "in_flight"):  # of what nobody waits for any more, too
                wait_until(lambda: counter(admin, f"domaind_requests_{gauge} ") == 0, gauge)
            refused = counter(admin, "domaind_requests_refused_total")
            # whoever went before the answer came does not know it
            unknown = result["sent"] - sum(statuses.values())
            self.assertTrue(statuses["503"] <= refused <= statuses["503"] + unknown, (refused, result))
            wait_until(lambda: server.get("/test/cpu?ms=3")[0] == 200, "503 for ever")

    def test_connections_beyond_the_children_take_turns(self):
        patiently(self.check_turns)

    def check_turns(self, scale):
        flags = ["--children=32", "--admin-listen=127.0.0.1:0"]
        with Domaind("prefork", *flags) as server, tempfile.NamedTemporaryFile() as file:
            subprocess.run(
                [BIN / "loadgen", "-q", "-c150", f"-d{2 * scale}s", "--timeout=60s", f"--json={file.name}",
                 f"http://127.0.0.1:{server.port}/domain?url=http://a.example.com/"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
            )
            with open(file.name) as text:
                result = json.load(text)["result"]
            outcomes = result["outcomes"]
            # all got their turn, and were told before their connection ended
            self.assertGreater(result["connects"], 150)
            self.assertEqual(outcomes["timeout"], 0)
            # who is kept from asking for 20 ms counts as idle: a loadgen that waits for a CPU proves nothing
            if result["own_wait"] < 0.02:
                self.assertLess(outcomes["closed"] + outcomes["reset"], 0.02 * outcomes["ok"], outcomes)

    def test_waiting_takes_no_place_to_compute(self):
        for mode in ("thread", "prefork"):
            for target in ("/test/wait", "/test/block"):
                with self.subTest(mode=mode, target=target):
                    patiently(lambda scale: self.check_waiting(mode, target, scale))

    def check_waiting(self, mode, target, seconds):
        with Domaind(mode, "--test-endpoints", "--running-max=1") as server:
            began = time.monotonic()
            answers = self.ask_at_once(server, 5, f"{target}?ms={1000 * seconds}")
            self.assertEqual([status for status, _ in answers], [200] * 5)
            self.assertLess(time.monotonic() - began, 4 * seconds)

    def test_a_killed_child_gives_its_place_back(self):
        flags = ["--test-endpoints", "--running-max=1", "--min-spare=2"]
        with Domaind("prefork", *flags) as server:
            for _ in range(3):
                connection = Connection(server)
                connection.send("/test/cpu?ms=60000")
                wait_until(lambda: counter(server, "domaind_requests_running ") == 1, "it does not run")
                kill_children(children_of(server.pid))
                self.assertEqual(server.get("/test/cpu?ms=1")[0], 200)
                connection.close()

    def test_a_killed_child_gives_its_share_back(self):
        flags = ["--test-endpoints", "--in-flight-max=1", "--min-spare=2"]
        with Domaind("prefork", *flags) as server:
            connection = Connection(server)
            connection.send("/test/block?ms=60000")
            wait_until(lambda: counter(server, "domaind_requests_in_flight ") == 1, "it is not in work")
            self.assertEqual(server.get("/test/wait?ms=1")[0], 503)
            kill_children(children_of(server.pid))
            wait_until(lambda: server.get("/test/wait?ms=1")[0] == 200, "503 for ever")
            connection.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
