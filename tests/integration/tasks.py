"""GET /tasks, and the report on SIGQUIT."""

import json
import re
import signal
import socket
import time
import unittest

from domaind import PATIENCE_S, Domaind, wait_until
from lifecycle import children_of
from modes import Connection


class Tasks(unittest.TestCase):
    def test_lists_every_task_of_every_worker(self):
        with Domaind("coroutine", "--workers=2") as server:
            def all_loops():
                """None while one of them is kept from answering at once."""
                status, _, body = server.get("/tasks?format=json")
                self.assertEqual(status, 200)
                loops = json.loads(body)["loops"]
                self.assertGreaterEqual(len(loops), 2)
                return None if any(loop["busy"] for loop in loops) else loops

            loops = wait_until(all_loops, "a loop is busy")
            tasks = [task for loop in loops for task in loop["tasks"]]
            frames = [frame["function"] for task in tasks for frame in task["stack"]]
            self.assertTrue(any(task.get("wait") for task in tasks))
            self.assertIn("co_accept", frames)
            self.assertIn("endpoint_tasks", frames)  # the one that asks
            self.assertTrue(all(task["site"]["line"] > 0 for task in tasks))

    def test_lists_idle_connections(self):
        with Domaind("coroutine", "--workers=1") as server:
            idle = socket.create_connection(("127.0.0.1", server.port))
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            idle.recv(4096)
            peer = "%s:%d" % idle.getsockname()[:2]

            def peers():
                loops = json.loads(server.get("/tasks?format=json")[2])["loops"]
                return [fd["peer"] for loop in loops for fd in loop.get("parked", ())]

            wait_until(lambda: peer in peers(), peers)
            wait_until(lambda: f"parked, peer {peer}, age ".encode() in server.get("/tasks")[2], peer)
            idle.close()

    def test_text_and_refusals(self):
        with Domaind("coroutine") as server:
            status, headers, body = server.get("/tasks")
            self.assertEqual(status, 200)
            self.assertIn("text/plain", headers["content-type"])
            self.assertIn(b"spawned at", body)
            self.assertEqual(server.get("/tasks?format=xml")[0], 400)
            self.assertEqual(server.get("/tasks", headers={"X-Forwarded-For": "10.0.0.1"})[0], 403)

    def test_prefork_lists_its_children(self):
        with Domaind("prefork", "--min-spare=3", "--admin-listen=127.0.0.1:0") as server:
            held = Connection(server)
            held.send("/domain?url=http://example.com/")
            held.receive()
            port = int(re.search(r"administrators: listening on \S*:(\d+)", server.stderr).group(1))
            server.port = port
            kept, deadline = [], time.monotonic() + PATIENCE_S
            while not kept:  # a moment after its answer
                self.assertLess(time.monotonic(), deadline)
                children = json.loads(server.get("/tasks?format=json")[2])["children"]
                kept = [c for c in children if c["state"] == "keepalive"]
            self.assertGreaterEqual(len(children), 3)
            self.assertLess({c["pid"] for c in children}, set(children_of(server.pid)))  # and one for administrators
            (one,) = kept
            self.assertEqual((one["connections"], one["turns"]), (1, 2))
            self.assertEqual(one["request"], "GET /domain?url=http://example.com/ HTTP/1.1")
            text = server.get("/tasks")[2].decode()
            self.assertRegex(text, rf"{one['pid']}  keepalive +\d+\.\d+ +1 +2  GET /domain")
            metrics = server.get("/metrics")[2].decode()
            self.assertIn('domaind_children{state="keepalive"} 1\n', metrics)
            held.close()

    def test_a_child_lists_its_family_too(self):
        with Domaind("prefork", "--min-spare=3") as server:
            report = json.loads(server.get("/tasks?format=json")[2])
            self.assertEqual(report["loops"], [])
            (one,) = [c for c in report["children"] if c["state"] == "serving"]
            self.assertEqual(one["request"], "GET /tasks?format=json HTTP/1.1")

    def test_other_modes_have_none(self):
        with Domaind("thread") as server:
            status, _, body = server.get("/tasks?format=json")
            self.assertEqual((status, json.loads(body)), (200, {"loops": []}))

    def test_quit_prints_the_report_and_serving_goes_on(self):
        with Domaind("coroutine") as server:
            server.process.send_signal(signal.SIGQUIT)
            wait_until(lambda: "spawned at" in server.stderr, lambda: server.stderr)
            self.assertEqual(server.get("/livez")[0], 200)


if __name__ == "__main__":
    unittest.main()
