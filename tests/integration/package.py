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

    def test_fanin(self):
        for program in self.each("fanin"):
            self.assertEqual(output(program, env=self.env).splitlines(), [
                "counter: done",
                "consumer: Connection timed out, the sum is 45",
                "ticker: Operation canceled",
            ])

    def test_the_example_of_the_readme_and_of_the_manual(self):
        flags = output("pkg-config", "--cflags", "--libs", "coro", env=self.env).split()
        readme = re.search(r"```c\n(#include <coro.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
        page = (ROOT / "conf" / "man" / "coro.3").read_text()
        manual = re.search(r"^\.Bd -literal.*?\n(#include <coro.*?)^\.Ed", page, re.S | re.M)[1]
        for text in (readme, manual.replace("\\e", "\\")):
            for compiler in (("cc", "-xc"), ("c++", "-xc++", "-std=c++17")):
                if shutil.which(compiler[0]):
                    source = self.prefix / "example"
                    source.write_text(text + SERVES_ONE)
                    program = self.prefix / "example.out"
                    output(*compiler, "-Wall", "-Wextra", "-Werror", *self.flags, source, "-xnone", "-o", program,
                           *flags, env=self.env)
                    self.assertEqual(output(program, env=self.env), "echoed hello\n")

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
        self.assertEqual([n for n in names if not n.startswith("co_")], [])

    def test_the_archive_defines_no_other_global_name(self):
        library = next(self.prefix.rglob("libcoro.a"))
        names = [line.split()[-1] for line in output("nm", "-g", "--defined-only", library).splitlines()
                 if len(line.split()) == 3]
        self.assertIn("co_run", names)
        self.assertEqual([n for n in names if not n.startswith("co_")], [])

    def test_names_of_the_program_are_its_own(self):
        """A program that has macros, types and functions called as ours are inside."""
        source = self.prefix / "names.c"
        macros = sorted(n for n in macros_defined_in(*(ROOT / "coro" / "base").glob("*.h")) if not n.startswith("CO_"))
        self.assertIn("NS_PER_S", macros)
        source.write_text("".join(f"#define {name} our {name}\n" for name in macros) + NAMES)
        flags = output("pkg-config", "--cflags", "--libs", "coro", env=self.env).split()
        static = output("pkg-config", "--static", "--cflags", "--libs", "coro", env=self.env).split()
        static[static.index("-lcoro")] = "-l:libcoro.a"
        for libraries in (flags, static):
            program = self.prefix / "names"
            output("cc", "-Wall", "-Wextra", "-Werror", *self.flags, source, "-o", program, *libraries, env=self.env)
            self.assertEqual(output(program, env=self.env), "the report has a main task\n")

    def test_headers_define_no_other_macro(self):
        headers = (self.prefix / "include" / "coro").rglob("*.h")
        self.assertEqual([n for n in macros_defined_in(*headers) if not n.startswith(("CO_", "co_"))], [])


# What stands around the example's serve().
SERVES_ONE = """
#include <stdio.h>
#include <sys/socket.h>

static int serve_one(void *arg)
{
    int *pair = (int *)arg;
    char got[8] = "";
    struct co_task *server = co_spawn(serve, (void *)(intptr_t)pair[0]);
    if (co_write(pair[1], "hello", 5, co_after(20 * CO_NS_PER_S)) == 5 &&
        co_read(pair[1], got, sizeof(got) - 1, co_after(20 * CO_NS_PER_S)) == 5)
        printf("echoed %s\\n", got);
    int result, rv = co_close(pair[1]);
    return rv < 0 ? rv : co_join(server, co_after(20 * CO_NS_PER_S), &result);
}

int main(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
        return 1;
    return co_run(serve_one, pair, NULL);
}
"""


def macros_defined_in(*headers):
    return {name for path in headers for name in re.findall(r"^#define (\w+)", path.read_text(), re.M)}


# The reader of a report and its list, called as the runtime calls its own.
NAMES = """
#include <coro/coro.h>
#include <coro/inspect.h>
#include <coro/io.h>
#include <coro/offload.h>
#include <coro/resolve.h>
#include <coro/signal.h>
#include <coro/sync.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list { int list; };
struct buf { int buf; };
enum { prof_self = 1, dns = 2 };

void buf_init(struct buf *b);
void buf_init(struct buf *b) { b->buf = 7; }
int buf_append(void);
int buf_append(void) { abort(); }
int buf_printf(void);
int buf_printf(void) { abort(); }
void log_write(void);
void log_write(void) { abort(); }
void coro_wake(void);
void coro_wake(void) { abort(); }
void prof_resume(void);
void prof_resume(void) { abort(); }
int reactor_poll(void);
int reactor_poll(void) { abort(); }

static int run(void *arg)
{
    struct buf b;
    struct list l = {0};
    char *text;
    buf_init(&b);
    co_sleep(CO_NS_PER_MS);
    if (b.buf != 7 || l.list != 0 || arg != NULL || co_dump(CO_DUMP_TEXT, &text) < 0)
        return 1;
    puts(strstr(text, "main: running") != NULL ? "the report has a main task" : text);
    free(text);
    return 0;
}

int main(void)
{
    return co_run(run, NULL, NULL);
}
"""

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
        co_chan_recv(chan, &got, co_after(20 * CO_NS_PER_S)) == 0)
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
