"""The life of a server in each mode: reload, drain under load, dying children, systemd."""

import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from domaind import BIN, PATIENCE_S, SANITIZE, Domaind, patiently, run, wait_until
from modes import SAMPLE, Connection, counter, each_mode, wait_till_read


# Between two requests of a client: where everything is slower, eight clients without a
# pause leave no CPU to what is tested.
PAUSE_S = 0.004 if SANITIZE else 0
HELLO = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
# A server that drains closes a connection over which no request has come for a second.
PROMPT_S = 0.5


class Load:
    """Clients that ask in a loop, over keep-alive connections that the server may end.

    A request that gets no answer on a connection that was used before is sent
    once more on a new one, as every HTTP client and proxy does for GET; what
    fails then has failed.  A client that was kept from sending for so long that the
    server may have taken its connection for an idle one proves nothing."""

    def __init__(self, port, clients=8, target="/livez", reuse=20):
        self.port, self.target, self.reuse = port, target, reuse
        self.answered = self.repeated = 0
        self.failures = []
        self.refused = 0
        self.is_stopping = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.is_stopping = True
        for thread in self.threads:
            thread.join(PATIENCE_S)

    def wait_for(self, count):
        """Until so many more are answered, or something has failed, which the test then finds."""
        goal = self.answered + count
        wait_until(lambda: self.answered >= goal or self.failures, lambda: f"{self.answered} answered")

    def run(self):
        while not self.is_stopping:
            began = time.monotonic()
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
            except OSError:
                with self.lock:
                    self.refused += 1
                time.sleep(0.02)
                continue
            self.use(connection, began)

    def use(self, connection, began):
        """Requests one after the other, as long as the connection goes on."""
        text = f"GET {self.target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        file = connection.makefile("rb")
        for number in range(self.reuse):
            if self.is_stopping:
                break
            line, is_prompt = b"", True
            try:
                connection.sendall(text)
                is_prompt = number > 0 or time.monotonic() - began < PROMPT_S
                line = file.readline()
                closes = self.finish(line, file) if line else True
                reason = "end of stream"
            except (OSError, EOFError) as error:
                closes, reason = True, f"{line}{error!r}"
            with self.lock:
                if line and reason == "end of stream":
                    self.answered += 1
                    if line.split()[1] != b"200":
                        self.failures.append(line.decode())
                elif line or (number == 0 and is_prompt):
                    self.failures.append(reason)
                else:
                    self.repeated += 1
            if closes:
                break
            time.sleep(PAUSE_S)
        connection.close()

    def finish(self, line, file):
        """Reads the rest of an answer; does the connection end with it?"""
        closes, length = False, 0
        while (field := file.readline()) != b"\r\n":
            if not line.endswith(b"\r\n") or not field.endswith(b"\r\n"):
                raise EOFError("in the head")
            name, value = field.decode().lower().split(":", 1)
            closes = closes or (name == "connection" and "close" in value)
            length = int(value) if name == "content-length" else length
        if len(file.read(length)) < length:
            raise EOFError("in the body")
        return closes


