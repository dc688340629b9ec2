"""What every mode does alike: serve, refuse a taken port, drain, count."""

import ctypes
import fcntl
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

from domaind import BIN, MODES, PATIENCE_S, Domaind, run, wait_until

SAMPLE = "/domain?url=https://www.google.com/search?q=Enhancement&aq=f"


def each_mode(test, modes=MODES):
    """Run the test once for each mode."""

    def in_modes(self):
        for mode in modes:
            with self.subTest(mode=mode):
                test(self, mode)

    return in_modes


def counter(server, pattern):
    """The sum of the metrics whose line matches."""
    text = server.get("/metrics")[2].decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(pattern, line))


def wait_till_stopped(pids):
    """SIGSTOP reaches the threads of a process one by one, after kill() has returned."""
    for pid in pids:
        for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
            wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T",
                       f"{stat.parent} does not stop")


def sockets_at(port):
    """(port of the peer, state, bytes that nobody has read yet) of each socket of 127.0.0.1:port."""
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, peer, state, queues, *_ = line.split()
        if local == f"0100007F:{port:04X}":
            yield int(peer.split(":")[1], 16), int(state, 16), int(queues.split(":")[1], 16)


def wait_till_read(server, client):
    """Until the server has all that was sent to it over this socket."""
    own = client.getsockname()[1]
    wait_until(lambda: (own, 1, 0) in sockets_at(server.port), "the server does not read")


def wait_till_draining(server):
    """Until it no longer listens: what it is sent now, it is sent while it drains."""
    wait_until(lambda: 10 not in [state for _, state, _ in sockets_at(server.port)], "it listens on")


