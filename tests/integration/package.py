"""libcoro as other programs get it: installed, found by pkg-config, linked both ways."""

import http.server
import os
import pathlib
import re
import shutil
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
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
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
                    with socket.create_connection(("127.0.0.1", port), timeout=90) as client:
                        client.sendall(b"hello")
                        self.assertEqual(client.recv(16), b"hello")
                        server.send_signal(signal.SIGTERM)
                        self.assertEqual(server.wait(90), 0)
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
            self.fails(1, "No such file or directory", program, self.prefix / "none")

    def fails(self, code, why, *command):
        done = subprocess.run(command, capture_output=True, text=True, env=self.env, timeout=300)
        self.assertIn(why, done.stderr)
        self.assertEqual((done.returncode, done.stdout), (code, ""))

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.fails(1, "Address already in use", self.build("echo", False), str(taken.getsockname()[1]))

    def test_a_name_that_does_not_exist(self):
        program = self.build("crawl", False)
        self.assertRegex(output(program, "name.invalid", env=self.env), r"^name\.invalid: [A-Z]")
        self.fails(2, "usage:", program)

    @unittest.skipUnless(shutil.which("man"), "no man")
    def test_each_function_leads_to_the_manual(self):
        for name in ("coro", "co_spawn", "co_select", "co_dump_all"):
            page = output("man", "--warnings", "-M", self.prefix / "share" / "man", name,
                          env={**self.env, "MANPAGER": "cat", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C"})
            self.assertIn("tasks in blocking style on an event loop", page)

    def test_every_header_stands_alone(self):
        headers = [f"coro/{p.relative_to(self.prefix / 'include' / 'coro')}" for p in
                   (self.prefix / "include" / "coro").rglob("*.h")]
        self.assertIn("coro/coro.h", headers)
        compilers = [("cc", "-std=c11", "-xc", "-D_POSIX_C_SOURCE=200809L")]
        if shutil.which("c++"):
            compilers += [("c++", "-std=c++17", "-xc++"), ("c++", "-std=c++20", "-xc++")]
        for header in headers:
            for compiler in compilers:
                with self.subTest(header=header, compiler=compiler):
                    done = subprocess.run(
                        [*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                         f"-I{self.prefix / 'include'}", "-"],
                        input=f"#include <{header}>\nint at_least_one;\n", capture_output=True, text=True,
                        timeout=300)
                    self.assertEqual(done.stderr, "")

    @unittest.skipUnless(shutil.which("c++"), "no C++ compiler")
    def test_a_cpp_program_links(self):
        source, program = self.prefix / "user.cpp", self.prefix / "user"
        for standard, give_way in (("c++17", "co_yield"), ("c++20", "co_give_way")):
            source.write_text(CPP.replace("GIVE_WAY", give_way))
            output("c++", f"-std={standard}", "-Wall", "-Wextra", "-Werror", *self.flags, source, "-o", program,
                   *output("pkg-config", "--cflags", "--libs", "coro", env=self.env).split(), env=self.env)
            self.assertEqual(output(program, env=self.env), "got 42\n")

    def test_a_program_without_shared_libraries(self):
        if self.flags:
            self.skipTest("a sanitizer's runtime is shared")
        program = self.prefix / "static"
        output("cc", EXAMPLES / "pipeline.c", "-static", "-o", program,
               *output("pkg-config", "--static", "--cflags", "--libs", "coro", env=self.env).split(), env=self.env)
        self.assertEqual(output(program), "sum of squares: 333833500\n")

    def test_the_shared_library_exports_the_api_alone(self):
        library = next(self.prefix.rglob("libcoro.so"))
        names = [line.split()[-1] for line in output("nm", "-D", "--defined-only", library).splitlines()]
        self.assertIn("co_run", names)
        self.assertEqual([n for n in names if not n.startswith(("co_", "buf_"))], [])


CPP = """
#include <cstdio>

#include <coro/sync.h>

static int answer(void *arg)
{
    int number = 42;
    return GIVE_WAY() < 0 ? 1 : co_chan_send(static_cast<co_chan *>(arg), &number, CO_NO_DEADLINE);
}

static int run(void *)
{
    int got = 0;
    co_chan *chan = co_chan_new(sizeof(got), 0);
    co_group group;
    co_group_init(&group, 1, 0);
    if (co_group_spawn(&group, answer, chan, CO_NO_DEADLINE) == 0 &&
        co_chan_recv(chan, &got, co_after(20 * NS_PER_S)) == 0)
        std::printf("got %d\\n", got);
    int rv = co_group_close(&group);
    co_chan_free(chan);
    return rv;
}

int main()
{
    return co_run(run, nullptr, nullptr);
}
"""


class QuietHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    unittest.main()
