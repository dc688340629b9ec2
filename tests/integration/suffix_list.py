"""The suffix list is exchanged while requests run; a broken one changes nothing."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import unittest

from domaind import BIN, MODES, PATIENCE_S, Domaind, wait_until

OLD, NEW = "com\nuk\n", "com\nuk\nco.uk\n"
BROKEN = "com\n<html>\n"


def put(path, text, age):
    """Into place at once, as domainc psl update does; age keeps time stamps apart."""
    other = path.with_suffix(".new")
    other.write_text(text)
    os.utime(other, (age, age))
    other.replace(path)


class Exchange(unittest.TestCase):
    def ask(self, server):
        status, _, body = server.get("/domain?url=http://www.a.co.uk/")
        self.assertEqual(status, 200)
        return json.loads(body)["registrable"]

    def wait_for(self, server, expected):
        """Until every one of 20 requests in a row answers so (any child, any worker)."""
        wait_until(lambda: all(self.ask(server) == expected for _ in range(20)),
                   lambda: f"never {expected}:\n{server.stderr}")

    def test_in_every_mode(self):
        for mode in MODES:
            with self.subTest(mode=mode), tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "list.dat")
                put(path, OLD, 1000)
                with Domaind(mode, f"--suffix-list={path}") as server:
                    self.wait_for(server, "co.uk")
                    over = threading.Event()
                    answers, failures = set(), []

                    def load():
                        while not over.is_set():
                            try:
                                answers.add(self.ask(server))
                            except Exception as error:  # what fails here is told below
                                failures.append(error)

                    threads = [threading.Thread(target=load) for _ in range(4)]
                    for thread in threads:
                        thread.start()
                    wait_until(lambda: answers, lambda: f"nobody is answered: {failures}")
                    put(path, NEW, 2000)
                    os.kill(server.pid, signal.SIGHUP)
                    self.wait_for(server, "a.co.uk")
                    put(path, BROKEN, 3000)
                    os.kill(server.pid, signal.SIGHUP)
                    wait_until(lambda: "not a suffix rule: '<html>'" in server.stderr, lambda: server.stderr)
                    self.assertIn(f"{path}", server.stderr)
                    self.wait_for(server, "a.co.uk")
                    over.set()
                    for thread in threads:
                        thread.join()
                    self.assertEqual(failures, [])
                    self.assertEqual(answers, {"co.uk", "a.co.uk"})

    def test_in_prefork_mode_the_master_alone_reads_it(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "list.dat")
            put(path, OLD, 1000)
            with Domaind("prefork", f"--suffix-list={path}", "--min-spare=6") as server:
                self.wait_for(server, "co.uk")
                path.unlink()
                os.mkfifo(path)
                os.kill(server.pid, signal.SIGHUP)
                path.write_text(NEW)  # whoever else reads waits for ever
                self.wait_for(server, "a.co.uk")
                path.unlink()

    def test_a_server_does_not_start_with_a_broken_list(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(BROKEN)
            file.flush()
            done = subprocess.run([BIN / "domaind", "--listen=127.0.0.1:0", f"--suffix-list={file.name}"],
                                  capture_output=True, text=True, timeout=PATIENCE_S, check=False)
            self.assertEqual(done.returncode, 78, done.stderr)
            self.assertIn(f"{file.name}:2: not a suffix rule: '<html>'", done.stderr)


if __name__ == "__main__":
    unittest.main()
