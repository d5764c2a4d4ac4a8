"""A built sample shop with its edge on free ports, for tests that bring an outside peer."""

import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

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
