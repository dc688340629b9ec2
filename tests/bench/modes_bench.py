"""./dev bench modes: what a request costs in each mode of domaind, and in Apache.

Server on one CPU, wrk on the other, 32 kept connections, as many children where
there are children; interleaved rounds, medians.  CPU per request is user and
system time of all threads of all the server's processes.  Apache 2.4 with
mpm_prefork, no access log and no other modules than it needs, answers a file of
as many bytes as domaind answers: domaind takes a URL apart meanwhile.
"""

import os
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from domaind import MODES, Domaind
from http_bench import TARGET, cpu_ns, free_port, pinned, pss_bytes, read_answer
from lifecycle import children_of

Domaind.UNHURRIED = {}  # a bench is about the limits as they are by default

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS_EACH", "2"))
CONNECTIONS = 32
HELD = 5000  # connections at once in thread mode
CPUS = sorted(os.sched_getaffinity(0))
FLAGS = [f"--{name}={CONNECTIONS}" for name in ("children", "min-spare", "max-spare")]

APACHE_CONF = """
ServerRoot {dir}
ServerName localhost
DefaultRuntimeDir {dir}
PidFile {dir}/pid
ErrorLog {dir}/error.log
Listen 127.0.0.1:{port}
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
User nobody
Group nogroup
StartServers {children}
MinSpareServers {children}
MaxSpareServers {children}
ServerLimit {children}
MaxRequestWorkers {children}
KeepAlive On
KeepAliveTimeout 600
MaxKeepAliveRequests 0
DocumentRoot {dir}/www
<Directory />
  AllowOverride None
  Require all granted
</Directory>
"""


class Apache:
    def __init__(self, folder, body):
        self.port = free_port()
        os.chmod(folder, 0o755)
        www = pathlib.Path(folder, "www")
        www.mkdir()
        (www / "domain").write_bytes(body)
        conf = pathlib.Path(folder, "apache.conf")
        conf.write_text(APACHE_CONF.format(dir=folder, port=self.port, children=CONNECTIONS))
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*pinned(0), "apache2", "-DFOREGROUND", "-f", str(conf)], stdout=self.log, stderr=self.log,
            start_new_session=True,  # told to end it ends its whole process group
        )
        self.pid = self.process.pid
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        sys.exit("bench modes: apache2 did not start:\n" + os.pread(self.log.fileno(), 65536, 0).decode())

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def start_domaind(mode):
    os.sched_setaffinity(0, {CPUS[0]})
    try:
        return Domaind(mode, *FLAGS).__enter__()
    finally:
        os.sched_setaffinity(0, set(CPUS))


def processes(server):
    return [server.pid, *children_of(server.pid)]


def switches(pids):
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/status") as file:
                total += sum(int(n) for n in re.findall(r"ctxt_switches:\s*(\d+)", file.read()))
    return total


def load(name, server):
    """CPU microseconds and context switches per request under wrk."""
    pids = processes(server)
    before, switched = cpu_ns(pids), switches(pids)
    out = subprocess.run(
        pinned(1) + ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", f"http://127.0.0.1:{server.port}{TARGET}"],
        capture_output=True, text=True, check=True,
    ).stdout
    if "Socket errors" in out or "Non-2xx" in out:
        sys.exit(f"bench modes: {name}: the load failed:\n{out}")
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    return (cpu_ns(pids) - before) / 1000 / requests, (switches(pids) - switched) / requests


def ask(connection):
    connection.sendall(b"GET /domain?url=http://a.example.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection.recv(4096).startswith(b"HTTP/1.1 200")


def hold_connections():
    """How many connections thread mode answers while all stay open; the memory each takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(HELD + 1000, hard), hard))
    held, answered = [], 0
    with Domaind("thread") as server:
        before = pss_bytes(server.pid)
        for i in range(HELD):
            held.append(socket.socket())
            held[-1].settimeout(20)
            held[-1].bind((f"127.0.0.{1 + i % 4}", 0))
            held[-1].connect(("127.0.0.1", server.port))
        for _ in range(2):
            answered = sum(ask(each) for each in held)
        memory = pss_bytes(server.pid) - before
        for each in held:
            each.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return answered, memory / HELD


def main():
    if len(CPUS) < 2:
        sys.exit("bench modes: needs two CPUs, one for the server and one for the client")
    servers = {mode: start_domaind(mode) for mode in MODES}
    request = f"GET {TARGET} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    cpu, switched = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        body = read_answer(servers["prefork"].port, request).partition(b"\r\n\r\n")[2]
        servers["apache"] = Apache(folder, body)
        if len(read_answer(servers["apache"].port, request).partition(b"\r\n\r\n")[2]) != len(body):
            sys.exit("bench modes: apache2 answers something else")
        for _ in range(ROUNDS):
            for name, server in servers.items():
                us, count = load(name, server)
                cpu.setdefault(name, []).append(us)
                switched.setdefault(name, []).append(count)
        for server in servers.values():
            server.stop()
    for name in servers:
        print(f"modes.{name}_cpu {statistics.median(cpu[name]):.2f} us")
        print(f"modes.{name}_switches {statistics.median(switched[name]):.3f} per request")
    ratio = statistics.median(a / b for a, b in zip(cpu["prefork"], cpu["apache"]))
    print(f"modes.prefork_vs_apache {ratio:.3f} ratio")
    answered, memory = hold_connections()
    print(f"modes.thread_connections {answered} connections")
    print(f"modes.thread_connection_memory {memory:.0f} bytes")


if __name__ == "__main__":
    main()
