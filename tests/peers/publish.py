"""Publishes the sample shop to moto's S3 over HTTP, through a proxy that counts requests, throttles, breaks connections and kills."""

import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
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
from botocore.exceptions import ClientError

from shop import BINARY, ROOT, Report, free_port

BUCKET = "shop-example"
CACHED = "shop-cached"


class Proxy(http.server.ThreadingHTTPServer):
    """Passes requests on. `fault(method, path, count)` may answer "slow", "reset" or a function to call before the request is passed."""

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Passing)
        self.upstream, self.fault, self.lock = upstream, None, threading.Lock()
        self.reset()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def reset(self):
        self.seen, self.puts, self.sent, self.invalidations = [], 0, 0, []

    def handle_error(self, request, address):
        pass


class Passing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def passing(self):
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with server.lock:
            server.seen.append((self.command, self.path))
            server.puts += self.command == "PUT"
            server.sent += len(body)
            if self.path.endswith("/invalidation"):
                server.invalidations.append((self.command, self.path, dict(self.headers), body))
            fault = server.fault and server.fault(self.command, self.path, len(server.seen))
        if fault == "reset":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault == "slow":
            return self.answer(503, [], b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
        upstream = http.client.HTTPConnection("127.0.0.1", server.upstream, timeout=30)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        self.answer(answer.status, answer.getheaders(), b"" if self.command == "HEAD" else answer.read())

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


class Shop:
    """The sample shop with a target at an endpoint."""

    def __init__(self, port, bucket=BUCKET, more=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vitrine-publish-"))
        for part in ("content", "static", "templates"):
            shutil.copytree(ROOT / part, self.folder / part)
        site = (ROOT / "site.toml").read_text()
        # An edge of a public shop takes play money only where the shop says so.
        site = site.replace('gateway = "sandbox"', 'gateway = "sandbox"\nallow_sandbox_on_public_host = true')
        target = f"""
[[publish]]
name = "live"
kind = "s3"
bucket = "{bucket}"
region = "eu-central-1"
endpoint = "http://127.0.0.1:{port}"
lease_seconds = 2
{more}
"""
        (self.folder / "site.toml").write_text(site + target)
        lines = subprocess.run([BINARY, "keygen"], capture_output=True, text=True, check=True).stdout.split()
        keys = dict(line.split("=", 1) for line in lines)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment = {**inherited, **keys, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        self.build()

    def build(self):
        words = [BINARY, "build", "--base-url", "https://lumen-and-loam.example", "--as-of", "2026-11-20T12:00:00Z"]
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
        path = self.folder / "content/products/bread-board.md"
        path = path if path.exists() else next((self.folder / "content/products").rglob("bread-board.md"))
        text = path.read_text()
        start = text.index('price = "') + len('price = "')
        path.write_text(text[:start] + price + text[text.index('"', start):])
        self.build()

    def key(self, path):
        if path in ("index.html", "404.html") or not path.endswith(".html"):
            return path
        return path.removesuffix(".html").removesuffix("/index")

    def differences(self, s3):
        """Files of the build that the bucket holds with other bytes, or not at all."""
        wrong = []
        for path in json.loads((self.folder / "public/manifest.json").read_text())["files"]:
            try:
                found = s3.get_object(Bucket=BUCKET, Key=self.key(path))["Body"].read()
            except ClientError:
                found = None
            if found != (self.folder / "public" / path).read_bytes():
                wrong.append(path)
        return wrong

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


report = Report()
server, port = moto()
proxy = Proxy(port)
s3 = client("s3", port)
s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
shop = Shop(proxy.server_address[1])
others = []
try:
    code, out, told = shop.publish("--dry-run")
    report.check("a dry run puts nothing", code == 0 and proxy.puts == 0 and len(json.loads(out)["put"]) > 100, (code, told))
    code, out, told = shop.publish()
    report.check("the shop is published", code == 0 and json.loads(out)["id"] == 1, (code, told))
    print(f"# first: {len(proxy.seen)} requests, {proxy.sent} bytes")
    report.check("every file lies there with its bytes", shop.differences(s3) == [], shop.differences(s3)[:5])
    page = s3.head_object(Bucket=BUCKET, Key="products/bread-board")
    report.check("a page has its type", page["ContentType"] == "text/html; charset=utf-8", page)
    report.check("a page is kept briefly", "s-maxage=300" in page["CacheControl"], page)
    assets = s3.list_objects_v2(Bucket=BUCKET, Prefix="a/")["Contents"]
    asset = s3.head_object(Bucket=BUCKET, Key=assets[0]["Key"])
    report.check("what pages are made of is kept for ever", "immutable" in asset["CacheControl"], asset)

    proxy.reset()
    code, out, told = shop.publish()
    report.check("a second time there is nothing to do", code == 0 and json.loads(out)["put"] == 0, (code, out, told))
    print(f"# nothing to do: {len(proxy.seen)} requests")

    proxy.reset()
    before = s3.get_object(Bucket=BUCKET, Key="products/bread-board")["Body"].read()
    shop.edit_price("54.50")
    started = time.monotonic()
    code, out, told = shop.publish()
    outcome = json.loads(out) if code == 0 else {}
    print(f"# one price: {outcome.get('put')} files, {len(proxy.seen)} requests, {proxy.sent} bytes, {time.monotonic() - started:.2f} s")
    report.check("one price is a few objects", code == 0 and 0 < outcome["put"] < 40, (code, out, told))
    report.check("and all is as it was built", shop.differences(s3) == [])

    # Killed at several objects, each time by SIGKILL; the next job takes the lease over once it has run out.
    shop.edit_price("52.50")
    for at in (9, 14, 20):
        proxy.reset()
        job = shop.start("publish")
        proxy.fault = lambda method, path, count: count == at and os.kill(job.pid, signal.SIGKILL)
        job.communicate(timeout=60)
        proxy.fault = None
        report.check(f"a job is killed at request {at}", job.returncode == -signal.SIGKILL, job.returncode)
    proxy.reset()
    code, out, told = shop.publish()
    report.check("the next job finishes it", code == 0 and json.loads(out)["id"] is not None, (code, told))
    report.check("with every byte", shop.differences(s3) == [], shop.differences(s3))
    # A killed job, then one with the bytes from before it.
    shop.edit_price("51.00")
    job = shop.start("publish")
    proxy.reset()
    proxy.fault = lambda method, path, count: count == 24 and os.kill(job.pid, signal.SIGKILL)
    job.communicate(timeout=60)
    proxy.fault = None
    shop.edit_price("52.50")
    code, out, told = shop.publish()
    report.check("whoever comes after a killed job has its own bytes everywhere", code == 0 and shop.differences(s3) == [], (code, told))

    # Throttled and broken connections.
    shop.edit_price("49.00")
    proxy.reset()
    proxy.fault = lambda method, path, count: "slow" if count % 5 == 0 else "reset" if count % 7 == 0 else None
    code, out, told = shop.publish()
    proxy.fault = None
    report.check("throttling and broken connections are outlived", code == 0 and shop.differences(s3) == [], (code, told))

    # Back, and the edge with it.
    edge_port, operator = free_port(), free_port()
    edge = shop.start(
        "edge", "--bundle", f"s3://{BUCKET}/_vitrine", "--listen", f"127.0.0.1:{edge_port}", "--operator", f"127.0.0.1:{operator}",
        AWS_ENDPOINT=f"http://127.0.0.1:{port}", AWS_ALLOW_HTTP="true", AWS_REGION="eu-central-1")
    others.append(edge)

    def sequence():
        connection = http.client.HTTPConnection("127.0.0.1", operator, timeout=2)
        connection.request("GET", "/readyz")
        return json.loads(connection.getresponse().read())["sequence"]

    def wait_for(expected):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if sequence() == expected:
                    return True
            except OSError:
                pass
            time.sleep(0.1)
        return False

    live = json.loads(out)["id"]
    is_ready = wait_for(live)
    report.check("an edge follows the bucket", is_ready, edge.poll() is not None and edge.communicate())
    code, out, told = shop.run("publish", "list", "--json")
    first = json.loads(out)[0]["id"]
    proxy.reset()
    started = time.monotonic()
    code, out, told = shop.publish("--rollback", str(first))
    print(f"# back by {live - first}: {len(proxy.seen)} requests, {time.monotonic() - started:.2f} s")
    report.check("one command goes back", code == 0, (code, told))
    found = s3.get_object(Bucket=BUCKET, Key="products/bread-board")["Body"].read()
    report.check("to the page as it was", found == before)
    report.check("and the edge with it", wait_for(live + 1))

    # By hand.
    s3.put_object(Bucket=BUCKET, Key="products/bread-board", Body=b"defaced")
    s3.delete_object(Bucket=BUCKET, Key="index.html")
    code, out, told = shop.publish("--verify")
    findings = json.loads(out)
    report.check(
        "what was changed by hand is named",
        code == 1 and findings["missing"] == ["index.html"] and findings["changed"] == ["products/bread-board.html"], (code, out, told))
    code, _, told = shop.publish("--repair")
    found = s3.get_object(Bucket=BUCKET, Key="products/bread-board")["Body"].read()
    report.check("and put back", code == 0 or "on the target" in told or "is not what manifest.json says" in told, (code, told))
    code, _, told = shop.publish()
    report.check("by the next build at the latest", code == 0 and shop.differences(s3) == [], (code, told))

    # One job at a time.
    shop.edit_price("47.00")
    held = threading.Event()
    proxy.reset()
    proxy.fault = lambda method, path, count: method == "PUT" and "/products/" in path and held.wait(3) and None
    slow = shop.start("publish", "--json")
    while not any("lease.json" in path for _, path in list(proxy.seen)):
        time.sleep(0.02)
    code, _, told = shop.publish("--wait", "0")
    report.check("another job waits", code == 3 and "another job publishes to this target" in told, (code, told))
    held.set()
    slow.communicate(timeout=60)
    proxy.fault = None
    report.check("the first one ends well", slow.returncode == 0 and shop.differences(s3) == [])

    other = Shop(port, "no-such-bucket")
    code, _, told = other.publish("--wait", "0")
    report.check("a bucket that is not there is named", code == 3 and "no such bucket" in told, (code, told))
    other.remove()

    # CloudFront of the same peer, told by requests that botocore would sign so too.
    s3.create_bucket(Bucket=CACHED, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    origin = {"Id": "bucket", "DomainName": f"{CACHED}.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    behavior = {"TargetOriginId": "bucket", "ViewerProtocolPolicy": "redirect-to-https", "MinTTL": 0}
    behavior["ForwardedValues"] = {"QueryString": False, "Cookies": {"Forward": "none"}}
    cloudfront = client("cloudfront", port)
    distribution = cloudfront.create_distribution(DistributionConfig={
        "CallerReference": "test", "Comment": "", "Enabled": True, "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behavior})["Distribution"]["Id"]
    endpoint = f"http://127.0.0.1:{proxy.server_address[1]}"
    cached = Shop(port, CACHED, f'purge = {{ kind = "cloudfront", distribution = "{distribution}", endpoint = "{endpoint}" }}')

    def invalidations():
        listed = cloudfront.list_invalidations(DistributionId=distribution)["InvalidationList"].get("Items", [])
        read = [cloudfront.get_invalidation(DistributionId=distribution, Id=one["Id"])["Invalidation"] for one in listed]
        return [(one["InvalidationBatch"]["CallerReference"], one["InvalidationBatch"]["Paths"]["Items"]) for one in read]

    code, _, told = cached.publish()
    report.check("nothing is invalidated that nobody asked for", code == 0 and invalidations() == [], (code, told))
    cached.edit_price("54.50")
    proxy.reset()
    code, out, told = cached.publish()
    made = invalidations()
    report.check(
        "CloudFront is told of the paths that changed",
        code == 0 and len(made) == 1 and made[0][0].startswith("vitrine-2-") and "/products/bread-board" in made[0][1]
        and len(made[0][1]) == json.loads(out)["purged"] and not any(path.startswith("/a/") for path in made[0][1]), (code, told, made))
    report.check("by requests signed as botocore signs", [is_signed(*one) for one in proxy.invalidations] == [True], proxy.invalidations)
    code, _, told = cached.publish("--purge")
    report.check("nothing is invalidated twice", code == 0 and len(invalidations()) == 1, (code, told))
    cached.remove()

    # An S3 that checks who asks: the first look and four calls set it up, all others need their signature.
    guarded, guarded_port = moto(INITIAL_NO_AUTH_ACTION_COUNT="5")
    others.append(guarded)
    client("s3", guarded_port).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    iam = client("iam", guarded_port)
    iam.create_user(UserName="ci")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="ci", PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    strict = Shop(guarded_port)
    code, _, told = strict.publish("--wait", "0")
    report.check("unknown credentials are refused in words", code == 3 and "credentials" in told, (code, told))
    good = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    code, _, told = strict.publish(**{**good, "AWS_SECRET_ACCESS_KEY": "wrong"})
    report.check("a wrong secret is refused in words", code == 3 and "credentials" in told, (code, told))
    code, out, told = strict.publish(**good)
    report.check("good credentials publish", code == 0 and json.loads(out)["id"] == 1, (code, told))
    strict.remove()
finally:
    for process in [*others, server]:
        process.kill()
        process.wait()
    shop.remove()
report.close()
