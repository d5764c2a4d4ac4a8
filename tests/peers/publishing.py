"""What the tests of publishing share: buckets of others, proxies before them that count and break, and a shop with a target."""

import http.client
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from shop import BINARY, ROOT, free_port

BUCKET = "shop-example"


class Proxy(http.server.ThreadingHTTPServer):
    """Passes requests on. `fault(method, path, count)` may wait or kill before the request is passed, or answer what becomes of it instead:
    "slow" (503), "broken" (500), "reset", "lost" (it is passed, and its answer is not), or an answer of its own: status, headers, body.
    `after(method, path)` is told what was passed."""

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Passing)
        self.after = None
        self.upstream, self.fault, self.lock, self.under_way = upstream, None, threading.Lock(), 0
        self.reset()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def reset(self):
        self.seen, self.passed, self.puts, self.sent, self.invalidations = [], [], 0, 0, []

    def is_quiet(self):
        """Waits until nothing is under way."""
        deadline = time.monotonic() + 30
        while self.under_way and time.monotonic() < deadline:
            time.sleep(0.005)
        return not self.under_way

    def ask(self, method, path, headers, body):
        """What stands behind it answers: status, headers, body."""
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        upstream.request(method, path, body, headers)
        answer = upstream.getresponse()
        return answer.status, answer.getheaders(), b"" if method == "HEAD" else answer.read()

    def handle_error(self, request, address):
        pass