class Lifecycle(unittest.TestCase):
    @each_mode
    def test_a_drain_under_load_loses_no_request(self, mode):
        with Domaind(mode) as server, Load(server.port) as load:
            load.wait_for(100)
            self.assertEqual(server.stop(), 0)
            load.stop()
            self.assertEqual(load.failures, [])

    @each_mode
    def test_while_it_waits_to_drain_everything_is_served(self, mode):
        patiently(lambda scale: self.check_delay(mode, scale))

    def check_delay(self, mode, seconds):
        with Domaind(mode, f"--drain-delay={seconds}s") as server:
            self.assertEqual(server.get("/readyz")[0], 200)
            kept = Connection(server)
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: server.get("/readyz")[0] == 503)
            self.assertEqual(server.get("/livez")[0], 200)
            self.assertEqual(server.get(SAMPLE)[0], 200)
            kept.send(SAMPLE)  # as ever: the connection goes on
            status, headers = kept.receive()
            self.assertEqual((status, headers.get("connection")), (200, None))
            deadline, last = time.monotonic() + PATIENCE_S, (200, {})
            while last is not None and last[1].get("connection") is None:  # then it drains
                self.assertLess(time.monotonic(), deadline)
                self.assertEqual(last[0], 200)
                time.sleep(0.1)
                kept.send(SAMPLE)
                last = kept.receive()
            self.assertEqual(last and (last[0], last[1]["connection"]), (200, "close"))
            self.assertIsNone(kept.receive())
            kept.close()

    # a request that never ends, and no other limit than the one that is tested
    STUCK = ("--header-timeout=10m",)

    def stick(self, server):
        stuck = Connection(server)
        self.addCleanup(stuck.close)
        stuck.socket.sendall(b"GET /livez HTTP/1.1\r\nHost:")
        wait_till_read(server, stuck.socket)

    @each_mode
    def test_the_second_term_ends_at_once(self, mode):
        with Domaind(mode, *self.STUCK, "--drain-timeout=10m") as server:
            self.stick(server)
            server.process.send_signal(signal.SIGTERM)
            self.wait_for(lambda: "draining" in server.stderr)
            time.sleep(0.3)
            self.assertIsNone(server.process.poll())
            self.assertEqual(server.stop(), 0)

    @each_mode
    def test_the_drain_ends_at_its_timeout(self, mode):
        with Domaind(mode, *self.STUCK, "--drain-timeout=500ms") as server:
            self.stick(server)
            self.assertEqual(server.stop(), 0)
            self.assertIn("drain timeout", server.stderr)

    @each_mode
    def test_reload_takes_live_parameters_and_names_the_others(self, mode):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "domaind.conf"
            path.write_text("target-max = 8k\n")
            with Domaind(mode, f"--config={path}") as server:
                long = "/domain?url=http://x/" + "a" * 500
                self.assertEqual(server.get(long)[0], 200)
                path.write_text("target-max = 200\nbacklog = 7\n")
                self.reload(server)
                self.assertEqual(server.get(long)[0], 414)
                self.assertIn("backlog is taken at the next start only", server.stderr)
                path.write_text("target-max = nonsense\n")
                server.process.send_signal(signal.SIGHUP)
                self.wait_for(lambda: "stays as it was" in server.stderr)
                self.assertEqual(server.get(long)[0], 414)

    @each_mode
    def test_reloads_under_load_fail_no_request(self, mode):
        with Domaind(mode) as server, Load(server.port) as load:
            for _ in range(20):
                server.process.send_signal(signal.SIGHUP)
                time.sleep(0.05)
            self.wait_for(lambda: "reloaded" in server.stderr)
            load.stop()
            self.assertEqual(load.failures, [])
            self.assertEqual(load.repeated, 0)

    @each_mode
    def test_a_request_goes_by_the_limits_it_began_with(self, mode):
        """However many reloads come before its end."""
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            with Domaind(mode, f"--config={file.name}", "--body-timeout=10m", "--body-min-rate=0") as server:
                connection = Connection(server)
                fields = "Host: localhost\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n"
                connection.socket.sendall(f"POST /domain HTTP/1.1\r\n{fields}\r\nhttp://".encode())
                wait_till_read(server, connection.socket)
                for i in range(70):
                    file.seek(0)
                    file.write(f"header-max-count = {5000 + i}\n")
                    file.flush()
                    self.reload(server)
                many = "GET /livez HTTP/1.1\r\nHost: localhost\r\n" + 1000 * "A:\r\n" + "\r\n"
                connection.socket.sendall(b"a.com/\n" + many.encode())
                connection.socket.shutdown(socket.SHUT_WR)
                answers = connection.file.read()
                self.assertIn(b'"domain":"a.com"', answers)
                self.assertIn(b"HTTP/1.1 431 ", answers)
                connection.close()
                self.assertEqual(server.get("/livez")[0], 200)

    def reload(self, server):
        before = server.stderr.count("reloaded")
        server.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda: server.stderr.count("reloaded") > before)

    def wait_for(self, is_true):
        wait_until(is_true)


class Early(unittest.TestCase):
    """Signals that come while the server starts: held in its configuration by a pipe."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.fifo = f"{folder.name}/domaind.conf"

    def start(self, mode):
        pathlib.Path(self.fifo).unlink(missing_ok=True)
        os.mkfifo(self.fifo)
        process = subprocess.Popen(
            [BIN / "domaind", f"--mode={mode}", "--listen=127.0.0.1:0", f"--config={self.fifo}"],
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.stderr.close)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def open_fifo(self):
        """Its writing end, once the server reads."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)

    @each_mode
    def test_reload_and_reopen_wait_until_it_is_ready(self, mode):
        process = self.start(mode)
        fd = self.open_fifo()
        for signo in (signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT):
            process.send_signal(signo)
        os.unlink(self.fifo)
        pathlib.Path(self.fifo).write_text("target-max = 200\n")  # for the reload
        os.close(fd)
        lines = []
        while not lines or b"reloaded" not in lines[-1]:
            lines.append(process.stderr.readline())
            self.assertTrue(lines[-1], f"it ended: {lines}")
        self.assertTrue(any(b"ready" in line for line in lines), lines)
        process.terminate()
        self.assertEqual(process.wait(PATIENCE_S), 0)

    @each_mode
    def test_term_ends_a_start_that_hangs(self, mode):
        process = self.start(mode)
        fd = self.open_fifo()
        process.terminate()
        self.assertEqual(process.wait(PATIENCE_S), -signal.SIGTERM)
        os.close(fd)

    @each_mode
    def test_term_at_any_moment_of_the_start_leaves_nothing_behind(self, mode):
        with tempfile.TemporaryDirectory() as folder:
            for attempt in range(24):
                process = subprocess.Popen(
                    [BIN / "domaind", f"--mode={mode}", f"--listen=unix:{folder}/socket",
                     f"--pid-file={folder}/pid"],
                    stderr=subprocess.DEVNULL,
                )
                time.sleep(0.002 * attempt)
                process.terminate()
                self.assertIn(process.wait(PATIENCE_S), (0, -signal.SIGTERM))
                self.assertEqual(os.listdir(folder), [])


