"""domainc psl update: only a whole list takes the place of the old one."""

import email.utils
import http.server
import os
import pathlib
import tempfile
import threading
import unittest

from domaind import run

GOOD = "// VERSION: test-1\ncom\nuk\nco.uk\n" + "".join(f"s{i}.com\n" for i in range(6000))
MODIFIED = 1_700_000_000


class Lists(http.server.BaseHTTPRequestHandler):
    """Serves server.body, conditionally; notes what was asked."""

    def do_GET(self):
        since = self.headers.get("If-Modified-Since")
        self.server.asked.append(since)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        if since and email.utils.parsedate_to_datetime(since).timestamp() >= MODIFIED:
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body) + self.server.missing))
        self.send_header("Last-Modified", email.utils.formatdate(MODIFIED, usegmt=True))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


class Update(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.path = pathlib.Path(self.dir.name, "list.dat")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lists)
        self.server.body, self.server.missing, self.server.status = GOOD.encode(), 0, 200
        self.server.asked = []
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def update(self, *args):
        return run("domainc", "psl", "update", f"--url=http://127.0.0.1:{self.server.server_port}/list", *args)

    def test_first_then_up_to_date(self):
        done = self.update(self.path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("6003 rules (6003 icann, 0 private), version test-1", done.stdout)
        self.assertEqual(self.path.read_text(), GOOD)
        self.assertEqual(self.path.stat().st_mtime, MODIFIED)
        again = self.update(self.path)
        self.assertEqual((again.returncode, again.stdout), (0, f"{self.path} is up to date\n"))
        self.assertEqual([since is None for since in self.server.asked], [True, False])
        self.assertEqual(os.listdir(self.dir.name), ["list.dat"])

    def test_what_is_no_list_leaves_the_old_one(self):
        self.path.write_text(GOOD)
        os.utime(self.path, (1, 1))
        for body, why in (
            (b"<html>captive portal</html>\n", "not a suffix rule"),
            (b"", "no suffix rules"),
            (b"com\nco.uk\n", "too few"),
            (GOOD.replace("co.uk\n", "").encode(), "com or co.uk is missing"),
            (GOOD.encode() + b"\xff\xff\n", "not a suffix rule"),
        ):
            self.server.body = body
            done = self.update(self.path)
            self.assertEqual(done.returncode, 1, body[:20])
            self.assertIn(why, done.stderr)
            self.assertEqual(self.path.read_text(), GOOD)
        self.assertEqual(os.listdir(self.dir.name), ["list.dat"])

    def test_a_list_that_shrank(self):
        self.path.write_text(GOOD + "".join(f"t{i}.com\n" for i in range(10_000)))
        os.utime(self.path, (1, 1))
        done = self.update(self.path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("6003 rules, but the list it would replace has 16003", done.stderr)

    def test_a_broken_file_is_replaced(self):
        self.path.write_text("<html>")
        self.assertEqual(self.update(self.path).returncode, 0)
        self.assertEqual(self.path.read_text(), GOOD)
        self.assertEqual(self.server.asked, [None])

    def test_a_download_that_breaks_off(self):
        self.server.missing = 100
        done = self.update(self.path)
        self.assertEqual(done.returncode, 1)
        self.assertFalse(self.path.exists())

    def test_errors_of_the_server_and_none_at_all(self):
        self.server.status = 503
        done = self.update(self.path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the server answers 503", done.stderr)
        done = run("domainc", "psl", "update", "--url=http://127.0.0.1:1/", self.path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("http://127.0.0.1:1/: ", done.stderr)

    def test_a_folder_that_is_not_there(self):
        done = self.update(pathlib.Path(self.dir.name, "no", "list.dat"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("No such file or directory", done.stderr)

    def test_the_place_of_its_own(self):
        os.environ["XDG_DATA_HOME"] = str(pathlib.Path(self.dir.name, "data"))
        self.addCleanup(os.environ.pop, "XDG_DATA_HOME")
        self.assertEqual(self.update().returncode, 0)
        self.assertEqual(pathlib.Path(self.dir.name, "data/domaind/public_suffix_list.dat").read_text(), GOOD)

    def test_the_place_of_its_own_is_found(self):
        """What update has put there is what extract and check use; an older one is not."""
        os.environ["XDG_DATA_HOME"] = str(pathlib.Path(self.dir.name, "data"))
        self.addCleanup(os.environ.pop, "XDG_DATA_HOME")
        self.server.body += b"*.example\n"
        own = pathlib.Path(self.dir.name, "data/domaind/public_suffix_list.dat")
        done = self.update()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{own} is updated: your domainc uses it now", done.stdout)
        os.utime(own, (4_000_000_000, 4_000_000_000))
        self.assertEqual(self.registrable(), "a.b.example\n")
        self.assertIn(f"{own}: 6004 rules", run("domainc", "psl", "check").stdout)
        os.utime(own, (1, 1))
        self.assertEqual(self.registrable(), "b.example\n")

    def registrable(self):
        return run("domainc", "extract", "-q", "--format=tsv", "--fields=registrable", "-", input="x.a.b.example\n").stdout

    def test_check(self):
        self.path.write_text(GOOD)
        done = run("domainc", "psl", "check", self.path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.path.write_text(GOOD + "a..b\n")
        done = run("domainc", "psl", "check", self.path)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{self.path}:6005: not a suffix rule: 'a..b'", done.stderr)

    def test_usage(self):
        for args in ([], ["improve"], ["update", "a", "b"]):
            self.assertEqual(run("domainc", "psl", *args).returncode, 2, args)


if __name__ == "__main__":
    unittest.main()
