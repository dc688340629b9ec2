"""The live page in a real browser, without a screen.

Needs python3-selenium, chromium and chromium-driver (./dev setup web); without
them it says so and is skipped.
"""

import os
import shutil
import signal
import sys
import threading
import time
import unittest

SKIPPED = 77  # what ctest takes for "not run"
try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select, WebDriverWait
except ImportError:
    print("no selenium here: skipped")
    sys.exit(SKIPPED)
if shutil.which("chromedriver") is None:
    print("no chromedriver here: skipped")
    sys.exit(SKIPPED)

from domaind import Domaind


def browser():
    options = Options()
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1400,1200", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


class LivePage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Domaind("coroutine", "--test-endpoints").__enter__()
        cls.browser = browser()
        cls.stop = threading.Event()
        cls.load = threading.Thread(target=cls.ask)
        cls.load.start()

    @classmethod
    def tearDownClass(cls):
        cls.stop.set()
        cls.load.join()
        cls.browser.quit()
        cls.server.__exit__(None, None, None)

    @classmethod
    def ask(cls):
        while not cls.stop.is_set():
            cls.server.get("/domain?url=https://www.example.org/")
            time.sleep(0.005)

    def setUp(self):
        self.browser.get(f"http://127.0.0.1:{self.server.port}/profile")
        self.wait(lambda: self.cells("endpoint_domain"))

    def tearDown(self):
        problems = [e for e in self.browser.get_log("browser") if e["level"] == "SEVERE"]
        self.assertEqual(problems, [])

    def wait(self, condition, seconds=15):
        return WebDriverWait(self.browser, seconds, 0.1).until(lambda _: condition())

    def rows(self):
        """Read in one go: the table is redrawn every second."""
        return self.browser.execute_script(
            "return [...document.querySelectorAll('#table tbody tr')]"
            ".map(r => [...r.cells].map(c => c.textContent))"
        )

    def cells(self, name):
        for row in self.rows():
            if name in row[-1]:
                return row
        return None

    def element(self, what):
        return self.browser.find_element(By.CSS_SELECTOR, what)

    def text(self, what):
        return self.browser.execute_script(
            "return document.querySelector(arguments[0]).textContent", what
        )

    def test_it_is_alive(self):
        before = self.text("#moment")
        self.wait(lambda: self.text("#moment") != before)
        self.wait(lambda: self.text("#rate") not in ("-", "0"))
        self.assertEqual(self.text("#mode"), "coroutine")
        # a report that read a worker as it ran says so; one of the next did not
        self.wait(lambda: self.text("#note").endswith("exactly"))
        self.assertFalse(self.element("#trouble").is_displayed())

    def test_sorting(self):
        headers = self.browser.find_elements(By.CSS_SELECTOR, "#table th button")
        headers[0].click()  # calls, the most first
        calls = [int(row[0].split("/")[0].replace(",", "")) for row in self.rows()]
        self.assertEqual(calls, sorted(calls, reverse=True))
        headers[0].click()
        calls = [int(row[0].split("/")[0].replace(",", "")) for row in self.rows()]
        self.assertEqual(calls, sorted(calls))
        headers[-1].click()
        self.assertEqual(self.element("#table th:last-child").get_attribute("aria-sort"), "ascending")

    def test_filter(self):
        field = self.element("#filter")
        field.send_keys(r"^\{")
        names = [row[-1] for row in self.rows()]
        self.assertTrue(names)
        self.assertTrue(all(name.startswith("{") for name in names), names)
        field.clear()
        field.send_keys("session(")  # no regular expression: just text
        self.assertIn("bad", field.get_attribute("class"))

    def test_flame_graph_zooms_and_tells(self):
        Select(self.element("#measure")).select_by_value("count")
        frames = self.wait(lambda: self.browser.execute_script(
            "return [...document.querySelectorAll('#icicle div')].map(d => d.textContent)"))
        self.assertEqual(frames[0], "all")
        self.assertIn("http_session_turn", frames)
        self.element("#pause").click()
        zoom = ("const d = [...document.querySelectorAll('#icicle div')]"
                ".find(d => d.textContent === arguments[0]); d.click()")
        self.browser.execute_script(zoom, "http_session_turn")
        widths = self.browser.execute_script(
            "return [...document.querySelectorAll('#icicle div')].map(d => [d.textContent, d.style.width])")
        self.assertIn(["http_session_turn", "100%"], widths)
        self.browser.execute_script(zoom, "all")
        self.element("#pause").click()

    def test_one_route_alone(self):
        Select(self.element("#endpoint")).select_by_value("/domain")
        self.wait(lambda: not self.cells("http_session_turn") and self.cells("endpoint_domain"))

    def test_pause(self):
        self.element("#pause").click()
        time.sleep(0.5)
        before = self.text("#moment")
        time.sleep(2.2)
        self.assertEqual(self.text("#moment"), before)
        self.element("#pause").click()
        self.wait(lambda: self.text("#moment") != before)

    def test_another_choice_while_paused_shows_the_same_moment(self):
        self.element("#pause").click()
        time.sleep(0.5)
        before = self.text("#moment")
        Select(self.element("#endpoint")).select_by_value("/domain")
        self.wait(lambda: not self.cells("http_session_turn") and self.cells("endpoint_domain"))
        self.assertEqual(self.text("#moment"), before)
        Select(self.element("#endpoint")).select_by_value("")
        self.wait(lambda: self.cells("http_session_turn"))
        self.assertEqual(self.text("#moment"), before)

    def test_the_address_says_what_is_chosen(self):
        base = f"http://127.0.0.1:{self.server.port}/profile"
        self.browser.get(base + "?window=7s&endpoint=/domain&filter=parse")
        self.wait(lambda: self.cells("domain_parse"))
        self.assertEqual([row[-1].split()[0] for row in self.rows()], ["domain_parse"])
        Select(self.element("#window")).select_by_value("60s")
        self.assertIn("window=60s", self.browser.current_url)
        self.browser.refresh()
        self.wait(lambda: self.cells("domain_parse"))
        values = self.browser.execute_script(
            "return ['window', 'endpoint', 'filter'].map(id => document.getElementById(id).value)")
        self.assertEqual(values, ["60s", "/domain", "parse"])

    def test_a_choice_the_server_refuses_is_said(self):
        self.browser.get(f"http://127.0.0.1:{self.server.port}/profile?window=2h")
        self.wait(lambda: "window is a time up to 1h" in self.text("#trouble"))
        Select(self.element("#window")).select_by_value("10s")
        self.wait(lambda: not self.element("#trouble").is_displayed())
        self.browser.get_log("browser")  # the refusal

    def leave(self):
        """A page that asks a server which is gone, and whose failures are expected."""
        self.browser.get("about:blank")
        self.browser.get_log("browser")

    def narrow(self, port, mode):
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": True})
        self.browser.get(f"http://127.0.0.1:{port}/profile")
        self.wait(lambda: self.text("#mode") == mode and self.rows())

    def test_on_a_narrow_screen_only_tables_scroll(self):
        try:
            with Domaind("prefork") as other:
                self.narrow(other.port, "prefork")
                self.wait(lambda: "idle" in self.text("#children tbody"))
                width = self.browser.execute_script("return document.documentElement.scrollWidth")
                self.assertEqual(width, 400)
            self.narrow(self.server.port, "coroutine")
            right = self.browser.execute_script(
                "return document.querySelector('#table tbody td:last-child').getBoundingClientRect().right")
            self.assertLessEqual(right, 400)  # names stay in sight
        finally:
            self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            self.leave()

    def test_stop_start_reset(self):
        self.element("#record").click()
        self.wait(lambda: self.text("#record") == "Start recording")
        self.element("#record").click()
        self.wait(lambda: self.text("#record") == "Stop recording")
        self.element("#reset").click()
        self.wait(lambda: self.cells("endpoint_profile_reset") or self.cells("endpoint_domain"))

    def test_links_render_the_moment_again(self):
        link = self.element('footer a[data-format="text"]').get_attribute("href")
        path = link.split(str(self.server.port), 1)[1]
        status, headers, body = self.server.get(path)
        self.assertEqual(status, 200)
        self.assertIn(b"function calls", body)

    def test_nothing_comes_from_elsewhere(self):
        hosts = self.browser.execute_script(
            "return performance.getEntriesByType('resource').map(e => new URL(e.name).host)")
        self.assertEqual(set(hosts), {f"127.0.0.1:{self.server.port}"})

    def test_prefork_shows_its_children(self):
        with Domaind("prefork", "--min-spare=3") as other:
            self.browser.get(f"http://127.0.0.1:{other.port}/profile")
            self.wait(lambda: self.text("#children tbody").count("idle") >= 3)
            self.assertIn("GET /tasks?format=json HTTP/1.1", self.text("#children tbody"))
        self.browser.get(f"http://127.0.0.1:{self.server.port}/profile")
        self.wait(lambda: self.text("#mode") == "coroutine")
        self.assertFalse(self.element("#children").is_displayed())
        self.browser.get_log("browser")  # failed fetches at the end of the other server

    def test_a_server_that_hangs_is_said(self):
        with Domaind("thread") as other:
            self.browser.get(f"http://127.0.0.1:{other.port}/profile")
            self.wait(lambda: self.text("#mode") == "thread")
            os.kill(other.pid, signal.SIGSTOP)
            try:
                self.wait(lambda: self.element("#trouble").is_displayed(), 60)
            finally:
                os.kill(other.pid, signal.SIGCONT)
            self.wait(lambda: not self.element("#trouble").is_displayed(), 60)
        self.leave()

    def test_a_server_that_is_gone_is_said(self):
        with Domaind("thread") as other:
            self.browser.get(f"http://127.0.0.1:{other.port}/profile")
            self.wait(lambda: self.text("#mode") == "thread")
        self.wait(lambda: self.element("#trouble").is_displayed())
        self.leave()


if __name__ == "__main__":
    unittest.main()
