"""The configuration: file, environment and flags, their order, and what is said about mistakes."""

import os
import pathlib
import tempfile
import unittest

from domaind import Domaind, run

# What is in the file, and what `domaind --check` says about it (FILE stands for its name).
BROKEN = (
    ("chidlren = 4\n", "FILE:1: there is no parameter 'chidlren'; did you mean children?"),
    ("\n# a comment\nquux_zork = 4\n", "FILE:3: there is no parameter 'quux_zork'"),
    ("[limit]\nbody-max = 1M\n", "FILE:2: there is no section [limit]; did you mean [limits]?"),
    ("[weather]\nbody-max = 1M\n", "FILE:2: there is no section [weather]"),
    ("[server]\nbody-max = 1M\n", "FILE:2: body-max belongs into [limits], not into [server]"),
    ("workers = many\n", "FILE:1: workers = many: expected a whole number from 0 to 1024"),
    ("workers = 2000\n", "FILE:1: workers = 2000: expected a whole number from 0 to 1024"),
    ("mode = fast\n", "FILE:1: mode = fast: expected one of coroutine|thread|prefork"),
    ("profile = perhaps\n", "FILE:1: profile = perhaps: expected on or off"),
    (
        "body-max = 1MB\n",
        "FILE:1: body-max = 1MB: expected a size (such as 64k or 1M) from 0 to 1024G",
    ),
    (
        "header-timeout = soon\n",
        "FILE:1: header-timeout = soon: expected a time (such as 250ms, 10s or 2m) from 1ms to 1h",
    ),
    ("listen =\n", "FILE:1: listen = : expected a value"),
    ("workers = 2\nworkers = 3\n", "FILE:2: workers is set already, in line 1"),
    ("workers\n", "FILE:1: expected name = value, found 'workers'"),
    ("= 3\n", "FILE:1: there is no name before '='"),
    ("[limits\n", "FILE:1: the section heading is not closed: expected [name]"),
    (
        "workers = 2\n  mode = thread\n",
        "FILE:2: the line begins with a blank: it would continue the one above",
    ),
    (
        "listen = " + "x" * 200 + "\n",
        "FILE:1: the line has 209 bytes, 197 are allowed; lists may be split over several lines",
    ),
    ("workers = 2\0\n", "FILE:1: a NUL byte: this is no text file"),
    ("config = other.conf\n", "FILE:1: config cannot be set in the file itself"),
    (
        "max-spare = 3\nmin-spare = 9\n",
        "FILE:2: min-spare: 9 is above max-spare (3): processes would be started and ended in turn",
    ),
    ("user = nobody-of-that-name\n", "FILE:1: user: there is no user 'nobody-of-that-name'"),
    (
        "listen = 127.0.0.1:http\n",
        "FILE:1: listen: '127.0.0.1:http' is no address: "
        "expected ADDR:PORT, [V6]:PORT, :PORT or unix:PATH",
    ),
    (
        "listen = 127.0.0.1:1\nlisten = ::1:80\n",
        "FILE:2: listen: '::1:80' is no address: expected ADDR:PORT, [V6]:PORT, :PORT or unix:PATH",
    ),
    (
        "listen = unix:\n",
        "FILE:1: listen: 'unix:' is no address: the path must have 1 to 107 bytes",
    ),
    (
        "admin-allow = 10.0.0.0/8, moon\n",
        "FILE:1: admin-allow: 'moon' is no address and no network",
    ),
)


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "domaind.conf"

    def write(self, text):
        self.path.write_text(text)
        return f"--config={self.path}"

    def test_each_mistake_has_its_own_exact_message(self):
        seen = set()
        for text, message in BROKEN:
            with self.subTest(message=message):
                ended = run("domaind", self.write(text), "--check")
                self.assertEqual(ended.returncode, 78)
                self.assertEqual(
                    ended.stderr.replace(str(self.path), "FILE"), f"domaind: error: {message}\n"
                )
                self.assertEqual(ended.stdout, "")
                seen.add(message)
        self.assertGreaterEqual(len(seen), 20)

    def test_a_missing_file_is_named(self):
        ended = run("domaind", "--config=/nowhere/domaind.conf", "--check")
        self.assertEqual(ended.returncode, 78)
        self.assertIn("/nowhere/domaind.conf: No such file", ended.stderr)

    def test_a_good_file_passes_the_check(self):
        text = "# one\n; two\n\nmode = prefork ; why not\n[limits]\nbody-max = 2M\r\n"
        ended = run("domaind", self.write(text), "--check")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def printed(self, *flags, env=None):
        ended = run("domaind", *flags, "--print-config", env={**os.environ, **(env or {})})
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        values = {}
        for line in ended.stdout.splitlines():
            if " = " in line:
                name, rest = line.lstrip("# ").split(" = ", 1)
                value, where = rest.rsplit(";", 1)
                values[name] = (value.strip(), where.strip())
        return ended.stdout, values

    def test_flags_beat_the_environment_beats_the_file(self):
        flag = self.write("workers = 1\nchildren = 11\nbody-max = 64k\n")
        env = {"DOMAIND_WORKERS": "2", "DOMAIND_CHILDREN": "12"}
        _, values = self.printed(flag, "--workers=3", env=env)
        self.assertEqual(values["workers"], ("3", "--workers"))
        self.assertEqual(values["children"], ("12", "DOMAIND_CHILDREN"))
        self.assertEqual(values["body-max"], ("64k", f"{self.path}:3"))
        self.assertEqual(values["min-spare"], ("8", "default"))

    def test_what_is_printed_can_be_read_again(self):
        text, values = self.printed("--mode=thread", "--drain-timeout=90s", "--body-max=3M")
        again = self.printed(self.write(text))[1]
        same = {name: value for name, (value, _) in values.items() if name != "config"}
        self.assertEqual(same, {name: value for name, (value, _) in again.items() if name != "config"})
        self.assertEqual(again["drain-timeout"][0], "90s")

    def test_the_environment_may_name_the_file(self):
        self.write("workers = 7\n")
        _, values = self.printed(env={"DOMAIND_CONFIG": str(self.path)})
        self.assertEqual(values["workers"], ("7", f"{self.path}:1"))

    def test_a_slip_in_a_variable_is_found_and_foreign_ones_are_not_ours(self):
        env = {**os.environ, "DOMAIND_WORKRES": "2"}
        ended = run("domaind", "--check", env=env)
        self.assertEqual(ended.returncode, 78)
        self.assertIn("DOMAIND_WORKRES sets no parameter; did you mean DOMAIND_WORKERS?", ended.stderr)
        env = {**os.environ, "DOMAIND_SERVICE_HOST": "10.0.0.1", "DOMAIND_PORT": "tcp://10.0.0.1:80"}
        self.assertEqual(run("domaind", "--check", env=env).returncode, 0)

    def test_a_list_may_stand_on_several_lines(self):
        flag = self.write("listen = 127.0.0.1:0\nlisten = 127.0.0.1:0\n")
        with Domaind("coroutine", flag, "--listen=127.0.0.1:0") as server:
            self.assertEqual(server.stderr.count("listening on"), 1)  # flags replace the file's list
        self.assertIn("127.0.0.1:0,127.0.0.1:0", self.printed(flag)[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