def children_of(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def state_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def kill_children(pids):
    """Until they are dead: while a child dies, it may still take a connection along."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        wait_until(lambda: state_of(pid) in ("gone", "Z", "X"), f"{pid} lives on")


class Prefork(unittest.TestCase):
    def test_killed_children_are_replaced_and_counters_never_fall(self):
        pattern = r'domaind_requests_total\{route="/livez"'
        with Domaind("prefork", "--min-spare=4") as server:
            counted = 0
            for _ in range(5):
                self.assertEqual(server.get("/livez")[0], 200)
                # a dead one is in the list until its master has taken note
                kill_children([pid for pid in children_of(server.pid) if state_of(pid) not in ("gone", "Z", "X")][:1])
                now = counter(server, pattern)
                self.assertGreaterEqual(now, counted + 1)
                counted = now
            wait_until(lambda: counter(server, "domaind_workers_died_total") >= 5)
            self.assertEqual(counter(server, "domaind_workers_died_total"), 5)
            wait_until(lambda: len(children_of(server.pid)) >= 4)

    def test_more_keep_alive_connections_than_children_all_get_served(self):
        with Domaind("prefork", "--children=4", "--min-spare=1", "--max-spare=4") as server:
            with Load(server.port, clients=16, reuse=1000000) as load:
                time.sleep(2)
                load.stop()
                self.assertEqual(load.failures, [])
            idle = [Connection(server) for _ in range(12)]
            for connection in idle:
                connection.send()
            for connection in idle:
                self.assertEqual(connection.receive()[0], 200)
            for connection in idle:  # open till here: none waited for another to be closed
                connection.close()

    def test_young_children_that_die_together_put_starts_off_once(self):
        """Not once for each of them, which would be ten seconds without a server."""
        def check(_):
            with Domaind("prefork", "--children=16", "--min-spare=16") as server:
                os.kill(server.pid, signal.SIGSTOP)  # so that it sees them all at once
                kill_children(children_of(server.pid))
                os.kill(server.pid, signal.SIGCONT)
                began = time.monotonic()
                self.assertEqual(server.get("/livez")[0], 200)
                self.assertLess(time.monotonic() - began, 8)

        patiently(check)

    def test_the_scoreboard_is_in_the_metrics(self):
        with Domaind("prefork", "--children=6", "--min-spare=2", "--max-spare=6") as server:
            held = Connection(server)
            held.send()
            held.receive()
            self.assertEqual(counter(server, r"domaind_children\{"), 6)
            pattern = r'domaind_children\{state="(keepalive|serving)"\}'

            def found():
                text = server.get("/metrics")[2].decode()
                return {state: int(n) for state, n in re.findall(pattern + r" (\d+)", text)}

            # the one held, and the one that asks
            wait_until(lambda: found() == {"keepalive": 1, "serving": 1}, found)
            held.close()

    def test_children_leave_when_the_master_is_killed(self):
        server = Domaind("prefork").__enter__()
        children = children_of(server.pid)
        self.assertTrue(children)
        server.kill()
        wait_until(lambda: not any(pathlib.Path(f"/proc/{child}").exists() for child in children))

    def test_children_with_clients_leave_when_the_master_is_killed(self):
        """A next server may want the address: no client's patience or eagerness holds it."""
        server = Domaind("prefork").__enter__()
        idle, eager = Connection(server), Connection(server)
        for connection in (idle, eager):
            connection.send()
            self.assertEqual(connection.receive()[0], 200)
        children = children_of(server.pid)
        eager.send()
        server.kill()
        try:
            while eager.receive() is not None:
                eager.send()
        except OSError:
            pass  # a reset, when it asked just as the connection ended
        wait_until(lambda: not any(pathlib.Path(f"/proc/{child}").exists() for child in children))
        idle.close()
        eager.close()

    def test_dead_children_are_noticed_whatever_the_starter_ignored(self):
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            server = Domaind("prefork").__enter__()
        finally:
            signal.signal(signal.SIGCHLD, before)
        os.kill(children_of(server.pid)[0], signal.SIGKILL)
        wait_until(lambda: counter(server, "domaind_workers_died_total") == 1)
        self.assertEqual(server.stop(), 0)


class Systemd(unittest.TestCase):
    @each_mode
    def test_says_when_it_is_ready_reloads_and_stops(self, mode):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/notify"
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bus:
                bus.bind(path)
                bus.settimeout(PATIENCE_S)
                env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}
                with Domaind(mode, env=env) as server:
                    self.expect(bus, "READY=1")
                    self.expect(bus, "WATCHDOG=1")
                    server.process.send_signal(signal.SIGHUP)
                    self.expect(bus, "RELOADING=1\nMONOTONIC_USEC=")
                    self.expect(bus, "READY=1")
                    server.process.send_signal(signal.SIGTERM)
                    self.expect(bus, "STOPPING=1")
                    bus.close()  # or what nobody reads any more could hold up its end

    def expect(self, bus, text):
        while text not in (got := bus.recv(4096).decode()):
            self.assertIn("WATCHDOG=1", got)

    @each_mode
    def test_serves_sockets_it_was_handed_and_hands_over_without_a_refusal(self, mode):
        """Two generations on one socket, as systemd restarts a service."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            port = listener.getsockname()[1]
            with Load(port, clients=4, reuse=10) as load:
                for _ in range(3):
                    process = self.start(mode, listener)
                    load.wait_for(30)
                    process.send_signal(signal.SIGTERM)
                    self.assertEqual(process.wait(PATIENCE_S), 0)
                last = self.start(mode, listener)
                load.wait_for(30)
                load.stop()
                last.terminate()
                self.assertEqual(last.wait(PATIENCE_S), 0)
                self.assertEqual(load.failures, [])
                self.assertEqual(load.refused, 0)

    def start(self, mode, listener):
        code = (
            "import os,sys; fd=int(sys.argv[1]); os.dup2(fd,3); os.set_inheritable(3,True);"
            "os.environ['LISTEN_PID']=str(os.getpid()); os.environ['LISTEN_FDS']='1';"
            "os.execv(sys.argv[2], sys.argv[2:])"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(listener.fileno()), BIN / "domaind", f"--mode={mode}"],
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            env={**os.environ, **Domaind.UNHURRIED},
        )
        self.addCleanup(process.stderr.close)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        while b"ready" not in (line := process.stderr.readline()):
            self.assertTrue(line, "it ended before it was ready")
        return process


class PidFile(unittest.TestCase):
    def test_is_written_and_removed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "domaind.pid"
            with Domaind("coroutine", f"--pid-file={path}") as server:
                self.assertEqual(int(path.read_text()), server.pid)
            self.assertFalse(path.exists())

    def test_one_left_by_a_crash_is_replaced_and_a_failing_start_leaves_anothers(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "domaind.pid"
            path.write_text("999999\n")
            with Domaind("coroutine", f"--pid-file={path}") as server:
                self.assertEqual(int(path.read_text()), server.pid)
                second = run("domaind", f"--pid-file={path}", f"--listen=127.0.0.1:{server.port}")
                self.assertEqual(second.returncode, 1)
                self.assertEqual(int(path.read_text()), server.pid)
            self.assertEqual(os.listdir(folder), [])

    def test_a_folder_that_is_not_there_is_named(self):
        with self.assertRaises(AssertionError) as caught:
            Domaind("coroutine", "--pid-file=/nowhere/domaind.pid").__enter__()
        self.assertIn("cannot write the pid file /nowhere/domaind.pid", str(caught.exception))


class User(unittest.TestCase):
    @each_mode
    def test_root_is_given_up_for_good(self, mode):
        if os.geteuid() != 0:
            return  # only root can become somebody else
        with Domaind(mode, "--user=nobody", "--admin-listen=127.0.0.1:0") as server:
            self.assertEqual(server.get("/livez")[0], 200)
            for pid in (server.pid, *children_of(server.pid)):
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                for line in status.splitlines():
                    if line.startswith(("Uid:", "Gid:")):
                        self.assertNotIn("0", line.split()[1:])
            self.assertEqual(server.stop(), 0)


class UnixSocket(unittest.TestCase):
    @each_mode
    def test_is_served_spread_and_drained(self, mode):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            with Domaind(mode, f"--listen=unix:{path},127.0.0.1:0", "--workers=2") as server:
                held = [self.connect(path) for _ in range(20)]
                for client in held:
                    client.sendall(HELLO)
                for client in held:
                    self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))
                self.assertEqual(server.stop(), 0)
                for client in held:
                    self.assertEqual(client.recv(4096), b"")
                    client.close()
            self.assertEqual(os.listdir(folder), [])

    @each_mode
    def test_what_is_queued_when_it_drains_is_answered(self, mode):
        """However long that takes: here the one worker has a slow client."""
        one = ("--children=1", "--min-spare=1", "--max-spare=1",
               "--max-threads=1", "--thread-overflow=wait", "--workers=1")
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            with Domaind(mode, f"--listen=unix:{path}", *one) as server:
                slow = self.connect(path)
                slow.sendall(HELLO)
                self.assertTrue(slow.recv(4096).startswith(b"HTTP/1.1 200"))
                slow.sendall(HELLO[:20])
                queued = self.connect(path)  # no sooner: the connection would take turns with it
                queued.sendall(HELLO)
                time.sleep(0.2)
                server.process.send_signal(signal.SIGTERM)
                time.sleep(0.5)  # longer than listeners stay open for nothing
                slow.sendall(HELLO[20:])
                for client in (slow, queued):
                    self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))
                    client.close()
                self.assertEqual(server.stop(), 0)

    def test_more_keep_alive_connections_than_children_all_get_served(self):
        flags = ("--children=2", "--min-spare=1", "--max-spare=2")
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            with Domaind("prefork", f"--listen=unix:{path}", *flags):
                clients = [self.connect(path) for _ in range(6)]
                for client in clients:
                    client.sendall(HELLO)
                for client in clients:
                    self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))
                for client in clients:  # open till here: none waited for another to be closed
                    client.close()

    def connect(self, path):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE_S)
        client.connect(path)
        return client

    @each_mode
    def test_a_next_server_may_take_the_path_while_the_last_one_drains(self, mode):
        with tempfile.TemporaryDirectory() as folder:
            flag = f"--listen=unix:{folder}/socket,127.0.0.1:0"
            with Domaind(mode, flag, "--header-timeout=10m", "--drain-timeout=10m") as server:
                stuck = Connection(server)
                stuck.socket.sendall(b"GET /livez HTTP/1.1\r\nHost:")
                wait_till_read(server, stuck.socket)
                server.process.send_signal(signal.SIGTERM)
                wait_until(lambda: not os.listdir(folder), "its socket stays")
                with Domaind(mode, flag) as following:
                    stuck.socket.sendall(b" x\r\n\r\n")
                    self.assertEqual(stuck.receive()[0], 200)
                    stuck.close()
                    self.assertEqual(server.stop(), 0)
                    self.assertEqual(os.listdir(folder), ["socket"])
                    self.assertEqual(following.stop(), 0)
            self.assertEqual(os.listdir(folder), [])


class Descriptors(unittest.TestCase):
    @each_mode
    def test_running_out_of_them_neither_spins_nor_lasts(self, mode):
        if mode == "prefork":
            return  # a child has one connection
        with Domaind(mode) as server:
            subprocess.run(["prlimit", f"--pid={server.pid}", "--nofile=40:40"], check=True)
            held = []
            for _ in range(60):
                held.append(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S))
            time.sleep(0.5)
            wait_until(lambda: is_calm(server.pid), "it spins")
            for connection in held:
                connection.close()
            self.assertEqual(server.get("/livez")[0], 200)
            wait_until(lambda: counter(server, "domaind_accept_failures_total") > 0)

    @each_mode
    def test_what_waits_for_one_when_it_drains_is_answered(self, mode):
        if mode == "prefork":
            return
        with Domaind(mode) as server:
            subprocess.run(["prlimit", f"--pid={server.pid}", "--nofile=40:40"], check=True)
            clients = [Connection(server) for _ in range(60)]
            for client in clients:
                client.send()
            some, _, _ = select.select([client.socket for client in clients], [], [], PATIENCE_S)
            self.assertTrue(some)  # and many have none
            server.process.send_signal(signal.SIGTERM)
            for client in clients:
                self.assertEqual(client.receive()[0], 200)
            self.assertEqual(server.stop(), 0)
            for client in clients:
                client.close()


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_calm(*pids):
    """Do they take less than a third of a CPU for a second?  What began before may go on once."""
    before = sum(map(cpu_of, pids))
    time.sleep(1)
    return sum(map(cpu_of, pids)) - before < 0.3


if __name__ == "__main__":
    unittest.main(verbosity=2)
