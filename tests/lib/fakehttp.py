"""An HTTP server whose faults are chosen: for tests of the clients.

    with FakeServer(answer) as server:    # answer(url) -> Reply, for each request
        ... server.port, server.seen, server.connections

Every connection has a thread; keep-alive as in HTTP/1.1.
"""

import dataclasses
import json
import socket
import ssl
import threading
import time
import urllib.parse


@dataclasses.dataclass
class Reply:
    """What one request gets: a response, or `raw` bytes instead, after `delay` seconds."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple = ()
    delay: float = 0
    raw: bytes = None
    close: bool = False

    def bytes(self):
        if self.raw is not None:
            return self.raw
        lines = [
            f"HTTP/1.1 {self.status} Fake",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def domain_answer(url, **kwargs):
    return Reply(body=json.dumps({"url": url, "domain": "fake"}).encode() + b"\n", **kwargs)


class FakeServer:
    def __init__(self, answer, port=0, tls=None):
        """tls: a certificate and its key, as file names."""
        self._answer = answer
        self._tls = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*tls)
        self._port = port
        self._lock = threading.Lock()
        self._open = set()
        self.seen = []
        self.connections = 0
        self.busy = 0
        self.most_busy = 0

    def __enter__(self):
        self._socket = socket.create_server(("127.0.0.1", self._port), backlog=512)
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *unused):
        # close() alone does not end an accept() that is under way
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            for connection in list(self._open):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
                self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while self._one(connection, stream):
                    pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)

    def _one(self, connection, stream):
        request = stream.readline(1 << 20)
        if not request:
            return False
        while stream.readline(1 << 20).strip():
            pass
        query = urllib.parse.urlsplit(request.split()[1].decode()).query
        parameters = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        url = urllib.parse.unquote(parameters.get("url", ""))
        with self._lock:
            self.seen.append(url)
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        reply = self._answer(url)
        time.sleep(reply.delay)
        with self._lock:
            self.busy -= 1
        connection.sendall(reply.bytes())
        return not reply.close
