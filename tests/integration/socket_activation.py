"""Sockets that systemd holds: started by the first connection, replaced without a refused one.

systemd-socket-activate opens the socket; a shell in systemd's place starts one
generation of the server after the other on it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from domaind import BIN, PATIENCE_S, Domaind
from fleet import free_ports
from lifecycle import Load
from modes import SAMPLE, Connection, each_mode

TOOL = shutil.which("systemd-socket-activate")

# A line on stdin starts a generation, when the one before has ended.
SUPERVISOR = """
while read -r line; do
    (export LISTEN_PID=$BASHPID; exec "$@") &
    wait $!
    echo "generation ended with $?" >&2
done
"""


class Activated:
    def __init__(self, mode, *flags):
        (self.port,) = free_ports(1)
        self.mode = mode
        passed_on = [f"-E{name}={value}" for name, value in Domaind.UNHURRIED.items()]
        self.command = [TOOL, "-l", f"127.0.0.1:{self.port}", *passed_on, "/bin/bash", "-c", SUPERVISOR, "bash",
                        BIN / "domaind", f"--mode={mode}", *flags]

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log)
        self.wait_for("Listening on")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        for pid in self.generations()[-1:]:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.log.close()

    @property
    def said(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors="replace")

    def wait_for(self, text, times=1, seconds=PATIENCE_S):
        deadline = time.monotonic() + seconds
        while self.said.count(text) < times:
            assert time.monotonic() < deadline and self.process.poll() is None, self.said
            time.sleep(0.01)

    def generations(self):
        return [int(pid) for pid in re.findall(r"domaind: ready \(mode \w+, pid (\d+)\)", self.said)]

    def begin(self):
        self.process.stdin.write(b"start\n")
        self.process.stdin.flush()

    def replace(self):
        """As systemctl restart: the old one drains, then the next one starts."""
        before = len(self.generations())
        os.kill(self.generations()[-1], signal.SIGTERM)
        self.begin()
        self.wait_for("domaind: ready", before + 1)


class SocketActivation(unittest.TestCase):
    @each_mode
    def test_replaced_under_load_without_a_refusal(self, mode):
        with Activated(mode) as server:
            server.begin()  # the first connection lets it happen
            with Load(server.port, clients=6, reuse=20, target=SAMPLE) as load:
                server.wait_for("domaind: ready")
                for _ in range(4):
                    load.wait_for(50)
                    server.replace()
                load.wait_for(50)
                load.stop()
            self.assertEqual((load.failures, load.refused), ([], 0))
            self.assertEqual(len(server.generations()), 5)
            self.assertEqual(server.said.count("generation ended with 0"), 4)
            self.assertEqual(server.said.count("error"), 0)

    def test_one_socket_serves_several_event_loops(self):
        with Activated("coroutine", "--workers=3") as server:
            server.begin()
            held = [Connection(server) for _ in range(30)]  # most before it runs
            self.addCleanup(lambda: [connection.close() for connection in held])
            for connection in held:
                connection.send()
                self.assertEqual(connection.receive()[0], 200)
            asking = Domaind()
            asking.port = server.port
            spread = re.findall(r'domaind_worker_connections\{worker="\d"\} (\d+)', asking.get("/metrics")[2].decode())
            self.assertEqual(len(spread), 3)
            self.assertEqual(sum(map(int, spread)), 31)
            self.assertTrue(all(10 <= int(n) <= 11 for n in spread), spread)

    @each_mode
    def test_its_own_list_of_addresses_is_not_used(self, mode):
        with Activated(mode, "--listen=127.0.0.1:0") as server:
            server.begin()
            connection = Connection(server)
            connection.send()
            self.assertEqual(connection.receive()[0], 200)
            connection.close()
            server.wait_for("domaind: ready")
            self.assertEqual(server.said.count("domaind: listening on"), 1)


if __name__ == "__main__":
    if TOOL is None:
        print("not here: systemd-socket-activate (package systemd); nothing was tested", flush=True)
        sys.exit(0)
    unittest.main(verbosity=2)
