"""Too little of something: descriptors, room on the disk, rights; and workers that are lost."""

import ctypes
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from domaind import BIN, PATIENCE_S, Domaind, wait_until
from lifecycle import children_of, is_calm
from modes import Connection, counter, each_mode


def limited(soft, hard=None):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard or soft))


def start(*flags, stderr=None, **kwargs):
    return subprocess.run([BIN / "domaind", *flags], capture_output=stderr is None, text=True, timeout=PATIENCE_S,
                          check=False, stderr=stderr, **kwargs)


class FewDescriptors(unittest.TestCase):
    @each_mode
    def test_a_start_with_too_few_says_what_to_do(self, mode):
        for most in (6, 8, 10, 13, 16):
            with self.subTest(most=most):
                ended = start(f"--mode={mode}", "--workers=4", "--listen=127.0.0.1:0", preexec_fn=limited(most))
                self.assertEqual(ended.returncode, 1)
                self.assertRegex(ended.stderr, rf"^domaind: error: {most} open descriptors are allowed, and this "
                                 r"configuration takes \d+, .* raise the limit \(ulimit -n, LimitNOFILE=.*\)\n$")

    @each_mode
    def test_what_it_asks_for_is_enough_to_serve(self, mode):
        for more in ((), ("--admin-listen=127.0.0.1:0", "--access-log=/dev/null"), ("--listen=127.0.0.1:0",)):
            flags = (f"--mode={mode}", "--workers=3", "--listen=127.0.0.1:0", *more)
            ended = start(*flags, preexec_fn=limited(6))
            takes = int(re.search(r"takes (\d+)", ended.stderr).group(1))
            server = Domaind(mode, *flags[1:])
            resource_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
            with self.subTest(more=more, takes=takes), tempfile.TemporaryFile() as said:
                process = subprocess.Popen([BIN / "domaind", *flags], stdout=said, stderr=said,
                                           preexec_fn=limited(takes))
                try:
                    deadline = time.monotonic() + PATIENCE_S
                    while b"ready" not in (text := os.pread(said.fileno(), 65536, 0)):
                        self.assertIsNone(process.poll(), text)
                        self.assertLess(time.monotonic(), deadline)
                        time.sleep(0.01)
                    server.port = int(re.search(rb"listening on \S*:(\d+)", text).group(1))
                    held = [Connection(server) for _ in range(3)]
                    for connection in held:
                        connection.send()
                        self.assertEqual(connection.receive()[0], 200)
                        connection.close()
                finally:
                    process.terminate()
                    self.assertEqual(process.wait(PATIENCE_S), 0)
            self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), resource_limit)

    def test_the_soft_limit_is_raised(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen([BIN / "domaind", "--listen=127.0.0.1:0"], stderr=said, preexec_fn=limited(64, hard))
            try:
                wait_until(lambda: b"ready" in os.pread(said.fileno(), 65536, 0), "it is not ready")
                self.assertEqual(resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0], hard)
            finally:
                process.terminate()
                self.assertEqual(process.wait(PATIENCE_S), 0)


class NoDescriptorLeft(unittest.TestCase):
    # a leak checker would need descriptors of its own at the end
    ENV = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}

    def exhaust(self, *pids):
        """Room for standard streams alone, from now on."""
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    def processes(self, server):
        return [server.pid, *children_of(server.pid)]

    @each_mode
    def test_term_is_obeyed(self, mode):
        with Domaind(mode, "--min-spare=3", env=self.ENV) as server:
            held = Connection(server)
            held.send()
            held.receive()
            self.exhaust(*self.processes(server))
            held.send()  # what is connected is served
            self.assertEqual(held.receive()[0], 200)
            held.close()
            self.assertEqual(server.stop(), 0)

    @each_mode
    def test_a_reload_that_cannot_read_changes_nothing(self, mode):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("target-max = 200\n")
            file.flush()
            with Domaind(mode, f"--config={file.name}", env=self.ENV) as server:
                held = Connection(server)
                held.send()
                held.receive()
                self.exhaust(*self.processes(server))
                server.process.send_signal(signal.SIGHUP)
                wait_until(lambda: "stays as it was" in server.stderr, lambda: server.stderr)
                self.assertIn(f"{file.name}: Too many open files", server.stderr)
                held.send("/" + "a" * 300)
                self.assertEqual(held.receive()[0], 414)
                held.close()

    def test_prefork_children_without_descriptors_wait_and_do_not_spin(self):
        with Domaind("prefork", "--children=4", "--min-spare=4", "--max-spare=4", "--admin-listen=127.0.0.1:0") as server:
            port = server.port
            server.port = int(re.search(r"administrators: listening on \S*:(\d+)", server.stderr).group(1))
            # one that is not idle yet would have none to begin with
            wait_until(lambda: counter(server, r'domaind_children\{state="idle"\}') == 4, "they do not come")
            children = [child["pid"] for child in json.loads(server.get("/tasks?format=json")[2])["children"]]
            self.exhaust(*children)
            server.port, admin_port = port, server.port
            held = [Connection(server) for _ in range(4)]
            server.port = admin_port
            wait_until(lambda: counter(server, "domaind_accept_failures_total") > 0, "none has tried")
            wait_until(lambda: is_calm(*children), "they spin")
            for pid in children:
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))
            for connection in held:
                connection.send()
                self.assertEqual(connection.receive()[0], 200)
                connection.close()


