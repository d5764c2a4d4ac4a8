"""A built sample shop with its edge on free ports, and a purchase in it, for tests that bring an outside peer."""

import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("VITRINE_BINARY", str(ROOT / "target/ci/vitrine"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Shop:
    """Copies the sample shop, builds it, runs `vitrine edge`; `stop()` ends it and removes the folder. `settings` replaces texts of
    its site.toml."""

    def __init__(self, settings=None, **environment):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vitrine-peer-"))
        for part in ("content", "static", "templates"):
            shutil.copytree(ROOT / part, self.folder / part)
        site = (ROOT / "site.toml").read_text()
        for old, new in (settings or {}).items():
            assert old in site, old
            site = site.replace(old, new)
        (self.folder / "site.toml").write_text(site)
        self.port, operator = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        subprocess.run([BINARY, "build", "--base-url", self.url], cwd=self.folder, check=True)
        self.log = open(self.folder / "edge.log", "wb")
        self.process = subprocess.Popen(
            [BINARY, "edge", "--bundle", "shop.bundle", "--listen", f"127.0.0.1:{self.port}", "--operator", f"127.0.0.1:{operator}"],
            cwd=self.folder, env={**os.environ, **environment}, stdout=self.log, stderr=subprocess.STDOUT)
        self.wait_ready(operator)

    def wait_ready(self, operator):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                connection = http.client.HTTPConnection("127.0.0.1", operator, timeout=2)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit(f"the edge did not become ready:\n{self.read_log()}")

    def read_log(self):
        return (self.folder / "edge.log").read_text(errors="replace")

    def call(self, method, path, body=None, headers=None):
        """One request; gives (status, headers, JSON or text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = {"Accept": "application/json", **(headers or {})}
        if body is not None and not isinstance(body, (bytes, str)):
            body, sent["Content-Type"] = json.dumps(body), "application/json"
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        kind = answer.headers.get("Content-Type", "")
        return answer.status, answer.headers, json.loads(text) if "json" in kind else text

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Report:
    """Prints TAP-like closing lines that `tests/run` counts."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, holds, detail=""):
        self.passed += bool(holds)
        self.failed += not holds
        print(f"{'ok' if holds else 'not ok'} - {name} {'' if holds else detail}")

    def close(self):
        print(f"# pass {self.passed}\n# fail {self.failed}")
        raise SystemExit(self.failed > 0)


def first_sku(shop):
    """The first SKU in stock, read off the built product pages as a shopper's form would send it."""
    for page in sorted((shop.folder / "public/products").glob("*.html")):
        text = page.read_text()
        found = re.search(r'name="?sku"? (?:type="?\w+"? )?value="?([^">\s]+)', text)
        # One that needs no words from the shopper, and is there, as the page tells machines: people's words stand on every page for scripts.
        if found and "schema.org/OutOfStock" not in text and 'name="property.' not in text and "name=property." not in text:
            return found[1]
    raise SystemExit("no product page offers a SKU")


def form(values):
    return urllib.parse.urlencode(values), {"Content-Type": "application/x-www-form-urlencoded"}


def buy(shop, report, sku, name="smtp"):
    """Buys one of a SKU over the JSON contract, and pays at the sandbox; every purchase of a shop has a name of its own."""
    status, headers, cart = shop.call("POST", "/api/v1/cart/lines", {"sku": sku, "quantity": 1})
    report.check("a line is added", status in (200, 201), (status, cart))
    token = {"Cart-Token": headers["Cart-Token"]}
    status, headers, checkout = shop.call("POST", "/api/v1/checkouts", {}, {**token, "Idempotency-Key": f"{name} open"})
    report.check("a checkout is opened", status in (200, 201), (status, checkout))
    details = {
        "contact": {"email": "ada@example.com"},
        "address": {"name": "Ada Example", "line1": "Lindenweg 4", "city": "Berlin", "postal_code": "10115", "country": "DE"},
    }
    status, headers, checkout = shop.call("PATCH", f"/api/v1/checkouts/{checkout['id']}", details, token)
    report.check("a quote is frozen", status == 200 and checkout["quote"], (status, checkout))
    token = {"Cart-Token": headers.get("Cart-Token") or token["Cart-Token"]}
    status, headers, checkout = shop.call(
        "POST", f"/api/v1/checkouts/{checkout['id']}/payment",
        {"quote_hash": checkout["quote"]["hash"], "method": checkout["payment"]["methods"][0]["id"]},
        {**token, "Idempotency-Key": f"{name} pay"})
    report.check("a payment is begun", status in (200, 201, 202), (status, checkout))
    page = urllib.parse.urlparse(checkout["payment"]["redirect_url"])
    body, kind = form({"number": "4242424242424242"})
    status, headers, text = shop.call("POST", page.path, body, kind)
    report.check("the sandbox sends the shopper back", status == 303, (status, text[:300]))
    for _ in range(5):
        back = urllib.parse.urlparse(headers["Location"])
        status, headers, text = shop.call("GET", f"{back.path}?{back.query}", headers={"Accept": "text/html", **token})
        if status != 303:
            break
    report.check("the way back ends at the order", status == 200 and "/orders/" in back.path, (status, back.path, text[:300]))