def enter_network_without_ipv6():
    """In a child before its program runs: a network of its own, with the loopback alone."""
    clone_newnet, get_flags, set_flags, is_up = 0x40000000, 0x8913, 0x8914, 1
    ipv6 = pathlib.Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
    try:
        if ctypes.CDLL(None).unshare(clone_newnet) != 0:
            raise PermissionError
        if ipv6.exists():  # else there is none anyway
            ipv6.write_text("1")
    except OSError:
        os.write(2, b"no such network\n")
        os._exit(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        name, flags = struct.unpack("16sh", fcntl.ioctl(s, get_flags, struct.pack("16sh", b"lo", 0)))
        fcntl.ioctl(s, set_flags, struct.pack("16sh", name, flags | is_up))


class Connection:
    """One raw keep-alive connection."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
        self.file = self.socket.makefile("rb")

    def send(self, target="/livez", extra=""):
        self.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n".encode())

    def receive(self):
        """(status, headers), the body read and dropped; None at end of stream."""
        line = self.file.readline()
        if not line:
            return None
        headers = {}
        while (field := self.file.readline().strip()) != b"":
            name, value = field.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        self.file.read(int(headers.get("content-length", 0)))
        return int(line.split()[1]), headers

    def close(self):
        self.file.close()
        self.socket.close()


class Modes(unittest.TestCase):
    @each_mode
    def test_answers_the_sample(self, mode):
        with Domaind(mode) as server:
            status, headers, body = server.get(SAMPLE)
            self.assertEqual(status, 200)
            self.assertEqual(headers["Content-Type"], "application/json")
            self.assertIn(b'"domain":"www.google.com"', body)
            self.assertIn(b'"registrable":"google.com"', body)

    @each_mode
    def test_keeps_a_connection_and_counts_its_requests(self, mode):
        with Domaind(mode) as server:
            connection = Connection(server)
            for _ in range(50):
                connection.send(SAMPLE)
                self.assertEqual(connection.receive()[0], 200)
            connection.close()
            pattern = r'domaind_requests_total\{route="/domain",status="200"\}'
            self.assertEqual(counter(server, pattern), 50)

    @each_mode
    def test_serves_many_connections_at_once(self, mode):
        with Domaind(mode) as server:
            connections = [Connection(server) for _ in range(60)]
            for connection in connections:
                connection.send(SAMPLE)
            for connection in connections:
                self.assertEqual(connection.receive()[0], 200)
                connection.close()

    @each_mode
    def test_a_taken_port_is_refused_in_one_line(self, mode):
        with Domaind(mode) as server:
            second = run("domaind", f"--mode={mode}", f"--listen=127.0.0.1:{server.port}")
            self.assertEqual(second.returncode, 1)
            self.assertIn("the address is in use", second.stderr)
            self.assertEqual(second.stderr.count("\n"), 1)
            self.assertEqual(server.get("/livez")[0], 200)

    @each_mode
    def test_an_idle_connection_does_not_hold_up_the_end(self, mode):
        with Domaind(mode, "--drain-timeout=10m", "--idle-timeout=10m") as server:
            idle = Connection(server)
            idle.send()
            self.assertEqual(idle.receive()[0], 200)
            self.assertEqual(server.stop(), 0)
            self.assertIsNone(idle.receive())
            idle.close()

    @each_mode
    def test_a_request_in_flight_is_finished(self, mode):
        with Domaind(mode, "--header-timeout=10m", "--drain-timeout=10m") as server:
            connection = Connection(server)
            connection.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: local")
            wait_till_read(server, connection.socket)
            stopper = threading.Thread(target=server.stop)
            stopper.start()
            wait_till_draining(server)
            connection.socket.sendall(b"host\r\n\r\n")
            status, headers = connection.receive()
            self.assertEqual(status, 200)
            self.assertEqual(headers["connection"], "close")
            stopper.join()
            connection.close()

    @each_mode
    def test_a_connection_reset_in_the_queue_is_not_served(self, mode):
        """Its address is gone, so it must not count as a peer that has none (a UNIX socket's)."""
        with Domaind(mode, "--admin-allow=127.0.0.1,unix") as server:
            children = pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
            pids = [server.pid, *map(int, children.split())]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                wait_till_stopped(pids)
                connection = Connection(server)
                connection.send()
                linger = struct.pack("ii", 1, 0)
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.close()
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
            aborted = r'domaind_connections_closed_total\{reason="aborted"\}'
            wait_until(lambda: counter(server, aborted) > 0, "it is not counted")
            self.assertEqual(counter(server, aborted), 1)
            self.assertEqual(counter(server, r'domaind_requests_total\{route="/livez"'), 0)

    @each_mode
    def test_listens_on_several_addresses(self, mode):
        with Domaind(mode, "--listen=127.0.0.1:0,127.0.0.1:0") as server:
            ports = re.findall(r"listening on \S*:(\d+)", server.stderr)
            self.assertEqual(len(set(ports)), 2)
            for port in ports:
                server.port = int(port)
                self.assertEqual(server.get("/livez")[0], 200)

    @each_mode
    def test_starts_without_ipv6(self, mode):
        """Its default addresses are of both families."""
        server = subprocess.Popen([BIN / "domaind", f"--mode={mode}"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  preexec_fn=enter_network_without_ipv6)
        said = ""
        for line in server.stderr:
            said += line
            if "ready" in line or "no such network" in line:
                break
        server.terminate()
        said += server.communicate()[1]
        if "no such network" in said:
            self.skipTest("making a network takes root")
        self.assertEqual(server.returncode, 0, said)
        self.assertIn("listening on 127.0.0.1:8080\n", said)


class Listeners(unittest.TestCase):
    def test_one_with_a_queue_does_not_starve_the_others(self):
        one = {"thread": ["--max-threads=1", "--thread-overflow=wait"],
               "prefork": ["--children=1", "--min-spare=1", "--max-spare=1"]}
        patient = f"--header-timeout={PATIENCE_S}s"
        for mode, flags in one.items():
            with self.subTest(mode=mode), tempfile.NamedTemporaryFile("r") as log, \
                    Domaind(mode, "--listen=127.0.0.1:0,127.0.0.1:0", f"--access-log={log.name}", patient, *flags) as server:
                ports = [int(port) for port in re.findall(r"listening on \S*:(\d+)", server.stderr)]
                server.port = ports[0]
                clients = []
                for name in ("a0", "a1", "a2", "b0"):
                    client = socket.create_connection(("127.0.0.1", ports[name[0] == "b"]), PATIENCE_S)
                    self.addCleanup(client.close)
                    clients.append(client)
                    client.sendall(f"GET /domain?url=http://{name}.com/ HTTP/1.1\r\nHost: h\r\n".encode())
                    if name == "a0":
                        wait_till_read(server, client)  # the only worker is with it: the others queue
                for client in clients[::-1]:
                    client.sendall(b"Connection: close\r\n\r\n")
                for client in clients:
                    self.assertIn(b"200 OK", client.makefile("rb").read())
                wait_until(lambda: pathlib.Path(log.name).read_text().count("\n") == 4, "it is not logged")
                self.assertEqual(re.findall(r"http://(\w+)\.com", pathlib.Path(log.name).read_text()),
                                 ["a0", "b0", "a1", "a2"])


class Limits(unittest.TestCase):
    def test_threads_beyond_the_maximum_are_refused_and_come_back(self):
        with Domaind("thread", "--max-threads=2") as server:
            held = [Connection(server) for _ in range(2)]
            for connection in held:
                connection.send()
                self.assertEqual(connection.receive()[0], 200)
            third = Connection(server)
            third.send()
            status, headers = third.receive()
            self.assertEqual((status, headers["retry-after"]), (503, "1"))
            third.close()
            for connection in held:
                connection.close()
            wait_until(lambda: server.get("/livez")[0] == 200, "nobody is let in any more")

    def test_ctrl_c_says_so_in_the_exit_code(self):
        server = Domaind("coroutine").__enter__()
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.process.wait(PATIENCE_S), 130)

    def test_the_spread_over_event_loops_is_in_the_metrics(self):
        with Domaind("coroutine", "--workers=2") as server:
            held = [Connection(server) for _ in range(40)]
            for connection in held:
                connection.send()
                connection.receive()
            for worker in (0, 1):
                line = f'domaind_worker_connections\\{{worker="{worker}"\\}}'
                self.assertGreater(counter(server, line), 5)
            for connection in held:
                connection.close()


class CommandLine(unittest.TestCase):
    def test_usage_errors_say_what_to_do(self):
        for flag, message in (
            ("--chidlren=3", "unknown flag --chidlren; did you mean --children?"),
            ("--mode=fast", "--mode=fast: expected one of coroutine|thread|prefork"),
            ("8080", "unexpected argument '8080'"),
        ):
            with self.subTest(flag=flag):
                ended = run("domaind", flag)
                self.assertEqual(ended.returncode, 2)
                self.assertIn(message, ended.stderr)
                self.assertEqual(ended.stdout, "")

    def test_output_that_cannot_be_written_is_a_failure(self):
        for flag in ("--help", "--version", "--print-config", "--check"):
            with self.subTest(flag=flag), open("/dev/full", "wb") as full:
                ended = subprocess.run([BIN / "domaind", flag], stdout=full, stderr=subprocess.PIPE, check=False)
                self.assertEqual(ended.returncode, 1)
                self.assertIn(b"cannot write: No space left on device", ended.stderr)

    def test_closed_standard_descriptors_are_not_given_to_sockets(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            command = f'exec "$0" --listen=unix:{path} 0<&- 1>&- 2>&-'
            process = subprocess.Popen(["/bin/sh", "-c", command, BIN / "domaind"])
            try:
                wait_until(lambda: os.path.exists(path), "it does not listen")
                self.assertEqual({os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)}, {"/dev/null"})
            finally:
                process.terminate()
                self.assertEqual(process.wait(PATIENCE_S), 0)

    def test_help_and_version_go_to_stdout(self):
        for flag, word in (("--help", "--listen=ADDRESS"), ("--version", "domaind 0.")):
            with self.subTest(flag=flag):
                ended = run("domaind", flag)
                self.assertEqual((ended.returncode, ended.stderr), (0, ""))
                self.assertIn(word, ended.stdout)

    def test_a_missing_suffix_list_is_named(self):
        for flag in ("--listen=127.0.0.1:0", "--check"):
            with self.subTest(flag=flag):
                ended = run("domaind", "--suffix-list=/nowhere/list.dat", flag)
                self.assertEqual(ended.returncode, 78)
                self.assertIn("/nowhere/list.dat", ended.stderr)
                self.assertEqual(ended.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
