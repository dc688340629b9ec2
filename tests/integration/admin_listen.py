"""The administrators' own listener: it answers when every worker is busy."""

import copy
import os
import pathlib
import re
import signal
import tempfile
import threading
import unittest

from domaind import Domaind, patiently, wait_until
from lifecycle import children_of, state_of
from modes import counter, each_mode

BUSY = ["--test-endpoints", "--workers=1", "--children=2", "--min-spare=1", "--max-spare=2"]
BUSY += ["--max-threads=2", "--thread-overflow=wait"]


def admin_port(server):
    return int(re.search(r"for administrators: listening on \S*:(\d+)", server.stderr).group(1))


def ask(server, port, target):
    main, server.port = server.port, port
    try:
        return server.get(target)
    finally:
        server.port = main


class AdminListen(unittest.TestCase):
    @each_mode
    def test_the_routes_are_there_and_only_there(self, mode):
        with Domaind(mode, "--admin-listen=127.0.0.1:0") as server:
            admin = admin_port(server)
            self.assertEqual(server.get("/metrics")[0], 404)
            self.assertEqual(server.get("/livez")[0], 200)
            self.assertEqual(server.get("/domain?url=http://example.com/")[0], 200)
            self.assertEqual(ask(server, admin, "/readyz")[0], 200)
            self.assertEqual(ask(server, admin, "/domain?url=http://example.com/")[0], 404)
            text = ask(server, admin, "/metrics")[2].decode()
            self.assertIn('domaind_requests_total{route="/domain",status="200"} 1\n', text)

    @each_mode
    def test_its_log_is_opened_again(self, mode):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "access.log")
            with Domaind(mode, "--admin-listen=127.0.0.1:0", f"--access-log={log}") as server:
                admin = admin_port(server)
                self.assertEqual(ask(server, admin, "/tasks")[0], 200)
                wait_until(lambda: "/tasks" in log.read_text())
                log.rename(f"{log}.1")
                server.process.send_signal(signal.SIGUSR1)
                wait_until(log.exists)

                def is_noted():
                    self.assertEqual(ask(server, admin, "/tasks")[0], 200)
                    return "/tasks" in log.read_text()

                wait_until(is_noted)

    @each_mode
    def test_it_answers_while_every_worker_is_busy(self, mode):
        patiently(lambda scale: self.check_busy(mode, 2500 * scale))

    def check_busy(self, mode, ms):
        with Domaind(mode, "--admin-listen=127.0.0.1:0", *BUSY) as server:
            admin = copy.copy(server)
            admin.port = admin_port(server)
            held = [
                threading.Thread(target=server.get, args=(f"/test/block?ms={ms}",)) for _ in range(2)
            ]

            def serving():
                return counter(admin, 'domaind_connections\\{state="serving"\\}')

            before = serving()
            for thread in held:
                thread.start()
            # one loop has one at once
            at_once = 1 if mode == "coroutine" else 2
            wait_until(lambda: serving() == before + at_once, "they are not busy")
            self.assertEqual(admin.get("/livez")[0], 200)
            self.assertEqual(admin.get("/metrics")[0], 200)
            self.assertTrue(all(thread.is_alive() for thread in held))
            for thread in held:
                thread.join()

    def test_the_process_that_answers_is_replaced(self):
        with Domaind("prefork", "--admin-listen=127.0.0.1:0") as server:
            admin = admin_port(server)
            asked = copy.copy(server)
            asked.port = admin
            livez = r'domaind_requests_total\{route="/livez"'
            for _ in range(3):
                self.assertEqual(asked.get("/livez")[0], 200)
            self.assertEqual(counter(asked, livez), 3)

            def named():
                for child in children_of(server.pid):
                    with open(f"/proc/{child}/comm") as comm:
                        if comm.read() == "domaind-admin\n":
                            return child
                return None

            pid = wait_until(named, "none has that name")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: state_of(pid) == "gone")
            self.assertEqual(asked.get("/livez")[0], 200)
            self.assertEqual(counter(asked, livez), 4)  # what the one before it counted is there


if __name__ == "__main__":
    unittest.main(verbosity=2)
