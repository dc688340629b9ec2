"""HTTP/1.1 over real sockets, the same in every mode: the conformance table,
smuggling pairs, deadlines, what the OpenAPI description promises."""

import gzip
import json
import re
import socket
import time
import unittest

from domaind import MODES, PATIENCE_S, ROOT, Domaind, wait_until

TABLE = ROOT / "tests" / "lib" / "conformance.txt"
ROUTES = ROOT / "server" / "routes.def"
ESCAPE = re.compile(r"\\\{(\d+)\*(.)\}|\\x([0-9a-f]{2})|\\(.)")
PLAIN = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


def unescape(text):
    def one(match):
        times, char, code, plain = match.groups()
        if times:
            return char * int(times)
        return chr(int(code, 16)) if code else PLAIN[plain]

    return ESCAPE.sub(one, text).encode("latin-1")


def table():
    """(line number, statuses, is closed, bytes) of each row."""
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            _, verdict, data = line.split(" | ", 2)
            statuses, how = verdict.split()
            yield number, [int(s) for s in statuses.split(",")], how == "close", unescape(data)


class Reader:
    """Answers from a socket, one by one."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""

    def more(self):
        piece = self.sock.recv(65536)
        self.data += piece
        return bool(piece)

    def answer(self):
        """(status, lower-case headers, body), or None at the end of the stream."""
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                if self.data:
                    raise AssertionError(f"cut short: {self.data!r}")
                return None
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        status = int(lines[0].split()[1])
        if headers.get("transfer-encoding") == "chunked":
            return status, headers, self.chunks()
        length = int(headers.get("content-length", 0))
        while len(self.data) < length:
            if not self.more():
                raise AssertionError("body cut short")
        body, self.data = self.data[:length], self.data[length:]
        return status, headers, body

    def chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.data:
                if not self.more():
                    raise AssertionError("chunks cut short")
            size, _, self.data = self.data.partition(b"\r\n")
            size = int(size, 16)
            while len(self.data) < size + 2:
                if not self.more():
                    raise AssertionError("chunk cut short")
            body += self.data[:size]
            self.data = self.data[size + 2 :]
            if size == 0:
                return body


def dial(server):
    return socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)


def send_cut(sock, data, at):
    """Send in two pieces; a server that has refused the first may be gone."""
    try:
        sock.sendall(data[:at])
        if at:
            time.sleep(0.002)
            sock.sendall(data[at:])
        else:
            sock.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def is_closed(sock):
    """Has the server ended the connection?  (It may still linger for our end.)"""
    sock.settimeout(PATIENCE_S)
    return sock.recv(1) == b""


# A client that was kept waiting must still find its answer: it ends the connection itself.
LINGER = "--linger-timeout=60s"


class Conformance(unittest.TestCase):
    def check_row(self, server, row, cut):
        number, statuses, is_close, data = row
        with dial(server) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            send_cut(sock, data, cut)
            reader = Reader(sock)
            got = []
            for _ in statuses:
                answer = reader.answer()
                while answer is not None and answer[0] == 100:
                    answer = reader.answer()
                got.append(answer and answer[0])
            self.assertEqual(got, statuses, f"conformance.txt:{number} cut at {cut}")
            if is_close:
                self.assertEqual(reader.data, b"", f"conformance.txt:{number}: more came")
                self.assertTrue(is_closed(sock), f"conformance.txt:{number}")
            else:  # the connection must still serve, and in step
                sock.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Request-Id: probe\r\n\r\n")
                status, headers, _ = reader.answer()
                self.assertEqual((status, headers["x-request-id"]), (200, "probe"), number)

    def test_table(self):
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode, LINGER) as server:
                for row in table():
                    self.check_row(server, row, 0)
                    self.check_row(server, row, len(row[3]) // 2)


class Smuggling(unittest.TestCase):
    """Two requests in one stream; the second must never be seen when the first is refused."""

    FIRST = (
        b"POST /domain HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /domain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /domain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"POST /domain HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 80\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nX: y\r\n z: Content-Length: 80\r\n\r\n",
        b"POST /domain HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5;\n\r\nhello\r\n0\r\n\r\n",
        b"GET /livez?a=1\r\nX: HTTP/1.1\r\nHost: a\r\n\r\n",
    )

    def test_pairs(self):
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode, LINGER) as server:
                for first in self.FIRST:
                    with dial(server) as sock:
                        sock.sendall(first + b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Request-Id: evil\r\n\r\n")
                        reader = Reader(sock)
                        status, headers, _ = reader.answer()
                        self.assertIn(status, (400, 501), first)
                        self.assertEqual(headers["connection"], "close")
                        self.assertTrue(is_closed(sock), first)
                        self.assertEqual(reader.data, b"")

    def test_no_byte_of_ours_is_echoed_raw(self):
        with Domaind() as server:
            for target in ("/domain?url=%0d%0aSet-Cookie:%20a=b", "/domain?url=x&format=%0d%0aX:y"):
                status, headers, body = server.get(target)
                self.assertGreaterEqual(status, 400)
                self.assertIsNone(headers["set-cookie"])
                self.assertNotIn(b"\r", body)


class Deadlines(unittest.TestCase):
    FLAGS = (
        "--header-timeout=400ms",
        "--body-timeout=400ms",
        "--body-min-rate=1000000",
        "--linger-timeout=200ms",
    )

    def drip(self, server, head, drop):
        """Send `drop` every 50 ms until the server ends the connection: all it said."""
        with dial(server) as sock:
            sock.sendall(head)
            sock.settimeout(0.05)
            data = b""
            start = time.monotonic()
            while time.monotonic() - start < PATIENCE_S:
                try:
                    sock.sendall(drop)
                    piece = sock.recv(65536)
                    data += piece
                    if not piece:
                        return data
                except TimeoutError:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    return data
            raise AssertionError(f"still open: {data!r}")

    def test_slow_clients(self):
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode, *self.FLAGS) as server:
                self.assertIn(b" 408 ", self.drip(server, b"GET /livez HTTP/1.1\r\n", b"X: y\r\n"))
                stream = b"POST /domain HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"
                said = self.drip(server, stream, b"x")  # its answer may have begun: then it is cut
                body = said.partition(b"\r\n\r\n")[2]
                self.assertTrue(b" 408 " in said or not body.endswith(b"0\r\n\r\n"), said)
                status, _, _ = server.get("/livez")
                self.assertEqual(status, 200)

    def test_idle_clients(self):
        """Closed without a word."""
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode, "--idle-timeout=400ms") as server:
                # who was kept from asking for so long has been idle, too
                wait_until(lambda: self.is_closed_after_its_answer(server), "it gets no answer")

    def is_closed_after_its_answer(self, server):
        with dial(server) as sock:
            try:
                sock.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
                reader = Reader(sock)
                answer = reader.answer()
            except OSError:
                return False
            if answer is None:
                return False
            self.assertEqual(answer[0], 200)
            self.assertTrue(is_closed(sock))
            return True


def alike(headers, other):
    """The same fields, but for what is made anew for each answer."""
    own = {"date", "x-request-id", "x-profile-snapshot", "content-length"}
    a, b = ({k.lower(): v for k, v in h.items() if k.lower() not in own} for h in (headers, other))
    return a == b


class Behaviour(unittest.TestCase):
    def test_head_is_get_without_its_body(self):
        targets = ["/", "/openapi.json", "/livez", "/readyz", "/metrics", "/tasks", "/profile", "/nothing", "/domain"]
        targets += ["/domain?url=http://a.com/", "/domain?url=http://a.com/&format=text", "/domain?url=//", "/debug/pprof/"]
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode) as server:
                for target in targets:
                    for asked in ({}, {"Accept-Encoding": "gzip"}, {"Accept": "text/html"}):
                        got = server.get(target, headers=asked)
                        head = server.request("HEAD", target, headers=asked)
                        self.assertEqual((head[0], head[2]), (got[0], b""), target)
                        self.assertTrue(alike(head[1], got[1]), f"{target}: {head[1]} {got[1]}")
                        self.assertEqual("content-length" in head[1], "content-length" in got[1], target)

    def test_reports_are_compressed_and_domains_are_not(self):
        with Domaind() as server:
            for target, is_packed in (("/metrics", True), ("/openapi.json", True), ("/domain?url=http://" + 2000 * "a.", False)):
                _, headers, body = server.get(target, headers={"Accept-Encoding": "gzip"})
                self.assertEqual(headers["content-encoding"], "gzip" if is_packed else None, target)
                if is_packed:
                    self.assertGreater(len(gzip.decompress(body)), 1024)
                    self.assertIn("Accept-Encoding", headers.get_all("vary"))

    def test_what_may_be_stored(self):
        with Domaind() as server:
            _, headers, _ = server.get("/domain?url=http://a.com/")
            self.assertEqual((headers["cache-control"], headers["vary"]), ("public, max-age=3600", "Accept"))
            self.assertIsNone(server.get("/domain?url=//")[1]["cache-control"])

    def test_a_refused_head_is_answered_as_asked(self):
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode) as server, dial(server) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nAccept: text/plain\r\nX-Request-Id: mine\r\nX : y\r\n\r\n")
                status, headers, body = Reader(sock).answer()
                self.assertEqual((status, headers["content-type"]), (400, "text/plain; charset=utf-8"))
                self.assertEqual(headers["x-request-id"], "mine")
                self.assertTrue(body.startswith(b"400 Bad Request: "))

    def test_other_origins(self):
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode, "--cors-origin=https://app.example") as server:
                for method, target in (("GET", "/domain?url=http://a.com/"), ("GET", "/nothing"), ("OPTIONS", "/domain")):
                    headers = server.request(method, target)[1]
                    self.assertEqual(headers["access-control-allow-origin"], "https://app.example", target)
                asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
                headers = server.request("OPTIONS", "/domain", headers=asked)[1]
                self.assertIn("POST", headers["access-control-allow-methods"])
        with Domaind() as server:  # off until it is asked for
            self.assertIsNone(server.get("/livez", headers={"Origin": "https://app.example"})[1]["access-control-allow-origin"])


class Description(unittest.TestCase):
    """What /openapi.json says is what is."""

    def test_every_path(self):
        with Domaind() as server:
            spec = json.loads(server.get("/openapi.json")[2])
            self.assertTrue(spec["openapi"].startswith("3.1"))
            listed = {re.sub(r"/\*$", "/{name}", path) for path in re.findall(r'ROUTE\("(/[^"]*)"', ROUTES.read_text())}
            listed = {path for path in listed if not path.startswith(("/test/", "/profile/web/"))}
            self.assertEqual(set(spec["paths"]), listed)
            for template, methods in spec["paths"].items():
                path = template.replace("{name}", "cmdline")
                allowed = server.request("OPTIONS", path)[1]["allow"].lower().split(", ")
                for method in methods.keys() & {"get", "post"}:
                    self.assertIn(method, allowed, path)
                    self.check_call(server, path, method, methods[method])

    def test_refusals(self):
        """429 and 503 as described; what HTTP refuses is the default."""
        with Domaind("coroutine", "--requests-per-address=1", "--connections-max=20") as server:
            spec = json.loads(server.get("/openapi.json")[2])
            described = spec["components"]["responses"]
            for path, methods in spec["paths"].items():
                for operation in methods.values():
                    self.assertEqual(operation["responses"]["default"]["$ref"], "#/components/responses/Refused", path)
            statuses = {}

            def ask_at_once():
                """Many, to be one second's."""
                with dial(server) as sock:
                    sock.sendall(20 * b"GET /domain?url=http://a.com/ HTTP/1.1\r\nHost: a\r\n\r\n")
                    reader = Reader(sock)
                    for _ in range(20):
                        status, headers, body = reader.answer()
                        statuses[status] = headers
                        if status == 429:
                            self.assertEqual(set(json.loads(body)), {"type", "title", "status", "detail", "request_id"})
                return set(statuses) == {200, 429}

            wait_until(ask_at_once, statuses)
            for name in described["TooManyRequests"]["headers"]:
                self.assertIn(name.lower(), statuses[429])
            self.assertIn(statuses[429]["content-type"], described["TooManyRequests"]["content"])

    def check_call(self, server, path, method, operation):
        body = "http://a.com/\n" if method == "post" else None
        headers = {"Content-Type": "text/plain"} if body else {}
        targets = [path]
        if path == "/domain" and method == "get":
            targets = ["/domain", "/domain?url=", "/domain?url=http://a.com/", "/domain?url=http://a.com&format=text"]
        for target in targets:
            status, got, _ = server.request(method.upper(), target, body=body, headers=headers)
            self.assertIn(str(status), operation["responses"], target)
            content = operation["responses"][str(status)].get("content")
            if content is None:
                continue
            self.assertIn(got["content-type"].partition(";")[0], content, target)

    def test_schemas(self):
        with Domaind() as server:
            schemas = json.loads(server.get("/openapi.json")[2])["components"]["schemas"]
            for url in ("https://www.google.com:81/x", "http://127.0.0.1/", "http://[::1]/", "http://com/"):
                self.check_object(schemas["Domain"], json.loads(server.get("/domain?url=" + url)[2]))
            self.check_object(schemas["Problem"], json.loads(server.get("/domain")[2]))

    def check_object(self, schema, value):
        names = {"string": str, "integer": int, "null": type(None), "array": list}
        self.assertEqual(set(schema["required"]), set(value))
        for key, item in value.items():
            kinds = schema["properties"][key]["type"]
            kinds = kinds if isinstance(kinds, list) else [kinds]
            self.assertIsInstance(item, tuple(names[k] for k in kinds), key)
            if "enum" in schema["properties"][key]:
                self.assertIn(item, schema["properties"][key]["enum"], key)


if __name__ == "__main__":
    unittest.main()
