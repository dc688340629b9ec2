"""The access log in every mode: both formats, reopened by USR1, nothing raw."""

import json
import os
import pathlib
import re
import signal
import tempfile
import time
import unittest

from domaind import MODES, Domaind

COMBINED = re.compile(r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /\S* HTTP/1\.1" (\d{3}) \d+ "-" ".*"$')


def wait_for_lines(path, count):
    for _ in range(200):
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return lines
        time.sleep(0.02)
    raise AssertionError(f"{len(lines)} lines instead of {count}: {lines}")


class AccessLog(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "access.log"

    def test_combined_and_reopened(self):
        for mode in MODES:
            with self.subTest(mode=mode), Domaind(mode, f"--access-log={self.path}") as server:
                for i in range(5):
                    server.get(f"/domain?url=http://a{i}.com/", headers={"User-Agent": 'x"y'})
                server.get("/livez")  # probes are not logged
                lines = wait_for_lines(self.path, 5)
                self.assertEqual(len(lines), 5)
                for line in lines:
                    self.assertRegex(line, COMBINED)
                    self.assertIn('"x\\"', line)
                moved = self.path.with_suffix(".1")
                os.rename(self.path, moved)
                os.kill(server.pid, signal.SIGUSR1)
                for _ in range(200):
                    if self.path.exists():
                        break
                    time.sleep(0.02)
                time.sleep(0.3)  # children follow their master
                server.get("/domain?url=http://b.com/")
                self.assertIn("b.com", wait_for_lines(self.path, 1)[0])
            os.unlink(self.path)

    def test_json_and_refusals(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                flags = (f"--access-log={self.path}", "--access-log-format=json")
                with Domaind(mode, *flags) as server:
                    server.get("/domain?url=http://a.com/", headers={"X-Request-Id": "mine"})
                    server.request("GET", "/domain?url=x", headers={"Bad Name": "x"})
                # what was gathered is written at the end
                lines = [json.loads(line) for line in wait_for_lines(self.path, 2)]
                self.assertEqual([line["status"] for line in lines], [200, 400])
                self.assertEqual(lines[0]["request_id"], "mine")
                self.assertEqual(lines[1]["request"], "-")
                os.unlink(self.path)


if __name__ == "__main__":
    unittest.main()
