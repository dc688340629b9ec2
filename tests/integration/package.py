"""libcoro as other programs get it: installed, found by pkg-config, linked both ways."""

import http.server
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOMAIND_BIN", ROOT / "build" / "dev" / "bin")).parent
EXAMPLES = ROOT / "coro" / "examples"


def output(*command, env=None):
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.prefix = pathlib.Path(cls.folder.name)
        output("cmake", "--install", BUILD, "--prefix", cls.prefix, "--component", "libcoro")
        config = next(cls.prefix.rglob("coro.pc")).parent
        cls.env = {**os.environ, "PKG_CONFIG_PATH": str(config), "LD_LIBRARY_PATH": str(config.parent)}
        sanitize = re.search(r"^DOMAIND_SANITIZE:\w+=(.+)$", (BUILD / "CMakeCache.txt").read_text(), re.M)
        cls.flags = [f"-fsanitize={sanitize.group(1)}"] if sanitize else []

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def build(self, name, static):
        """Compile an example against nothing but the installed package."""
        query = ["pkg-config", "--cflags", "--libs", *(["--static"] if static else []), "coro"]
        flags = output(*query, env=self.env).split()
        if static:
            flags = ["-Wl,-Bstatic" if f == "-lcoro" else f for f in flags]
            at = flags.index("-Wl,-Bstatic")
            flags[at:at + 1] = ["-Wl,-Bstatic", "-lcoro", "-Wl,-Bdynamic"]
        program = self.prefix / f"{name}{'-static' if static else ''}"
        output("cc", "-Wall", "-Wextra", "-Werror", "-O1", "-g", *self.flags, EXAMPLES / f"{name}.c",
               "-o", program, *flags, env=self.env)
        return program

    def each(self, name):
        for static in (False, True):
            with self.subTest(static=static):
                yield self.build(name, static)

    def test_echo(self):
        for program in self.each("echo"):
            with subprocess.Popen([program], stdout=subprocess.PIPE, text=True, env=self.env) as server:
                try:
                    port = int(server.stdout.readline().rsplit(":", 1)[1])
                    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                        client.sendall(b"hello")
                        self.assertEqual(client.recv(16), b"hello")
                        server.send_signal(signal.SIGTERM)
                        self.assertEqual(server.wait(20), 0)
                finally:
                    server.kill()

    def test_pipeline(self):
        for program in self.each("pipeline"):
            self.assertEqual(output(program, env=self.env), "sum of squares: 333833500\n")

    def test_crawl(self):
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), QuietHandler)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        site = f"localhost:{web.server_port}"
        try:
            for program in self.each("crawl"):
                lines = output(program, site, site, site, site, "localhost:1", env=self.env).splitlines()
                self.assertEqual(sum("200 OK" in line for line in lines), 4)
                self.assertIn("localhost:1: Connection refused", lines)
        finally:
            web.shutdown()
            web.server_close()

    def test_timeout(self):
        for program in self.each("timeout"):
            self.assertEqual(output(program, env=self.env).splitlines(), [
                "the request timed out: Connection timed out",
                "worker cleaned up",
                "worker ended: Operation canceled",
            ])

    def test_blocking(self):
        for program in self.each("blocking"):
            text = self.prefix / "text"
            text.write_text("a\n" * 1234)
            self.assertEqual(output(program, text, env=self.env), f"{text}: 1234 lines\n")

    def test_the_shared_library_exports_the_api_alone(self):
        library = next(self.prefix.rglob("libcoro.so"))
        names = [line.split()[-1] for line in output("nm", "-D", "--defined-only", library).splitlines()]
        self.assertIn("co_run", names)
        self.assertEqual([n for n in names if not n.startswith(("co_", "buf_"))], [])


class QuietHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    unittest.main()
