"""The files in conf/ that deploy domaind: each against the programs it is for, against the
server, and against each other."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from access_log import wait_for_lines, wait_till_left
from domaind import BIN, ROOT, Domaind, run
from samples import CONF, checked

try:
    import yaml
except ImportError:  # another Python than Debian's, which could read it all the same
    sys.path.append("/usr/lib/python3/dist-packages")
    import yaml

ROUTES = dict(re.findall(r'^ROUTE\("([^"]+)".*?(HTTP_ROUTE_ADMIN|\d|HTTP_ROUTE_\w+)',
                         (ROOT / "server" / "routes.def").read_text(), re.MULTILINE))


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


class Prometheus(unittest.TestCase):
    def test_alerts_come_when_they_are_due(self):
        text = checked(self, "promtool", "test", "rules", "domaind.test.yml", cwd=CONF / "prometheus")
        self.assertIn("SUCCESS", text)

    def test_every_alert_is_tested(self):
        rules = yaml.safe_load((CONF / "prometheus" / "domaind.rules.yml").read_text())
        alerts = {rule["alert"] for rule in rules["groups"][0]["rules"] if "alert" in rule}
        tests = (CONF / "prometheus" / "domaind.test.yml").read_text()
        self.assertEqual({a for a in alerts if f"alertname: {a}\n" not in tests}, set())

    def test_the_dashboards_queries_are_queries(self):
        panels = json.loads((CONF / "grafana" / "domaind.json").read_text())["panels"]
        self.assertEqual(len({p["id"] for p in panels}), len(panels))
        places = {(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels}
        self.assertEqual(len(places), len(panels))
        rules = []
        for panel in panels:
            for target in panel["targets"]:
                query = target["expr"].replace("$__rate_interval", "1m")
                rules.append({"record": f"panel:{len(rules)}", "expr": query.replace("$instance", ".*")})
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            self.assertIn(f"{len(rules)} rules found", checked(self, "promtool", "check", "rules", file.name))


class Systemd(unittest.TestCase):
    UNIT = (CONF / "systemd" / "domaind.service").read_text()

    def value(self, name):
        return re.search(rf"^{name}=(.*)$", self.UNIT, re.MULTILINE).group(1)

    def test_little_is_exposed(self):
        checked(self, "systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager",
                str(CONF / "systemd" / "domaind.service"))

    def test_what_it_starts_exists_and_its_times_fit(self):
        flags = re.findall(r"--([a-z-]+)", self.value("ExecStart") + self.value("ExecStartPre"))
        help_text = run("domaind", "--help").stdout
        for flag in flags:
            self.assertRegex(help_text, rf"\n  --{flag}[ =]")
        defaults = dict(re.findall(r"^#(drain-\w+) = (\w+)$", (CONF / "domaind.conf").read_text(), re.MULTILINE))
        self.assertGreater(seconds(self.value("TimeoutStopSec")), sum(map(seconds, defaults.values())))

    def test_the_socket_is_where_the_server_would_listen(self):
        unit = (CONF / "systemd" / "domaind.socket").read_text()
        addresses = re.findall(r"^ListenStream=(.*)$", unit, re.MULTILINE)
        (default,) = re.findall(r"^#listen = (.*)$", (CONF / "domaind.conf").read_text(), re.MULTILINE)
        self.assertEqual(",".join(addresses), default)


class Logrotate(unittest.TestCase):
    def test_a_rotation_loses_no_line(self):
        program = shutil.which("logrotate", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            print("not here: logrotate; the sample was not tried", flush=True)
            return
        text = (CONF / "systemd" / "logrotate.conf").read_text()
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "access.log"
            with Domaind("prefork", f"--access-log={log}", "--min-spare=2") as server:
                mine = text.replace("/var/log/domaind/", f"{folder}/")
                mine, replaced = re.subn(r"/bin/systemctl kill .*--signal=(\w+) .*", rf"kill -\1 {server.pid}", mine)
                self.assertEqual(replaced, 1)
                path = pathlib.Path(folder) / "logrotate.conf"
                path.write_text("create\n" + mine)
                for before in (True, False):
                    for _ in range(10):
                        self.assertEqual(server.get("/domain?url=http://example.com/")[0], 200)
                    if before:
                        wait_for_lines(log, 10)
                        checked(self, program, "-f", "-s", f"{folder}/state", str(path))
                        wait_till_left(server, f"{log}.1")
                self.assertEqual(server.stop(), 0)
            rotated = pathlib.Path(f"{log}.1").read_text()
            self.assertEqual((rotated + log.read_text()).count("GET /domain"), 20)
            self.assertGreaterEqual(log.read_text().count("GET /domain"), 9)


class Container(unittest.TestCase):
    TEXT = (CONF / "kubernetes" / "Containerfile").read_text()

    def packages(self):
        (line,) = re.findall(r"apt-get install -y --no-install-recommends (.*?) &&",
                             self.TEXT.replace("\\\n", " "), re.S)
        return set(line.split())

    def test_its_packages_are_the_libraries_of_the_programs(self):
        if os.environ.get("DOMAIND_SANITIZE"):
            return  # it links more
        needed = {"publicsuffix"}
        for program in ("domaind", "domainc"):
            text = checked(self, "objdump", "-p", BIN / program)
            for library in re.findall(r"NEEDED +(\S+)", text):
                if re.match(r"ld-|lib(c|m|asan|ubsan|tsan|gcc_s)\.", library):
                    continue
                owner = subprocess.run(["dpkg", "-S", f"*-linux-gnu*/{library}"], capture_output=True, text=True,
                                       timeout=300, check=False).stdout
                needed.add(owner.split(":")[0])
        # loaded when it is first needed
        self.assertEqual(self.packages() | {"libcurl4"}, needed | {"libcurl4"})
        self.assertIn("libcurl4", self.packages())

    def test_what_it_builds_and_starts_exists(self):
        for command in re.findall(r"\./dev (\w+(?: \w+)?)", self.TEXT):
            self.assertIn(command, {"setup build", "train"})
        for program in re.findall(r"build/release/bin/(\w+)", self.TEXT):
            self.assertTrue((BIN / program).exists())
        ignored = (ROOT / ".dockerignore").read_text().split()
        self.assertIn("build", ignored)  # a build of this machine is none of the container's
        entry = json.loads(re.search(r"^ENTRYPOINT (.*)$", self.TEXT, re.MULTILINE).group(1))
        checked(self, BIN / "domaind", *entry[1:], "--check")


class Kubernetes(unittest.TestCase):
    OBJECTS = {o["kind"]: o for o in yaml.safe_load_all((CONF / "kubernetes" / "domaind.yaml").read_text())}

    def setUp(self):
        self.pod = self.OBJECTS["Deployment"]["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]
        self.ports = {p["name"]: p["containerPort"] for p in self.container["ports"]}
        self.entry = json.loads(re.search(r"^ENTRYPOINT (.*)$", Container.TEXT, re.MULTILINE).group(1))

    def test_the_kinds_it_takes(self):
        self.assertEqual(set(self.OBJECTS), {"ConfigMap", "Deployment", "Service", "HorizontalPodAutoscaler",
                                             "PodDisruptionBudget"})
        versions = {"Deployment": "apps/v1", "HorizontalPodAutoscaler": "autoscaling/v2",
                    "PodDisruptionBudget": "policy/v1", "Service": "v1", "ConfigMap": "v1"}
        for kind, version in versions.items():
            self.assertEqual(self.OBJECTS[kind]["apiVersion"], version)

    def test_names_and_labels_find_each_other(self):
        deployment = self.OBJECTS["Deployment"]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        for selector in (deployment["spec"]["selector"]["matchLabels"], self.OBJECTS["Service"]["spec"]["selector"],
                         self.OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]):
            self.assertLessEqual(selector.items(), labels.items())
        target = self.OBJECTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
        self.assertEqual((target["kind"], target["name"]), ("Deployment", deployment["metadata"]["name"]))
        volumes = {v["name"]: v for v in self.pod["volumes"]}
        self.assertEqual(set(volumes), {m["name"] for m in self.container["volumeMounts"]})
        self.assertEqual(volumes["config"]["configMap"]["name"], self.OBJECTS["ConfigMap"]["metadata"]["name"])

    def test_ports_are_the_servers(self):
        flags = dict(flag.split("=", 1) for flag in self.entry[1:])
        self.assertEqual(flags["--listen"], f":{self.ports['http']}")
        self.assertEqual(flags["--admin-listen"], f":{self.ports['admin']}")
        exposed = re.search(r"^EXPOSE (.*)$", Container.TEXT, re.MULTILINE).group(1).split()
        self.assertEqual(set(map(int, exposed)), set(self.ports.values()))
        for port in self.OBJECTS["Service"]["spec"]["ports"]:
            self.assertIn(port["targetPort"], self.ports)
        notes = self.OBJECTS["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        self.assertEqual(int(notes["prometheus.io/port"]), self.ports["admin"])

    def test_probes_are_answered(self):
        """By a server with the very configuration, on the ports of the probes."""
        with tempfile.TemporaryDirectory() as folder:
            (name, text), = self.OBJECTS["ConfigMap"]["data"].items()
            path = pathlib.Path(folder) / name
            path.write_text(text)
            mount = self.container["volumeMounts"][0]["mountPath"]
            args = [arg.replace(f"{mount}/{name}", str(path)) for arg in self.container["args"]]
            self.assertNotEqual(args, self.container["args"])
            checked(self, BIN / "domaind", *self.entry[1:], *args, "--check")
            flags = [re.sub(r":\d+$", "127.0.0.1:0", flag) for flag in self.entry[1:]]
            with Domaind("coroutine", *flags, *args) as server:
                admin = int(re.search(r"administrators: listening on \S*:(\d+)", server.stderr).group(1))
                ports = {"http": server.port, "admin": admin}
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    asked = self.container[probe]["httpGet"]
                    server.port = ports[asked["port"]]
                    self.assertEqual(server.get(asked["path"])[0], 200, probe)
                server.port = admin
                self.assertEqual(server.get("/metrics")[0], 200)
                server.process.send_signal(signal.SIGKILL)  # its drain is tested elsewhere
                server.returncode = 0 if server.process.wait() else 1

    def test_its_times_fit(self):
        times = dict(re.findall(r"^(drain-\w+) = (\w+)$", self.OBJECTS["ConfigMap"]["data"]["domaind.conf"], re.MULTILINE))
        self.assertEqual(len(times), 2)
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], sum(map(seconds, times.values())))
        probe = self.container["readinessProbe"]
        self.assertGreater(seconds(times["drain-delay"]), probe["periodSeconds"] * probe["failureThreshold"])
        spec = self.OBJECTS["HorizontalPodAutoscaler"]["spec"]
        self.assertLess(self.OBJECTS["PodDisruptionBudget"]["spec"]["minAvailable"], spec["minReplicas"])
        self.assertEqual(self.OBJECTS["Deployment"]["spec"]["replicas"], spec["minReplicas"])
        self.assertIn("cpu", self.container["resources"]["requests"])  # what the autoscaler divides by

    def test_it_gives_up_what_it_does_not_need(self):
        own = self.container["securityContext"]
        self.assertFalse(own["allowPrivilegeEscalation"])
        self.assertTrue(own["readOnlyRootFilesystem"])
        self.assertEqual(own["capabilities"]["drop"], ["ALL"])
        self.assertTrue(self.pod["securityContext"]["runAsNonRoot"])
        user = re.search(r"^USER (\d+)", Container.TEXT, re.MULTILINE).group(1)
        self.assertEqual(self.pod["securityContext"]["runAsUser"], int(user))


class Haproxy(unittest.TestCase):
    def test_it_denies_every_administrators_route_and_checks_one_that_exists(self):
        text = (CONF / "haproxy" / "domaind.cfg").read_text()
        (denied,) = re.findall(r"path -m beg (.*?) }", text)
        admin = [path for path, flag in ROUTES.items() if flag == "HTTP_ROUTE_ADMIN"]
        self.assertGreater(len(admin), 5)
        for path in admin:
            self.assertTrue(any(path.startswith(prefix) for prefix in denied.split()), path)
        self.assertIn(re.search(r"http-check send .*uri (\S+)", text).group(1), ROUTES)


if __name__ == "__main__":
    unittest.main(verbosity=2)