class FullDisk(unittest.TestCase):
    @each_mode
    def test_logs_that_cannot_be_written_hold_up_nobody(self, mode):
        with open("/dev/full", "wb") as full, tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            process = subprocess.Popen([BIN / "domaind", f"--mode={mode}", f"--listen=unix:{path}",
                                        "--access-log=/dev/full"], stdout=full, stderr=full)
            try:
                deadline = time.monotonic() + PATIENCE_S
                while True:
                    client = socket.socket(socket.AF_UNIX)
                    client.settimeout(PATIENCE_S)
                    try:
                        client.connect(path)
                    except OSError:
                        client.close()
                        self.assertLess(time.monotonic(), deadline)
                        time.sleep(0.05)
                        continue
                    break
                client.sendall(b"GET /domain?url=http://a.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))
                client.close()
                process.send_signal(signal.SIGUSR1)
                process.send_signal(signal.SIGHUP)
            finally:
                process.terminate()
                self.assertEqual(process.wait(PATIENCE_S), 0)

    def test_a_pid_file_that_does_not_fit_is_an_error(self):
        if os.geteuid() != 0:
            return
        with tempfile.TemporaryDirectory() as folder:
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "none", folder],
                                     capture_output=True, check=False)
            if mounted.returncode != 0:
                print("cannot mount a tmpfs here; the full disk was not tried", flush=True)
                return
            try:
                pathlib.Path(folder, "last").touch()
                ended = start("--listen=127.0.0.1:0", f"--pid-file={folder}/pid")
                self.assertEqual(ended.returncode, 1)
                self.assertIn(f"cannot write the pid file {folder}/pid: No space left on device", ended.stderr)
                self.assertEqual(os.listdir(folder), ["last"])
            finally:
                subprocess.run(["umount", folder], check=True)


class Rights(unittest.TestCase):
    def as_nobody(self, *flags):
        return start(*flags, preexec_fn=lambda: os.setresuid(65534, 65534, 65534))

    def test_only_root_becomes_another_user(self):
        if os.geteuid() != 0 or not os.access(BIN, os.X_OK):
            return
        ended = self.as_nobody("--listen=127.0.0.1:0", "--user=daemon")
        if ended.returncode == 126:
            return  # the build is not for everybody's eyes
        self.assertEqual(ended.returncode, 1)
        self.assertIn("cannot become user 'daemon': only root may; leave user out, or start as root", ended.stderr)
        self.assertEqual(ended.stderr.count("\n"), 1)

    @each_mode
    def test_the_log_and_the_port_are_opened_with_the_rights_they_need(self, mode):
        """The port as root, the log as the one who will open it again."""
        if os.geteuid() != 0:
            return
        with tempfile.TemporaryDirectory() as folder:
            ended = start(f"--mode={mode}", "--listen=127.0.0.1:0", "--user=nobody", f"--access-log={folder}/log")
            self.assertEqual(ended.returncode, 1)
            self.assertIn(f"cannot write the access log {folder}/log: Permission denied", ended.stderr)


class LostWorker(unittest.TestCase):
    def test_an_event_loop_that_loses_its_listener_ends_the_server(self):
        """Cleanly, and not with success: whoever supervises starts it again."""
        if not hasattr(os, "pidfd_open"):
            return
        server = Domaind("coroutine", "--workers=2").__enter__()
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        held = Connection(server)
        held.send()
        held.receive()
        pidfd = os.pidfd_open(server.pid)
        libc = ctypes.CDLL(None, use_errno=True)
        for name in os.listdir(f"/proc/{server.pid}/fd"):
            fd = libc.syscall(438, pidfd, int(name), 0)  # pidfd_getfd
            if fd < 0:
                continue
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                with socket.socket(fileno=fd) as copy:
                    if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        copy.shutdown(socket.SHUT_RDWR)
                        break
            else:
                os.close(fd)
        os.close(pidfd)
        self.assertEqual(server.process.wait(PATIENCE_S), 1)
        self.assertIn("error: cannot accept connections any more: Invalid argument\n", server.stderr)
        self.assertIn("error: a worker was lost: ending, to be started again\n", server.stderr)
        held.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
