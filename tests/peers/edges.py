"""Three edges on one PostgreSQL, behind Debian's nginx with the configuration of `vitrine recipe nginx`, while shoppers buy: each edge is
replaced in turn, one is killed, and the shop is published anew. No order that a shopper was shown is lost, nothing is sold twice, and the
store's promises hold. The sandbox's ledger, which no edge decides by, says what was really taken."""

import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from shop import BINARY, ROOT, free_port

SKU = "CUP-1"
STOCK = 100_000
SECONDS, PER_SECOND = 24, 8
NGINX = os.environ.get("NGINX", shutil.which("nginx") or "/usr/sbin/nginx")


def until(what, seconds, holds):
    """Waits until something holds that others bring about."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def log_of(edge):
    return (edge.shop.folder / f"edge-{edge.number}.log").read_text(errors="replace")


class Edge:
    def __init__(self, shop, number):
        self.shop, self.number = shop, number
        self.port, self.operator = free_port(), free_port()
        self.process = None

    def start(self):
        words = ["edge", "--listen", f"127.0.0.1:{self.port}", "--operator", f"127.0.0.1:{self.operator}", "--leave-time-ms", "500"]
        with open(self.shop.folder / f"edge-{self.number}.log", "ab") as log:
            self.process = subprocess.Popen([BINARY, *words], cwd=self.shop.folder, env=self.shop.environment, stdout=log, stderr=log)
        try:
            until(f"edge {self.number} is ready", 30, lambda: self.ready().get("ready"))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{log_of(self)[-3000:]}") from error

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.operator}/readyz", timeout=2) as answer:
                return json.load(answer)
        except (OSError, urllib.error.HTTPError, ValueError):
            return {}

    def leave(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(40) == 0, "an edge that is told to leave ends well"

    def kill(self):
        self.process.kill()
        self.process.wait()


class Shop:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vitrine-edges-"))
        self.cluster = tempfile.mkdtemp(prefix="vitrine-cluster-")
        self.edges, self.nginx = [], None

    def open(self):
        started = subprocess.run([ROOT / "tests/cluster", "start", self.cluster], check=True, capture_output=True, text=True)
        self.environment = {**os.environ, "VITRINE_DATABASE_URL": started.stdout.strip() + "?sslmode=disable",
                            "VITRINE_PAYMENTS_PER_SECOND": "1000", "VITRINE_STATE": str(self.folder / ".vitrine")}
        self.port = free_port()
        self.run("init", ".")
        site = self.folder / "site.toml"
        text = re.sub(r'(?m)^base_url = .*$', f'base_url = "http://127.0.0.1:{self.port}"', site.read_text())
        site.write_text(text + '\n[edge]\ntrusted_proxies = ["127.0.0.1"]\n')
        self.run("build")
        self.edges = [Edge(self, number) for number in range(3)]
        words = [word for edge in self.edges for word in ("--edge", f"127.0.0.1:{edge.port}")]
        own = self.folder / "nginx"
        own.mkdir()
        self.run("recipe", "nginx", "--listen", f"127.0.0.1:{self.port}", "--folder", self.folder / "public", "--log", own, "--out", own, *words)
        places = " ".join(f"{name}_temp_path temp-{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        recipe = next(own.glob("*.conf"))
        around = f"daemon off; master_process off; pid nginx.pid; error_log error.log; events {{}} http {{ {places} include {recipe.name}; }}"
        (own / "around").write_text(around)
        for edge in self.edges:
            edge.start()
        self.run("stock", "set", SKU, str(STOCK), "--reason", "enough for all")
        self.nginx = subprocess.Popen([NGINX, "-p", own, "-e", "error.log", "-c", "around"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}"
        until("nginx answers", 10, lambda: self.answers("/products/"))

    def answers(self, path):
        try:
            urllib.request.urlopen(self.url + path, timeout=2)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def run(self, *words):
        done = subprocess.run([BINARY, *map(str, words)], cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    def stop(self):
        for edge in self.edges:
            if edge.process and edge.process.poll() is None:
                edge.kill()
        if self.nginx:
            self.nginx.kill()
            self.nginx.wait()
        subprocess.run([ROOT / "tests/cluster", "stop", self.cluster], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class ManyEdges(unittest.TestCase):
    def setUp(self):
        self.shop = Shop()
        self.addCleanup(self.shop.stop)
        self.shop.open()

    def load(self):
        words = ["load", self.shop.url, "--scenario", "checkout", "--sku", SKU, "--rate", f"{PER_SECOND}/s", "--for", f"{SECONDS}s",
                 "--json", "report.json"]
        return subprocess.Popen([BINARY, *words], cwd=self.shop.folder, env=self.shop.environment, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def test_no_order_that_was_shown_is_lost_while_edges_come_and_go(self):
        shop, (first, second, third) = self.shop, self.shop.edges
        before = first.ready()["bundle"]
        load = self.load()
        paid = lambda: len(self.orders())
        until("shoppers buy", 20, lambda: paid() >= 10)
        # A new bundle while they do: all edges take it.
        page = next((shop.folder / "content/pages").glob("*.md"))
        page.write_text(page.read_text() + "\nOne more line.\n")
        site = shop.folder / "site.toml"
        site.write_text(re.sub(r'(?m)^tagline = .*$', 'tagline = "Another one"', site.read_text()))
        shop.run("build")
        until("all edges serve the new bundle", 20, lambda: len({edge.ready().get("bundle") for edge in shop.edges} - {before}) == 1
              and all(edge.ready().get("bundle") not in (None, before) for edge in shop.edges))
        # One is killed in the middle of what it does, and comes back.
        second.kill()
        seen = paid()
        until("the others sell on", 20, lambda: paid() >= seen + 10)
        second.start()
        # Each of the others is replaced.
        for edge in (first, third):
            edge.leave()
            edge.start()
        told = load.communicate(timeout=120)[1]
        self.assertEqual(load.returncode, 0, told)
        report = json.loads((shop.folder / "report.json").read_text())
        shown, orders = set(report["order_numbers"]), self.orders()
        self.assertEqual(shown - set(orders), set(), "an order that a shopper was shown is in the store, and placed")
        self.assertGreaterEqual(len(shown), SECONDS * PER_SECOND // 2, told)
        shop.run("store", "verify")
        self.assert_money(orders)
        [stock] = [level for level in json.loads(shop.run("stock", "show", "--json")) if level["sku"] == SKU]
        self.assertGreaterEqual(stock["sold"], len(orders), stock)
        outcomes = report["shoppers"]["outcomes"]
        print(f"edges: {len(shown)} orders shown of {report['shoppers']['began']} shoppers ({outcomes}), {report['errors']} faults, "
              f"{report['server_errors']} of them 5xx, p99 of checkout {report['checkout']['response']['p99_ms']:.0f} ms")

    def orders(self):
        """Orders that are a promise, by their numbers. Of some the money is held and not taken yet: what a killed edge was at is taken up
        once its lease is over, two minutes later."""
        listed = json.loads(self.shop.run("orders", "list", "--state", "placed", "--limit", "10000", "--json"))
        return {order["number"]: order for order in listed}

    def assert_money(self, orders):
        """By the sandbox's own ledger: each order has its money, taken or held, and no checkout had it taken twice."""
        with contextlib.closing(sqlite3.connect(self.shop.folder / ".vitrine/sandbox.db")) as ledger:
            rows = ledger.execute("SELECT * FROM payments")
            names = [column[0] for column in rows.description]
            payments = [dict(zip(names, row)) for row in rows]
        checkout = lambda payment: json.loads(payment["metadata"])["checkout"]
        taken = collections.Counter(checkout(payment) for payment in payments if payment["state"] == "captured")
        self.assertEqual({name: count for name, count in taken.items() if count > 1}, {}, "nobody paid twice")
        moved = {checkout(payment) for payment in payments if payment["state"] in ("captured", "authorized")}
        self.assertGreaterEqual(len(moved), len(orders), "no order is placed without its money")


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    failed = len(result.failures) + len(result.errors)
    print(f"# pass {result.testsRun - failed}")
    print(f"# fail {failed}")
    sys.exit(1 if failed else 0)
