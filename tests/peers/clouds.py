"""Publishes a shop to Azurite, Microsoft's own emulator of Azure Blob Storage, which checks signatures, and to a double of Google
Cloud Storage (see `gcs`): what a merchant does with a target from the first publication to the way back."""

import http.client
import json
import os
import signal
import subprocess
import tempfile
import threading
import time

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContentSettings
from botocore.exceptions import ClientError

from gcs import Account, Google
from publishing import BUCKET, Edge, Proxy, Tiny, client, moto
from shop import ROOT, Report, free_port

# The account that Azurite knows, as its documentation names it.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# A version that any Azurite of these years knows.
API = "2023-11-03"
OTHER_KEY = "T3RoZXIga2V5IG9mIHNvbWVib2R5IGVsc2UgLi4u"
report = Report()


class Azure:
    """Azurite behind a proxy, with a container."""

    name = "Azure"
    no_bucket = "there is no such bucket or container"

    def __init__(self):
        port = free_port()
        program = ["node", ROOT / "tests/peers/node_modules/azurite/dist/src/blob/main.js", "--silent", "--disableTelemetry"]
        program += ["--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        self.home = tempfile.TemporaryDirectory(prefix="vitrine-azurite-")
        self.process = subprocess.Popen(program, cwd=self.home.name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                http.client.HTTPConnection("127.0.0.1", port, timeout=2).request("GET", "/")
                break
            except OSError:
                time.sleep(0.1)
        self.proxy = Proxy(port)
        service = BlobServiceClient(f"http://127.0.0.1:{port}/{ACCOUNT}", credential=KEY, api_version=API)
        self.blobs = service.create_container(BUCKET)
        self.endpoint = f"http://127.0.0.1:{self.proxy.server_address[1]}/{ACCOUNT}"
        self.environment = {"AZURE_STORAGE_ACCOUNT_KEY": KEY}
        self.wrong = {"AZURE_STORAGE_ACCOUNT_KEY": OTHER_KEY}
        self.edge = f"az://{BUCKET}/_vitrine"
        self.of_edge = {"AZURE_STORAGE_ENDPOINT": self.endpoint, "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_ALLOW_HTTP": "true"}

    def target(self, container=BUCKET):
        return f'kind = "azure"\naccount = "{ACCOUNT}"\ncontainer = "{container}"\nendpoint = "{self.endpoint}"\n'

    def read(self, key):
        try:
            return self.blobs.download_blob(key).readall()
        except ResourceNotFoundError:
            return None

    def headers(self, key):
        found = self.blobs.get_blob_client(key).get_blob_properties().content_settings
        return found.content_type, found.cache_control

    def deface(self, key):
        self.blobs.upload_blob(key, b"defaced", overwrite=True, content_settings=ContentSettings(content_type="text/html"))

    def delete(self, key):
        self.blobs.delete_blob(key)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.home.cleanup()


class Gcs:
    """The double of Google's, with a bucket."""

    name = "Google"
    no_bucket = "there is no such bucket"

    def __init__(self):
        self.process, port = moto()
        self.s3 = client("s3", port)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        account = Account()
        self.proxy = Google(port, account)
        self.endpoint = f"http://127.0.0.1:{self.proxy.server_address[1]}"
        self.environment = {"GOOGLE_SERVICE_ACCOUNT_KEY": account.json()}
        self.wrong = {"GOOGLE_SERVICE_ACCOUNT_KEY": Account(account.email).json()}
        self.edge = f"gs://{BUCKET}/_vitrine"
        self.of_edge = {"GOOGLE_BASE_URL": self.endpoint}

    def target(self, bucket=BUCKET):
        return f'kind = "gcs"\nbucket = "{bucket}"\nendpoint = "{self.endpoint}"\n'

    def read(self, key):
        try:
            return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except ClientError:
            return None

    def headers(self, key):
        found = self.s3.head_object(Bucket=BUCKET, Key=key)
        return found["ContentType"], found["CacheControl"]

    def deface(self, key):
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"defaced")

    def delete(self, key):
        self.s3.delete_object(Bucket=BUCKET, Key=key)
        self.proxy.generations.pop(f"/{BUCKET}/{key}", None)

    def stop(self):
        self.process.kill()
        self.process.wait()


def walk(cloud):
    """All that a merchant does with a target."""
    def check(name, holds, detail=""):
        report.check(f"{cloud.name}: {name}", holds, detail)

    def target(*bucket):
        return f'\n[[publish]]\nname = "live"\nlease_seconds = 4\n{cloud.target(*bucket)}'

    shop = Tiny(target(), **cloud.environment)
    proxy, edge = cloud.proxy, None
    try:
        code, _, told = shop.publish("--dry-run", **cloud.wrong)
        check("wrong credentials are refused in words", code == 3 and "credentials may not do that" in told and len(told) < 3000, (code, told))
        code, out, told = shop.publish("--dry-run")
        check("a dry run puts nothing", code == 0 and proxy.puts == 0, (code, told))
        code, out, told = shop.publish()
        check("the shop is published", code == 0 and json.loads(out)["id"] == 1, (code, told))
        check("every file lies there with its bytes", shop.differences(cloud.read) == [], shop.differences(cloud.read)[:5])
        kind, caching = cloud.headers(shop.page)
        check("a page has its type and is kept briefly", kind == "text/html; charset=utf-8" and "s-maxage=300" in caching, (kind, caching))
        asset = next(path for path in json.loads((shop.folder / "public/manifest.json").read_text())["files"] if path.startswith("a/"))
        check("what pages are made of is kept for ever", "immutable" in cloud.headers(asset)[1], cloud.headers(asset))
        code, out, told = shop.publish("--verify")
        check("all is as it was published", code == 0, (code, out, told))
        code, out, told = shop.publish()
        check("a second time there is nothing to do", code == 0 and json.loads(out)["put"] == 0, (code, out, told))

        edge = Edge(shop, cloud.edge, **cloud.of_edge)
        followed = edge.is_at(1)
        check("an edge follows it", followed, followed or edge.stop())
        before = cloud.read(shop.page)
        shop.edit_price("9.50")
        proxy.reset()
        started = time.monotonic()
        code, out, told = shop.publish()
        print(f"# {cloud.name}, one price: {len(proxy.seen)} requests, {proxy.sent} bytes, {time.monotonic() - started:.2f} s")
        check("one price is a few objects", code == 0 and 0 < json.loads(out)["put"] < 40 and shop.differences(cloud.read) == [], (code, told))
        check("the edge follows", edge.is_at(2))
        proxy.reset()
        started = time.monotonic()
        code, out, told = shop.publish("--rollback")
        print(f"# {cloud.name}, back: {len(proxy.seen)} requests, {time.monotonic() - started:.2f} s")
        check("one command goes back", code == 0 and cloud.read(shop.page) == before, (code, told))
        check("and the edge with it", edge.is_at(3))
        code, _, told = shop.publish()
        check("and forth again", code == 0 and shop.differences(cloud.read) == [], (code, told))

        cloud.deface(shop.page)
        cloud.delete("index.html")
        code, out, told = shop.publish("--verify")
        found = json.loads(out)
        named = found["missing"] == ["index.html"] and found["changed"] == [f"{shop.page}.html"] and found["foreign"] == []
        check("what was changed by hand is named, and nothing else", code == 1 and named, (code, out, told))
        code, _, told = shop.publish("--repair")
        check("and put back", code == 0 and shop.differences(cloud.read) == [] and shop.publish("--verify")[0] == 0, (code, told))

        # Killed half-way; the next one takes the lease over once it has run out, and has its own bytes everywhere.
        shop.edit_price("9.80")
        job = shop.start("publish")
        proxy.reset()
        proxy.fault = lambda method, path, count: proxy.puts == 8 and os.kill(job.pid, signal.SIGKILL)
        job.communicate(timeout=60)
        proxy.fault = None
        check("a job is killed", job.returncode == -signal.SIGKILL, job.returncode)
        shop.edit_price("9.50")
        code, _, told = shop.publish()
        check("whoever comes after it has its own bytes everywhere", code == 0 and shop.differences(cloud.read) == [], (code, told))

        # Broken in every way; conditional writes among them, whose lost answers are looked up.
        shop.edit_price("9.20")
        proxy.reset()
        faults = {5: "slow", 7: "reset", 9: "lost", 11: "broken"}
        proxy.fault = lambda method, path, count: next((fault for every, fault in faults.items() if count % every == 0), None)
        code, _, told = shop.publish()
        proxy.fault = None
        check("throttling, errors, broken connections and lost answers are outlived", code == 0 and shop.differences(cloud.read) == [], (code, told))

        # One at a time.
        shop.edit_price("8.70")
        held = threading.Event()
        proxy.reset()
        proxy.fault = lambda method, path, count: method == "PUT" and "intents" in path and held.wait(20) and None
        slow = shop.start("publish", "--json")
        deadline = time.monotonic() + 20
        while not any("intents" in path for method, path in list(proxy.seen) if method == "PUT") and time.monotonic() < deadline:
            time.sleep(0.02)
        code, _, told = shop.publish("--wait", "0")
        check("a second job is refused", code == 3 and "another job publishes to this target" in told, (code, told))
        held.set()
        slow.communicate(timeout=60)
        proxy.fault = None
        check("the first one ends well", slow.returncode == 0 and shop.differences(cloud.read) == [])

        (shop.folder / "site.toml").write_text((shop.folder / "site.toml").read_text().replace(cloud.target(), cloud.target("no-such-bucket")))
        code, _, told = shop.publish("--wait", "0")
        check("a bucket that is not there is named", code == 3 and cloud.no_bucket in told, (code, told))
    finally:
        if edge:
            edge.stop()
        shop.remove()


for kind in (Azure, Gcs):
    cloud = kind()
    try:
        walk(cloud)
    finally:
        cloud.stop()
report.close()
