"""The call-table's formats against the programs that read them."""

import gzip
import io
import itertools
import json
import os
import pathlib
import pstats
import re
import shutil
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


def stats_of(ticks):
    with tempfile.NamedTemporaryFile() as file:
        file.write(sample("pstats", ticks))
        file.flush()
        return pstats.Stats(file.name).stats


class Json(unittest.TestCase):
    def setUp(self):
        self.report = json.loads(sample("json", "1000", "sort=tottime", "limit=3"))

    def test_functions_agree_with_pstats(self):
        stats = stats_of("1000")
        functions = {(f["file"], f["line"], f["name"]): f for f in self.report["functions"]}
        self.assertEqual(set(functions), set(stats))
        for key, (cc, nc, tt, ct, _) in stats.items():
            f = functions[key]
            self.assertEqual((f["primitive"], f["calls"]), (cc, nc))
            self.assertAlmostEqual(f["self"], tt * 1e9, delta=1)
            self.assertAlmostEqual(f["total"], ct * 1e9, delta=1)

    def test_rows_come_first_in_order(self):
        shown = [f["shown"] for f in self.report["functions"]]
        self.assertEqual(shown, [True] * 3 + [False] * (len(shown) - 3))
        rows = [f["self"] for f in self.report["functions"][:3]]
        self.assertEqual(rows, sorted(rows, reverse=True))

    def test_tree_adds_up(self):
        def walk(node, depth):
            total = node["self"] + sum(walk(child, depth + 1) for child in node["children"])
            self.assertAlmostEqual(node["total"], total, delta=50)
            self.assertEqual(node["f"] is None, depth == 0)
            return node["total"]

        self.assertAlmostEqual(walk(self.report["tree"], 0), self.report["self"], delta=50)

    def test_sums_agree(self):
        self.assertTrue(self.report["conserved"])
        self.assertEqual(self.report["run"], self.report["self"])
        self.assertTrue(all(w["exact"] for w in self.report["workers"]))
        self.assertGreater(self.report["overhead"]["scope_ns"], 0)

    def test_edges_agree_with_pstats(self):
        f = [(x["file"], x["line"], x["name"]) for x in self.report["functions"]]
        edges = {(f[e["caller"]], f[e["callee"]]): (e["calls"], e["primitive"]) for e in self.report["edges"]}
        expected = {
            (caller, callee): (nc, cc)
            for callee, (_, _, _, _, callers) in stats_of("1000").items()
            for caller, (nc, cc, _, _) in callers.items()
        }
        self.assertEqual(edges, expected)


class OtherReaders(unittest.TestCase):
    def test_callgrind_annotate_reads_it(self):
        program = shutil.which("callgrind_annotate")
        if program is None:
            self.skipTest("no callgrind_annotate here")
        with tempfile.NamedTemporaryFile(suffix=".out") as file:
            file.write(sample("callgrind", "1000"))
            file.flush()
            run = subprocess.run(
                [program, "--inclusive=yes", "--threshold=100", file.name],
                capture_output=True, text=True, check=True,
            )
        self.assertEqual(run.stderr, "")
        for (_, _, _), (_, _, _, ct, _) in list(stats_of("1000").items())[:3]:
            self.assertIn(f"{round(ct * 1e9):,}", run.stdout)
        self.assertIn("server/endpoint/domain.c:domain_handle", run.stdout)

    def test_collapsed_lines(self):
        lines = sample("collapsed", "1000").decode().splitlines()
        total = 0
        for line in lines:
            self.assertRegex(line, r"^[^;]+(;[^;]+)* \d+$")
            total += int(line.rpartition(" ")[2])
        self.assertIn("main;domain_handle;{write}", [line.rpartition(" ")[0] for line in lines])
        report = json.loads(sample("json", "1000"))
        self.assertAlmostEqual(total, report["self"], delta=len(lines))

    def test_speedscope_keeps_to_its_schema(self):
        data = json.loads(sample("speedscope", "1000"))
        self.assertEqual(data["$schema"], "https://www.speedscope.app/file-format-schema.json")
        (profile,) = data["profiles"]
        self.assertEqual((profile["type"], profile["unit"]), ("sampled", "nanoseconds"))
        self.assertEqual(len(profile["samples"]), len(profile["weights"]))
        self.assertEqual(profile["endValue"], sum(profile["weights"]))
        frames = data["shared"]["frames"]
        for stack in profile["samples"]:
            self.assertTrue(stack)
            self.assertTrue(all(0 <= i < len(frames) for i in stack))


class Pprof(unittest.TestCase):
    """profile.proto as its consumers check it."""

    SCHEMA = pathlib.Path(__file__).parent / "profile.proto"

    def decode(self, format):
        program = shutil.which("protoc")
        if program is None:
            self.skipTest("no protoc here")
        raw = gzip.decompress(sample(format, "1000"))
        run = subprocess.run(
            [program, f"-I{self.SCHEMA.parent}", "--decode=Profile", self.SCHEMA.name],
            input=raw, capture_output=True, check=True, cwd=self.SCHEMA.parent,
        )
        text = run.stdout.decode()
        self.assertNotRegex(text, r"(?m)^\s*\d+: ", "a field the schema has not")
        return text

    def test_rules_of_the_format(self):
        text = self.decode("pprof")
        strings = re.findall(r'(?m)^string_table: "((?:[^"\\]|\\.)*)"$', text)
        self.assertEqual(strings[0], "")
        self.assertEqual(len(re.findall(r"(?m)^sample_type \{", text)), 3)
        for kind in ("location", "function", "mapping"):
            ids = [int(i) for i in re.findall(rf"(?m)^{kind} \{{\n  id: (\d+)", text)]
            self.assertEqual(ids, list(range(1, len(ids) + 1)), kind)
            self.assertTrue(ids, kind)
        functions = len(re.findall(r"(?m)^function \{", text))
        for block in re.findall(r"(?ms)^sample \{\n(.*?)^\}", text):
            self.assertEqual(len(re.findall(r"(?m)^  value: ", block)), 3)
            for i in re.findall(r"(?m)^  location_id: (\d+)", block):
                self.assertLessEqual(int(i), functions)
        for i in re.findall(r"(?m)^\s+(?:type|unit|name|filename|key|str|system_name): (\d+)", text):
            self.assertLess(int(i), len(strings))
        for has in ("has_functions", "has_filenames", "has_line_numbers"):
            self.assertIn(f"{has}: true", text)

    def test_values_are_those_of_the_table(self):
        text = self.decode("pprof")
        blocks = re.findall(r"(?ms)^sample \{\n(.*?)^\}", text)
        calls = sum(int(re.findall(r"value: (\d+)", b)[0]) for b in blocks)
        self.assertEqual(calls, sum(nc for (_, nc, _, _, _) in stats_of("1000").values()))

    def test_as_go_has_it(self):
        text = self.decode("pprof-cpu")
        self.assertEqual(len(re.findall(r"(?m)^sample_type \{", text)), 2)
        self.assertIn('string_table: "cpu"', text)


if __name__ == "__main__":
    unittest.main()
