"""domainc extract: files and pipes to rows, in order, whatever is in them."""

import json
import os
import subprocess
import tempfile
import unittest

from domaind import BIN, run, shared_data

SAMPLE = (
    "https://www.google.com/search?q=Enhancement&aq=f&sugexp=chrome,mod=0&sourceid=chrome&ie=UTF-8"
)
LIST = """\
com
uk
co.uk
// ===BEGIN PRIVATE DOMAINS===
github.io
// ===END PRIVATE DOMAINS===
"""


class Extract(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.list = self.file("list.dat", LIST)

    def file(self, name, content):
        path = os.path.join(self.dir.name, name)
        with open(path, "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
        return path

    def extract(self, *args, stdin=b"", **kwargs):
        return subprocess.run(
            [BIN / "domainc", "extract", f"--suffix-list={self.list}", *args],
            input=stdin, capture_output=True, timeout=180, check=False, **kwargs
        )

    # ---- formats ----

    def test_text_is_the_domain_of_each_line(self):
        done = self.extract(stdin=b"http://a.co.uk/\r\nHTTP://B.com\nlast.com")
        self.assertEqual(done.stdout, b"a.co.uk\nb.com\nlast.com\n")
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_marks_of_an_encoding(self):
        """Of each file: a UTF-8 mark is no part of its first line, UTF-16 is named."""
        marked = self.file("marked", b"\xef\xbb\xbfhttp://a.com/\nhttp://b.com/\n")
        done = self.extract("--fields=line,domain", marked, marked)
        self.assertEqual(done.stdout, b"1\ta.com\n2\tb.com\n" * 2)
        wide = self.file("wide", "http://a.com/\n".encode("utf-16"))
        done = self.extract(marked, wide, marked)
        self.assertEqual((done.returncode, done.stdout), (1, b"a.com\nb.com\n"))
        self.assertIn(b"wide: this is UTF-16; convert it with iconv", done.stderr)

    def test_a_url_where_a_file_is_wanted(self):
        done = self.extract("http://a.com/")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"for one URL: echo 'http://a.com/' | domainc extract", done.stderr)

    def test_options_that_contradict_each_other(self):
        for args in (["--fields=url", "--format=text"], ["--fields=url", "--format=ndjson"],
                     ["--count", "--format=tsv"], ["--repeat=3"],
                     ["--repeat=3", "--count", "a.com"], ["--repeat=3", "--format=tsv", "a.com"],
                     ["--repeat=3", "--fields=url", "a.com"], ["--engine=regex", "--fields=domain,suffix"]):
            with self.subTest(args=args):
                done = self.extract(*args)
                self.assertEqual((done.returncode, done.stdout), (2, b""))

    def test_tsv(self):
        done = self.extract("--format=tsv", stdin=b"http://www.a.co.uk/x\ty\\z\n")
        self.assertEqual(done.stdout, b"http://www.a.co.uk/x\\ty\\\\z\twww.a.co.uk\ta.co.uk\tco.uk\n")

    def test_fields_choose_tsv(self):
        fields = "line,kind,port,subdomain,suffix_kind,unicode,flags,error"
        done = self.extract(f"--fields={fields}", stdin=b"http://u@x.y.github.io:81\nhttp://1.2.3\n:\n")
        rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
        self.assertEqual(
            rows,
            [
                ["1", "domain", "81", "x", "private", "x.y.github.io", "userinfo,sample_differs", ""],
                ["2", "ipv4", "", "", "", "1.2.0.3", "numeric_ip,sample_differs", ""],
                ["3", "", "", "", "", "", "", "no_host"],
            ],
        )

    def test_ndjson(self):
        done = self.extract("--format=ndjson", "--suffixes=icann", stdin=b"http://a.github.io/\nhttp://[\n")
        good, bad = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual((good["domain"], good["suffix"], good["suffix_kind"]), ("a.github.io", "io", "unlisted"))
        self.assertEqual((bad["line"], bad["error"]), (2, "ipv6"))

    def test_regex_engines_answer_as_the_sample(self):
        for engine in ("regex-each", "regex", "pcre"):
            done = self.extract(f"--engine={engine}", stdin=f"{SAMPLE}\nhttp://u:p@h.com:8/\nhttp://no.com\n".encode())
            self.assertEqual(done.stdout, b"www.google.com\nu:p@h.com:8\n\n", engine)

    # ---- bad lines ----

    def test_errors_keep_skip_stop(self):
        lines = b"http://a.com/\nhttp://1.2.3.256/\nhttp://b.com/\n"
        keep = self.extract("--errors=keep", stdin=lines)
        self.assertEqual((keep.stdout, keep.returncode), (b"a.com\n\nb.com\n", 0))
        self.assertIn(b"standard input:2: the host ends in a number", keep.stderr)
        self.assertIn(b"1 of 3 lines have no domain", keep.stderr)
        skip = self.extract("--errors=skip", stdin=lines)
        self.assertEqual((skip.stdout, skip.returncode), (b"a.com\nb.com\n", 0))
        stop = self.extract("--errors=stop", stdin=lines)
        self.assertEqual((stop.stdout, stop.returncode), (b"a.com\n", 1))

    def test_few_bad_lines_are_told_one_by_one(self):
        done = self.extract(stdin=b"/\n" * 1000)
        self.assertEqual(done.stdout, b"\n" * 1000)
        self.assertEqual(len(done.stderr.splitlines()), 11)

    def test_any_bytes_are_lines(self):
        done = self.extract("--format=ndjson", stdin=bytes(range(256)) + b"\n\xff\xfe\n\n")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(rows), 4)

    def test_lines_too_long(self):
        for size in (65536 + 1, 300_000, 700_000):
            done = self.extract("--fields=line,error,domain", stdin=b"http://a.com/\n" + b"h" * size + b"\nhttp://b.com/\n")
            self.assertEqual(done.stdout, b"1\t\ta.com\n2\tline_too_long\t\n3\t\tb.com\n", size)

    def test_a_line_of_the_longest_size(self):
        line = b"http://a.com/" + b"x" * (65536 - 13)
        self.assertEqual(self.extract(stdin=line + b"\n").stdout, b"a.com\n")

    # ---- many lines, many workers ----

    def test_order_is_kept_with_many_workers(self):
        lines = [f"http://h{i}.example{i % 7}.com/{'x' * (i % 211)}" for i in range(60_000)]
        path = self.file("urls.txt", "\n".join(lines))
        expected = "".join(f"h{i}.example{i % 7}.com\n" for i in range(60_000)).encode()
        for jobs in (1, 2, 5):
            done = self.extract(f"-j{jobs}", path)
            self.assertEqual(done.stdout, expected, f"-j{jobs}")

    def test_lines_are_numbered_in_their_own_file(self):
        one = self.file("one", "http://a.com/\n/\nhttp://c.com/")
        two = self.file("two", "/\nhttp://d.com/\n")
        done = self.extract("--fields=line,domain", one, two, "-j3")
        self.assertEqual(done.stdout, b"1\ta.com\n2\t\n3\tc.com\n1\t\n2\td.com\n")
        self.assertIn(b"one:2: ", done.stderr)
        self.assertIn(b"two:1: ", done.stderr)

    def test_count(self):
        done = self.extract("--count=2", "-j2", stdin=b"http://b.com/\nhttp://a.com/\n" * 50_000 + b"http://c.com/\nhttp://b.com/\n")
        self.assertEqual(done.stdout, b"50001\tb.com\n50000\ta.com\n")
        by_field = self.extract("--count", "--fields=registrable", stdin=b"http://x.b.com/\nhttp://y.b.com/\n")
        self.assertEqual(by_field.stdout, b"2\tb.com\n")

    def test_real_urls_are_the_same_with_any_number_of_workers(self):
        path = shared_data("urls", "real_mix.txt")
        if path is None:
            return
        outputs = {self.extract(f"-j{jobs}", "--format=ndjson", path).stdout for jobs in (1, 3)}
        self.assertEqual(len(outputs), 1)
        self.assertEqual(outputs.pop().count(b"\n"), path.read_bytes().count(b"\n"))

    # ---- the sample job ----

    def test_repeat(self):
        done = self.extract("--repeat=1000", SAMPLE)
        self.assertEqual(done.stdout, b"www.google.com\n")
        self.assertIn(b"1000 calls of scan in ", done.stderr)

    def test_profile_of_each_call_compiled(self):
        done = self.extract("--repeat=2000", "--engine=regex-each", "--profile=tottime", SAMPLE)
        text = done.stdout.decode()
        rows = [line.split() for line in text.splitlines() if line.strip().startswith("2000")]
        names = [row[-1] for row in rows]
        self.assertEqual(names[0], "{regcomp}", text)
        self.assertIn("(find_domain)", text)
        self.assertIn("Ordered by: internal time", text)
        once = self.extract("--repeat=2000", "--engine=regex", "--profile", SAMPLE).stdout.decode()
        self.assertNotIn("   2000    0.0 {regcomp}", once)
        self.assertRegex(once, r"\n +1 .*\{regcomp\}")

    def test_profile_counts_every_worker(self):
        done = self.extract("-j3", "--profile=ncalls", "--format=tsv", "--fields=line", stdin=b"http://a.com/\n" * 30_000)
        self.assertRegex(done.stdout.decode(), r"\n +30000 .*\(domain_parse\)")

    # ---- what can go wrong ----

    def test_usage(self):
        for args in (["--format=xml"], ["--fields=nope"], ["--engine=perl"], ["-j0"], ["--repeat=5"],
                     ["--errors=hide"], ["--profile=nope"], ["--count=-1"], ["--nope"]):
            done = self.extract(*args)
            self.assertEqual((done.returncode, done.stdout), (2, b""), args)
            self.assertNotEqual(done.stderr, b"", args)
        self.assertIn(b"--engine is one of scan, regex-each, regex, pcre, pcre-jit, not 'perl'",
                      self.extract("--engine=perl").stderr)

    def test_a_missing_file(self):
        done = self.extract(self.file("a", "http://a.com/\n"), "/no/such/file")
        self.assertEqual((done.stdout, done.returncode), (b"a.com\n", 1))
        self.assertEqual(done.stderr, b"domainc extract: /no/such/file: No such file or directory\n")

    def test_a_directory(self):
        self.assertEqual(self.extract(self.dir.name).returncode, 1)

    def test_a_bad_suffix_list(self):
        bad = self.file("bad.dat", "com\na..b\n")
        done = run("domainc", "extract", f"--suffix-list={bad}")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{bad}:2: not a suffix rule: 'a..b'", done.stderr)

    def test_a_full_disk(self):
        path = self.file("urls", "http://a.com/\n" * 100_000)
        for jobs in ("-j1", "-j4", "--count"):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([BIN / "domainc", "extract", f"--suffix-list={self.list}", jobs, path],
                                      stdout=full, stderr=subprocess.PIPE, timeout=180, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, b"domainc extract: standard output: No space left on device\n")

    def test_a_closed_pipe(self):
        path = self.file("urls", "http://a.com/\n" * 500_000)
        process = subprocess.Popen([BIN / "domainc", "extract", f"--suffix-list={self.list}", path],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
        self.assertEqual(process.wait(180), 1)
        process.stderr.close()
        self.assertEqual(stderr, b"domainc extract: standard output: Broken pipe\n")

    def test_a_slow_pipe_is_answered_as_it_comes(self):
        process = subprocess.Popen([BIN / "domainc", "extract", f"--suffix-list={self.list}"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name in (b"a.com", b"b.com"):
            process.stdin.write(b"http://" + name + b"/\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), name + b"\n")
        process.stdin.close()
        self.assertEqual(process.wait(180), 0)
        process.stdout.close()


if __name__ == "__main__":
    unittest.main()
