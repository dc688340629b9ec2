"""The manual pages: what coro(3) says is what the headers say, and every page renders cleanly."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOMAIND_BIN", ROOT / "build" / "dev" / "bin")).parent
HEADERS = ("coro", "io", "sync", "offload", "resolve", "signal", "inspect")
NAMES = (*HEADERS, "base/public")  # which declares no function
PAGES = sorted((ROOT / "conf" / "man").glob("*.[1-8]")) + sorted(BUILD.glob("**/domaind.8"))


def normal(text):
    """A declaration with one way to write its blanks."""
    return re.sub(r"\s*([*(),])\s*", r"\1", " ".join(text.split()))


def header(name):
    """Its declarations, without comments, preprocessor lines and C++'s second name."""
    text = re.sub(r"/\*.*?\*/", "", (ROOT / "coro" / f"{name}.h").read_text(), flags=re.S)
    text = re.sub(r"\\\n", " ", text)
    return "\n".join(line for line in text.splitlines() if "__asm__" not in line)


def declared(name):
    """{function: (type, arguments)}, and {macro: number of arguments} for those that spawn."""
    text = header(name)
    macros = {m[1]: m[2].count(",") + 1 for m in re.finditer(r"#define (co_\w+)\(([^)]*)\)", text)}
    code = re.sub(r"^#.*$", "", text, flags=re.M)
    code = re.sub(r"\b(CO_FN|CO_MUST_USE|CO_C_BEGIN|CO_C_END)\b", "", code)
    functions = {m[2]: (normal(m[1]), normal(m[3])) for m in re.finditer(
        r"^[ ]*((?:const |struct )*\w+[ *]+)(co_\w+) ?\(((?:[^()]|\([^()]*\))*)\);", code, re.M)
        if not m[1].startswith("typedef")}
    return functions, macros


def described():
    """What the SYNOPSIS of coro(3) says: {header: {function: (type, arguments)}}."""
    found, where, kind, open_function = {}, None, None, None
    synopsis = (ROOT / "conf" / "man" / "coro.3").read_text().split(".Sh SYNOPSIS\n")[1].split("\n.Sh")[0]
    for line in synopsis.splitlines():
        words = [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', line)]
        if words[0] == ".In":
            where = found.setdefault(words[1], {})
        elif words[0] == ".Ft":
            kind = words[1]
        elif words[0] == ".Fn":
            where[words[1]] = (normal(kind), normal(",".join(words[2:])))
        elif words[0] == ".Fo":
            open_function = (words[1], [])
        elif words[0] == ".Fa":
            open_function[1].append(words[1])
        elif words[0] == ".Fc":
            where[open_function[0]] = (normal(kind), normal(",".join(open_function[1])))
    return found


class Manual(unittest.TestCase):
    maxDiff = None

    def test_the_synopsis_is_what_the_headers_declare(self):
        pages = described()
        self.assertEqual(sorted(pages), sorted(f"coro/{name}.h" for name in HEADERS))
        for name in HEADERS:
            functions, macros = declared(name)
            self.assertGreater(len(functions), 0)
            page = pages[f"coro/{name}.h"]
            for macro, count in macros.items():
                self.assertIn(macro, page, f"in the SYNOPSIS of conf/man/coro.3, from coro/{name}.h")
                # ellipsis and types aside, a macro takes what its description says
                self.assertEqual(page.pop(macro)[1].count(",") + 1, count, macro)
            self.assertEqual(page, functions, f"conf/man/coro.3 and coro/{name}.h differ")

    def test_every_public_name_is_explained(self):
        page = (ROOT / "conf" / "man" / "coro.3").read_text()
        text = page.split(".Sh DESCRIPTION")[1]
        for name in NAMES:
            words = set(re.findall(r"\b(?:co|CO)_\w+\b", header(name)))
            words -= {w for w in words if w.startswith("co_site_here") or w in ("CO_C_BEGIN", "CO_C_END")}
            missing = sorted(w for w in words if not re.search(rf"\b{w}\b", text))
            self.assertEqual(missing, [], f"of coro/{name}.h, to be explained in conf/man/coro.3")

    def test_pages_render_without_warnings(self):
        self.assertGreater(len(PAGES), 3)
        for page in PAGES:
            with self.subTest(page=page.name):
                if shutil.which("groff"):
                    done = subprocess.run(["groff", "-mandoc", "-ww", "-Tutf8", page], capture_output=True,
                                          text=True, timeout=300)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    self.assertGreater(done.stdout.count("\n"), 100)
                if shutil.which("mandoc"):
                    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True,
                                          text=True, timeout=300)
                    self.assertEqual(done.stdout, "")
        if not shutil.which("groff") and not shutil.which("mandoc"):
            self.skipTest("neither groff nor mandoc")


if __name__ == "__main__":
    unittest.main()
