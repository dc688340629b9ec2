"""The administrators' own listener: it answers when every worker is busy."""

import os
import re
import signal
import threading
import time
import unittest

from domaind import Domaind
from lifecycle import children_of
from modes import each_mode

BUSY = ["--test-endpoints", "--workers=1", "--children=2", "--min-spare=1", "--max-spare=2"]
BUSY += ["--max-threads=2", "--thread-overflow=wait"]


def admin_port(server):
    return int(re.search(r"for administrators: listening on \S*:(\d+)", server.stderr).group(1))


def ask(server, port, target):
    main, server.port = server.port, port
    try:
        return server.get(target, timeout=5)
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
    def test_it_answers_while_every_worker_is_busy(self, mode):
        with Domaind(mode, "--admin-listen=127.0.0.1:0", *BUSY) as server:
            admin = admin_port(server)
            held = [
                threading.Thread(target=server.get, args=("/test/block?ms=2500",)) for _ in range(2)
            ]
            for thread in held:
                thread.start()
                time.sleep(0.3)
            began = time.monotonic()
            self.assertEqual(ask(server, admin, "/livez")[0], 200)
            self.assertEqual(ask(server, admin, "/metrics")[0], 200)
            self.assertLess(time.monotonic() - began, 1.5)
            for thread in held:
                thread.join()

    def test_the_process_that_answers_is_replaced(self):
        with Domaind("prefork", "--admin-listen=127.0.0.1:0") as server:
            admin = admin_port(server)
            names = {}
            for child in children_of(server.pid):
                with open(f"/proc/{child}/comm") as comm:
                    names[comm.read().strip()] = child
            os.kill(names["domaind-admin"], signal.SIGKILL)
            time.sleep(1.5)
            self.assertEqual(ask(server, admin, "/livez")[0], 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
