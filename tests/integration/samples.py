"""The files in conf/ are what the programs they are for take, and name what is there."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from domaind import BIN, MODES, ROOT, Domaind

CONF = ROOT / "conf"


def checked(test, *command, **kwargs):
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **kwargs)
    test.assertEqual(ended.returncode, 0, f"{command}\n{ended.stdout}{ended.stderr}")
    return ended.stdout + ended.stderr


class Samples(unittest.TestCase):
    def test_haproxy_takes_its_configuration(self):
        checked(self, "haproxy", "-c", "-q", "-f", str(CONF / "haproxy" / "domaind.cfg"))

    def test_prometheus_takes_its_configuration_and_rules(self):
        text = checked(self, "promtool", "check", "config", str(CONF / "prometheus" / "prometheus.yml"))
        self.assertIn("9 rules found", text)

    def test_systemd_takes_the_units(self):
        with tempfile.TemporaryDirectory() as folder:
            units = []
            for name in ("domaind.service", "domaind.socket"):
                text = (CONF / "systemd" / name).read_text()
                unit = pathlib.Path(folder) / name
                unit.write_text(text.replace("/usr/bin/domaind", str(BIN / "domaind")))
                units.append(str(unit))
            text = checked(self, "systemd-analyze", "verify", "--man=no", *units)
            self.assertNotIn("Unknown", text)

    def test_every_metric_that_is_asked_for_exists(self):
        exported = set()
        for mode in MODES:
            with Domaind(mode) as server:
                server.get("/livez")
                text = server.get("/metrics")[2].decode()
            exported |= set(re.findall(r"^(domaind_\w+)", text, re.MULTILINE))
        dashboard = (CONF / "grafana" / "domaind.json").read_text()
        json.loads(dashboard)
        rules = (CONF / "prometheus" / "domaind.rules.yml").read_text()
        asked = set(re.findall(r"\bdomaind_\w+", dashboard + rules))
        self.assertGreater(len(asked), 8)
        self.assertEqual(asked - exported, set())

    def test_prometheus_takes_the_metrics(self):
        with Domaind("coroutine") as server:
            server.get("/domain?url=http://example.com/")
            text = server.get("/metrics")[2].decode()
        checked(self, "promtool", "check", "metrics", input=text)


class Generated(unittest.TestCase):
    """What the build makes from the table of parameters."""

    SHARE = BIN.parent / "share"

    def test_the_sample_file_is_the_tables(self):
        made = (self.SHARE / "domaind.conf").read_text()
        self.assertEqual((CONF / "domaind.conf").read_text(), made, "copy it from build/dev/share")

    def test_the_sample_file_is_right_as_it_is_and_with_every_line_in_force(self):
        text = (CONF / "domaind.conf").read_text()
        lines = []
        for line in text.splitlines():
            set_line = re.match(r"#([a-z-]+ =.*)$", line)
            empty = set_line and set_line.group(1).endswith("=")
            lines.append(set_line.group(1) if set_line and not empty else line)
        with tempfile.TemporaryDirectory() as folder:
            for content in (text, "\n".join(lines) + "\n"):
                path = pathlib.Path(folder) / "domaind.conf"
                path.write_text(content)
                checked(self, BIN / "domaind", f"--config={path}", "--check")

    def test_the_manual_page_names_every_flag(self):
        page = self.SHARE / "domaind.8"
        help_text = checked(self, BIN / "domaind", "--help")
        shown = page.read_text().replace("\\-", "-")
        for flag in re.findall(r"^  --([a-z-]+)", help_text, re.MULTILINE):
            self.assertIn(f"--{flag}", shown)

    def test_the_completions_load(self):
        checked(self, "bash", "-n", self.SHARE / "domaind.bash")
        script = (
            f"source {self.SHARE}/domaind.bash; COMP_WORDS=(domaind --mo); COMP_CWORD=1;"
            "compopt() { :; }; _domaind; echo ${COMPREPLY[*]}"
        )
        self.assertEqual(checked(self, "bash", "-c", script).strip(), "--mode=")
        script = script.replace("(domaind --mo)", "(domaind --mode = th)").replace("CWORD=1", "CWORD=3")
        self.assertEqual(checked(self, "bash", "-c", script).strip(), "thread")
        script = script.replace("--mode = th", "--user = roo")
        self.assertIn("root", checked(self, "bash", "-c", script).split())

    def test_the_completions_of_other_shells_load(self):
        fish = (
            f"source {self.SHARE}/domaind.fish; complete -C 'domaind --mode='; complete -C 'domaind --drain-d'; "
            "complete -C 'domaind --config /etc/host'"
        )
        zsh = f"fpath=({self.SHARE} $fpath); autoload -Uz compinit; compinit -D; print $_comps[domaind]"
        for shell, script, words in (
            ("fish", fish, ("--mode=thread", "after TERM: how long", "/etc/hosts")),
            ("zsh", zsh, ("_domaind",)),
        ):
            if shutil.which(shell) is None:
                print(f"not here: {shell}; its completions were not loaded", flush=True)
                continue
            with tempfile.TemporaryDirectory() as home:
                flags = ["-f"] if shell == "zsh" else ["--no-config"]
                ended = subprocess.run([shell, *flags, "-c", script], capture_output=True, text=True, timeout=300,
                                       check=False, env={**os.environ, "HOME": home})
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            for word in words:
                self.assertIn(word, ended.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