class Passing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def passing(self):
        with self.server.lock:
            self.server.under_way += 1
        try:
            self.pass_on()
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def pass_on(self):
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with server.lock:
            server.seen.append((self.command, self.path))
            server.puts += self.command == "PUT"
            server.sent += len(body)
            if self.path.endswith("/invalidation"):
                server.invalidations.append((self.command, self.path, dict(self.headers), body))
            count = len(server.seen)
        # Whoever waits here keeps nobody else waiting.
        fault = server.fault and server.fault(self.command, self.path, count)
        if fault == "reset":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault == "slow":
            return self.answer(503, [], b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
        if fault == "broken":
            return self.answer(500, [], b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>")
        if isinstance(fault, tuple):
            return self.answer(*fault)
        answer = server.ask(self.command, self.path, dict(self.headers), body)
        with server.lock:
            server.passed.append((self.command, self.path))
        if server.after:
            server.after(self.command, self.path)
        if fault == "lost":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.answer(*answer)

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        length = dict((name.lower(), value) for name, value in headers).get("content-length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = passing


def moto(**environment):
    """A fresh S3; gives its process and port."""
    port = free_port()
    program = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(program, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=2).request("GET", "/")
            return process, port
        except OSError:
            time.sleep(0.05)
    raise SystemExit("moto did not start")


def client(service, port, key="test", secret="test"):
    return boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-central-1", aws_access_key_id=key, aws_secret_access_key=secret)


def is_signed(method, path, headers, body):
    """Whether a request to CloudFront has the signature that botocore computes of it, at the instant that it names."""
    headers = {name.lower(): value for name, value in headers.items()}
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    request = AWSRequest(method, f"http://{headers['host']}{path}", {name: headers[name] for name in names}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials("test", "test"), "cloudfront", "us-east-1")
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return headers["authorization"].endswith(f"Signature={signature}")


def s3_target(port, bucket=BUCKET, more=""):
    """`[[publish]]` of an S3 on this machine."""
    return f"""
[[publish]]
name = "live"
kind = "s3"
bucket = "{bucket}"
region = "eu-central-1"
endpoint = "http://127.0.0.1:{port}"
lease_seconds = 5
{more}
"""


def keys():
    """What `vitrine keygen` says, and the environment without what names a cloud."""
    lines = subprocess.run([BINARY, "keygen"], capture_output=True, text=True, check=True).stdout.split()
    clouds = ("AWS_", "GOOGLE_", "GCE_", "AZURE_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(clouds)}
    return {**inherited, **dict(line.split("=", 1) for line in lines)}


# As little of a shop as has all that a publication needs; it is built and published in a moment.
TINY = """[shop]
name = "Tiny"
base_url = "https://tiny.example"

[[markets]]
id = "eu"
countries = ["DE"]
currency = "EUR"

[tax]
classes = ["standard", "reduced"]
rates = [{ country = "DE", name = "VAT", standard = "19", reduced = "7" }]

[[shipping]]
id = "home"
countries = ["DE"]
rates = [{ id = "standard", name = "Standard", price = "5" }]

[payment]
allow_sandbox_on_public_host = true
"""


def product(title, price, picture=None):
    images = f'images = [{{ src = "{picture}", alt = "{title}" }}]\n' if picture else ""
    return f'+++\ntitle = "{title}"\nsku = "{title.upper()}"\nprice = "{price}"\nstock = 1\n{images}+++\n'


class Tiny:
    """A shop of two products with a target, built; credentials of moto, unless others are named."""

    origin = "https://tiny.example"
    page = "products/mug"

    def __init__(self, target, **environment):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vitrine-publish-"))
        self.environment = {**keys(), **(environment or {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"})}
        self.fill(target)
        self.build()

    def fill(self, target):
        (self.folder / "site.toml").write_text(TINY + target)
        (self.folder / "content/products").mkdir(parents=True)
        self.write("mug", product("Mug", "9.00"))
        self.write("lamp", product("Lamp", "20.00"))

    def write(self, slug, text):
        (self.folder / f"content/products/{slug}.md").write_text(text)

    def build(self):
        words = [BINARY, "build", "--base-url", self.origin, "--as-of", "2026-11-20T12:00:00Z"]
        subprocess.run(words, cwd=self.folder, env=self.environment, check=True, capture_output=True)

    def start(self, *words, **environment):
        return subprocess.Popen(
            [BINARY, *words], cwd=self.folder, env={**self.environment, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words, **environment):
        """Gives exit code, stdout and stderr."""
        process = self.start(*words, **environment)
        out, told = process.communicate(timeout=180)
        return process.returncode, out, told

    def publish(self, *words, **environment):
        return self.run("publish", "--json", *words, **environment)

    def edit_price(self, price):
        path = next((self.folder / "content/products").rglob(f"{self.page.split('/')[1]}.md"))
        text = path.read_text()
        start = text.index('price = "') + len('price = "')
        path.write_text(text[:start] + price + text[text.index('"', start):])
        self.build()

    def key(self, path):
        if path in ("index.html", "404.html") or not path.endswith(".html"):
            return path
        return path.removesuffix(".html").removesuffix("/index")

    def differences(self, read):
        """Files of the build that a bucket holds with other bytes, or not at all. `read(key)`: bytes of an object, or None."""
        paths = json.loads((self.folder / "public/manifest.json").read_text())["files"]
        return [path for path in paths if read(self.key(path)) != (self.folder / "public" / path).read_bytes()]

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Shop(Tiny):
    """The sample shop."""

    origin = "https://lumen-and-loam.example"
    page = "products/bread-board"

    def fill(self, target):
        for part in ("content", "static", "templates"):
            shutil.copytree(ROOT / part, self.folder / part)
        site = (ROOT / "site.toml").read_text()
        # An edge of a public shop takes play money only where the shop says so.
        site = site.replace('gateway = "sandbox"', 'gateway = "sandbox"\nallow_sandbox_on_public_host = true')
        (self.folder / "site.toml").write_text(site + target)


class Edge:
    """An edge that follows a bucket."""

    def __init__(self, shop, address, **environment):
        self.operator = free_port()
        self.process = shop.start(
            "edge", "--bundle", address, "--listen", f"127.0.0.1:{free_port()}", "--operator", f"127.0.0.1:{self.operator}", **environment)

    def is_at(self, expected):
        """Waits until it has the bundle of that sequence."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.operator, timeout=2)
                connection.request("GET", "/readyz")
                if json.loads(connection.getresponse().read())["sequence"] == expected:
                    return True
            except OSError:
                pass
            time.sleep(0.1)
        return False

    def stop(self):
        """Gives what it told."""
        self.process.kill()
        return self.process.communicate()
