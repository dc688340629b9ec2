"""GET /domain?url=U&follow=1: where redirects end, in every mode, and where it may not go."""

import concurrent.futures
import json
import threading
import unittest
import urllib.parse

from domaind import MODES, PATIENCE_S, Domaind, run, wait_until
from fakehttp import FakeServer, Reply

ALLOW = ("--follow=on", "--follow-allow=127.0.0.1", "--follow-timeout=10m")


def redirects(url):
    """`hops-N` redirects N times, then answers; `to-URL` redirects to URL."""
    if url.startswith("hops-"):
        left = int(url[5:])
        return Reply(302, headers=(("Location", f"/?url=hops-{left - 1}"),)) if left else Reply(body=b"x" * 100000)
    if url.startswith("to-"):
        return Reply(301, headers=(("Location", url[3:]),))
    if url == "slow":
        return Reply(delay=5)
    return Reply(404)


class Held:
    """Redirects, but no answer to `wait` before release()."""

    def __init__(self):
        self.released = threading.Event()

    def __call__(self, url):
        if url == "wait":
            self.released.wait(2 * PATIENCE_S)
        return redirects(url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.released.set()


def follow(server, url, extra=""):
    target = f"/domain?{extra}url={urllib.parse.quote(url, safe='')}&follow=1"
    status, _, body = server.get(target)
    return status, body.decode()


class Follow(unittest.TestCase):
    def each_mode(self, *flags):
        for mode in MODES:
            with self.subTest(mode=mode), FakeServer(redirects) as web, Domaind(mode, *ALLOW, *flags) as server:
                yield server, f"http://127.0.0.1:{web.port}/?url="

    def test_the_answer_is_for_the_final_url(self):
        for server, web in self.each_mode():
            status, body = follow(server, web + "hops-3")
            self.assertEqual(status, 200, body)
            answer = json.loads(body)
            self.assertEqual(answer["url"], web + "hops-0")
            self.assertEqual(answer["domain"], "127.0.0.1")
            self.assertEqual(
                answer["hops"], [{"url": web + f"hops-{n}", "status": 302 if n else 200} for n in (3, 2, 1, 0)]
            )
            # a status is no failure: the URL is known
            self.assertEqual(json.loads(follow(server, web + "missing")[1])["hops"][0]["status"], 404)
            self.assertEqual(follow(server, web + "hops-1", "format=text&"), (200, "127.0.0.1\n"))
            self.assertNotIn("hops", json.loads(server.get("/domain?follow=0&url=http://127.0.0.1/")[2]))

    def test_internal_addresses_are_refused_at_every_hop(self):
        for server, web in self.each_mode():
            for inside in ("http://127.0.0.2/", "http://169.254.169.254/latest/", "http://[::1]/", "http://0x7f.2/"):
                for url in (inside, web + "to-" + urllib.parse.quote(inside, safe="")):
                    status, body = follow(server, url)
                    self.assertEqual(status, 403, body)
                    self.assertIn("not public", body)

    def test_what_cannot_be_followed(self):
        for server, web in self.each_mode("--follow-timeout=300ms"):
            status, body = follow(server, web + "slow")
            self.assertEqual(status, 504, body)
            self.assertIn("timed out", body)
        for server, web in self.each_mode("--follow-hops=2"):
            for url, status, why in (
                (web + "hops-3", 502, "more than 2 redirects"),
                (web + "to-ftp://127.0.0.1/x", 422, "only http and https"),
                ("http://127.0.0.1:1/", 502, "Connection refused"),
                ("http://no-such-host.invalid/", 502, "does not resolve"),
                ("http://exa mple/", 422, "not a valid URL"),
                # a browser goes to a.example, libcurl to what stands behind the @
                (web.replace("127", "a.example\\@127", 1), 422, "read in two ways"),
                (web + "to-" + web.replace("127", "a.example\\@127", 1), 422, "read in two ways"),
            ):
                got, body = follow(server, url)
                self.assertEqual(got, status, body)
                self.assertIn(why, body)

    def test_waiting_for_others_keeps_nobody_waiting(self):
        """20 that wait on one worker: together, and a plain request between them at once."""
        with Held() as held, FakeServer(held) as web, Domaind("coroutine", "--workers=1", *ALLOW) as server:
            url = f"http://127.0.0.1:{web.port}/?url=wait"
            with concurrent.futures.ThreadPoolExecutor(20) as pool, held:
                waiting = [pool.submit(follow, server, url) for _ in range(20)]
                wait_until(lambda: web.busy == 20, lambda: f"{web.busy} are fetched")
                self.assertEqual(server.get("/domain?url=https://example.com/")[0], 200)
                self.assertFalse([done for done in waiting if done.done()])
                held.released.set()
                self.assertEqual({done.result()[0] for done in waiting}, {200})
            self.assertEqual(web.most_busy, 20)

    def test_a_stop_cuts_it_short(self):
        for mode in MODES:
            with self.subTest(mode=mode), Held() as held, FakeServer(held) as web:
                with Domaind(mode, *ALLOW, "--drain-timeout=200ms") as server:
                    pool = concurrent.futures.ThreadPoolExecutor(1)
                    url = f"http://127.0.0.1:{web.port}/?url=wait"
                    waiting = pool.submit(follow, server, url)
                    wait_until(lambda: web.busy == 1, "it is not fetched")
                    server.stop()  # long before there is an answer
                waiting.exception()  # cut off or told so; either way it ends
                pool.shutdown()

    def test_off_until_allowed(self):
        with Domaind("coroutine") as server:
            status, body = follow(server, "http://example.com/")
            self.assertEqual(status, 403)
            self.assertIn("--follow=on", body)
            self.assertEqual(server.get("/domain?url=http://x/&follow=maybe")[0], 400)

    def test_a_bad_network_is_named(self):
        done = run("domaind", "--follow-allow=127.0.0.0/8,nonsense", "--listen=127.0.0.1:0")
        self.assertEqual(done.returncode, 2)
        self.assertIn("follow-allow", done.stderr)


if __name__ == "__main__":
    unittest.main()
