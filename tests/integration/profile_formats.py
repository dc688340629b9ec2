"""The call-table's formats against the programs that read them."""

import io
import itertools
import os
import pathlib
import pstats
import subprocess
import tempfile
import unittest

SAMPLE = pathlib.Path(os.environ["DOMAIND_BIN"]).parent / "tests" / "profile_sample"


def sample(*args):
    return subprocess.run([SAMPLE, *args], capture_output=True, check=True).stdout


class Text(unittest.TestCase):
    """format=text is what pstats prints for format=pstats, byte for byte."""

    SORTS = [
        [],
        *[[key] for key in pstats.Stats.sort_arg_dict_default],
        ["time", "name"],
        ["nfl", "calls"],
        ["cu"],
        ["tot"],
        ["file"],
        ["ca", "std"],
        [-1],
        [0],
        [1],
        [2],
    ]
    RESTRICTIONS = [
        [],
        [3],
        [0],
        [1000],
        [0.5],
        [0.07],
        [0.0],
        ["read"],
        [r"^server/.*\(d"],
        ["nothing here"],
        [r"'s \"odd\"\\"],
        ["main", 1],
        [0.5, "e", 2],
        [r"[(]is_(odd|even)\)$"],
    ]

    def check(self, ticks, sort, restrictions, table):
        with tempfile.NamedTemporaryFile() as file:
            file.write(sample("pstats", ticks))
            file.flush()
            out = io.StringIO()
            stats = pstats.Stats(file.name, stream=out)
            if sort:
                stats.sort_stats(*sort)
            stats.files = []  # pstats' file-name line
            getattr(stats, "print_" + table)(*restrictions)
        args = [f"sort={','.join(map(str, sort)) or 'none'}"]
        args += [f"filter={r}" if isinstance(r, str) else f"limit={r}" for r in restrictions]
        args += [table] if table != "stats" else []
        self.assertEqual(sample("text", ticks, *args).decode(), out.getvalue(), (args, ticks))

    def test_every_sort_key(self):
        for sort, ticks in itertools.product(self.SORTS, ("1", "100000")):
            self.check(ticks, sort, [], "stats")

    def test_every_restriction(self):
        for restrictions in self.RESTRICTIONS:
            for table in ("stats", "callers", "callees"):
                self.check("1000", ["cumulative"], restrictions, table)

    def test_callers_and_callees(self):
        for sort, table in itertools.product(self.SORTS, ("callers", "callees")):
            self.check("30000", sort, [], table)

    def test_every_prefix_means_the_same(self):
        words = pstats.Stats().get_sort_arg_defs()
        for key in pstats.Stats.sort_arg_dict_default:
            for n in range(1, len(key) + 1):
                word = key[:n]
                if word in words:
                    self.check("1000", [word], [], "stats")
                else:
                    run = subprocess.run([SAMPLE, "text", "1", "sort=" + word], capture_output=True)
                    self.assertNotEqual(run.returncode, 0, word)


if __name__ == "__main__":
    unittest.main()
