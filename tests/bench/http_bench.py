"""./dev bench http: what a request costs, and an idle connection.

Server on one CPU, wrk on the other, c=100, interleaved rounds, medians.  CPU
per request is what counts (user and system time of all the server's threads
by /proc/PID/task/*/schedstat): throughput would measure the client.
"""

import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = int(os.environ.get("ROUNDS", "15"))
SECONDS = int(os.environ.get("SECONDS_EACH", "1"))
IDLE = int(os.environ.get("IDLE", "15000"))
BIN = "build/release"
TARGET = (
    "/domain?url=https://www.google.com/search?q=Enhancement&aq=f"
    "&sugexp=chrome,mod=0&sourceid=chrome&ie=UTF-8"
)
PIPELINE = 16
CPUS = sorted(os.sched_getaffinity(0))


def pinned(cpu):
    return ["taskset", "-c", str(CPUS[cpu % len(CPUS)])]


def cpu_ns(pids):
    """User and system time so far of all threads of the processes."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total


class Server:
    """A server under test: its processes, its port, how it is asked to stop."""

    def __init__(self, name, argv, cpu=0):
        self.name = name
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(pinned(cpu) + argv, stdout=self.log, stderr=self.log)
        self.pids = [self.process.pid]
        self.port = None

    def output(self):
        return os.pread(self.log.fileno(), 1 << 16, 0).decode(errors="replace")

    def wait_for(self, pattern):
        for _ in range(500):
            found = re.search(pattern, self.output())
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        sys.exit(f"bench http: {self.name} did not start:\n{self.output()}")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def start_domaind(*flags):
    server = Server(
        "domaind",
        [f"{BIN}/bin/domaind", "--mode=coroutine", "--workers=1", "--listen=127.0.0.1:0", *flags],
    )
    server.port = int(server.wait_for(r"listening on \S*:(\d+)").group(1))
    server.wait_for("ready")
    return server


def start_floor(request_bytes, answer_path):
    server = Server("floor", [f"{BIN}/http_floor", str(request_bytes), answer_path])
    server.port = int(server.wait_for(r"(\d+)\n").group(1))
    return server


NGINX_CONF = """
daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log crit;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; default_type application/json;
  client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{body}'; }} }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_nginx(folder, body):
    port = free_port()
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w") as f:
        f.write(NGINX_CONF.format(dir=folder, port=port, body=body.strip()))
    server = Server("nginx", ["nginx", "-e", f"{folder}/error.log", "-c", conf])
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.01)
    else:
        sys.exit(f"bench http: nginx did not start:\n{server.output()}")
    children = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    with open(children) as f:
        server.pids += [int(pid) for pid in f.read().split()]
    server.port = port
    return server


def load(server, lua=None):
    """CPU microseconds per request under wrk."""
    script = ["-s", lua] if lua else []
    before = cpu_ns(server.pids)
    out = subprocess.run(
        pinned(1)
        + ["wrk", "-t1", "-c100", f"-d{SECONDS}s", *script, f"http://127.0.0.1:{server.port}{TARGET}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    spent = cpu_ns(server.pids) - before
    if "Socket errors" in out or "Non-2xx" in out:
        sys.exit(f"bench http: {server.name}: the load failed:\n{out}")
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    return spent / 1000 / requests


def read_answer(port, request):
    """The bytes of one answer, as they are on the wire."""
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += s.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        while len(body) < length:
            body += s.recv(65536)
    return head + b"\r\n\r\n" + body


def pss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"Pss:\s+(\d+)", f.read()).group(1)) * 1024


def idle_bytes():
    """PSS per idle keep-alive connection, each of which was served once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, hard - 1000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 1000, hard))
    server = start_domaind("--idle-timeout=600s")
    request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    read_answer(server.port, request)  # what the first request costs is not a connection's
    before = pss_bytes(server.process.pid)
    held = []
    for i in range(count):
        s = socket.socket()
        s.bind((f"127.0.0.{1 + i % 4}", 0))
        s.connect(("127.0.0.1", server.port))
        s.sendall(request)
        s.recv(4096)
        held.append(s)
    time.sleep(0.5)
    after = pss_bytes(server.process.pid)
    for s in held:
        s.close()
    server.stop()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return (after - before) / count, count


def main():
    if len(CPUS) < 2:
        sys.exit("bench http: needs two CPUs, one for the server and one for the client")
    request = f"GET {TARGET} HTTP/1.1\r\nHost: 127.0.0.1:00000\r\n\r\n".encode()
    domaind = start_domaind()
    with tempfile.TemporaryDirectory() as folder:
        answer = read_answer(domaind.port, request)
        answer_path = os.path.join(folder, "answer")
        with open(answer_path, "wb") as f:
            f.write(answer)
        lua = os.path.join(folder, "pipeline.lua")
        with open(lua, "w") as f:
            f.write(
                "init = function(args) local r = {} for i = 1, %d do r[i] = wrk.format() end\n"
                "  all = table.concat(r) end\nrequest = function() return all end\n" % PIPELINE
            )
        # wrk sends Host with the port; the ports have five digits each or the floor is off
        length = len(request) - 5 + len(str(domaind.port))
        floor = start_floor(length, answer_path)
        nginx = start_nginx(folder, answer.partition(b"\r\n\r\n")[2].decode())
        servers = [floor, domaind, nginx]
        if any(len(str(s.port)) != len(str(domaind.port)) for s in servers):
            sys.exit("bench http: ports of different lengths; run again")
        keepalive = {s.name: [] for s in servers}
        pipelined = {s.name: [] for s in servers}
        for _ in range(ROUNDS):
            for s in servers:
                keepalive[s.name].append(load(s))
            for s in servers:
                pipelined[s.name].append(load(s, lua))
        for s in servers:
            s.stop()

    def ratio(samples, other):
        return statistics.median(a / b for a, b in zip(samples["domaind"], samples[other]))

    for s in servers:
        print(f"http.keepalive_{s.name} {statistics.median(keepalive[s.name]):.2f} us")
    for s in servers:
        print(f"http.pipeline16_{s.name} {statistics.median(pipelined[s.name]):.3f} us")
    print(f"http.keepalive_vs_floor {ratio(keepalive, 'floor'):.3f} ratio")
    print(f"http.keepalive_vs_nginx {ratio(keepalive, 'nginx'):.3f} ratio")
    print(f"http.pipeline16_vs_floor {ratio(pipelined, 'floor'):.3f} ratio")
    per_connection, count = idle_bytes()
    print(f"http.idle {per_connection:.0f} bytes")
    print(f"http.idle_connections {count} connections")


if __name__ == "__main__":
    main()
