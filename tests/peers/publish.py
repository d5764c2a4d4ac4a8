"""Publishes the sample shop to moto's S3 over HTTP, through a proxy that counts requests, throttles, breaks connections and kills."""

import json
import os
import signal
import threading
import time

from botocore.exceptions import ClientError

from publishing import BUCKET, Edge, Proxy, Shop, Tiny, client, is_signed, moto, s3_target
from shop import Report

CACHED = "shop-cached"
# Half a gigabyte together, of which a process that holds each while it goes would have more than its part.
LARGE_FILES, LARGE_MIB = 16, 32
# 64 MiB of bodies, and the program itself.
HELD_MIB = 180

report = Report()
server, port = moto()
proxy = Proxy(port)
s3 = client("s3", port)
s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})


def read(key):
    try:
        return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    except ClientError:
        return None


shop = Shop(s3_target(proxy.server_address[1]))
others = []
try:
    code, out, told = shop.publish("--dry-run")
    report.check("a dry run puts nothing", code == 0 and proxy.puts == 0 and len(json.loads(out)["put"]) > 100, (code, told))
    code, out, told = shop.publish()
    report.check("the shop is published", code == 0 and json.loads(out)["id"] == 1, (code, told))
    print(f"# first: {len(proxy.seen)} requests, {proxy.sent} bytes")
    report.check("every file lies there with its bytes", shop.differences(read) == [], shop.differences(read)[:5])
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
    report.check("and all is as it was built", shop.differences(read) == [])

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
    report.check("with every byte", shop.differences(read) == [], shop.differences(read))
    # A killed job, then one with the bytes from before it.
    shop.edit_price("51.00")
    job = shop.start("publish")
    proxy.reset()
    proxy.fault = lambda method, path, count: count == 24 and os.kill(job.pid, signal.SIGKILL)
    job.communicate(timeout=60)
    proxy.fault = None
    shop.edit_price("52.50")
    code, out, told = shop.publish()
    report.check("whoever comes after a killed job has its own bytes everywhere", code == 0 and shop.differences(read) == [], (code, told))

    # Throttled and broken connections.
    shop.edit_price("49.00")
    proxy.reset()
    proxy.fault = lambda method, path, count: "slow" if count % 5 == 0 else "reset" if count % 7 == 0 else None
    code, out, told = shop.publish()
    proxy.fault = None
    report.check("throttling and broken connections are outlived", code == 0 and shop.differences(read) == [], (code, told))

    # Back, and the edge with it.
    edge = Edge(shop, f"s3://{BUCKET}/_vitrine", AWS_ENDPOINT=f"http://127.0.0.1:{port}", AWS_ALLOW_HTTP="true", AWS_REGION="eu-central-1")
    others.append(edge.process)

    live = json.loads(out)["id"]
    is_ready = edge.is_at(live)
    report.check("an edge follows the bucket", is_ready, is_ready or edge.stop())
    code, out, told = shop.run("publish", "list", "--json")
    first = json.loads(out)[0]["id"]
    proxy.reset()
    started = time.monotonic()
    code, out, told = shop.publish("--rollback", str(first))
    print(f"# back by {live - first}: {len(proxy.seen)} requests, {time.monotonic() - started:.2f} s")
    report.check("one command goes back", code == 0, (code, told))
    found = s3.get_object(Bucket=BUCKET, Key="products/bread-board")["Body"].read()
    report.check("to the page as it was", found == before)
    report.check("and the edge with it", edge.is_at(live + 1))

    # By hand.
    s3.put_object(Bucket=BUCKET, Key="products/bread-board", Body=b"defaced")
    s3.delete_object(Bucket=BUCKET, Key="index.html")
    code, out, told = shop.publish("--verify")
    findings = json.loads(out)
    report.check(
        "what was changed by hand is named",
        code == 1 and findings["missing"] == ["index.html"] and findings["changed"] == ["products/bread-board.html"], (code, out, told))
    code, _, told = shop.publish("--repair")
    # public/ is a later build by now: what an earlier publication had lies on the target.
    is_back = read("products/bread-board") == before and read("index.html") is not None
    report.check("and put back", code == 0 and is_back and shop.publish("--verify")[0] == 0, (code, told))
    code, _, told = shop.publish()
    report.check("by the next build at the latest", code == 0 and shop.differences(read) == [], (code, told))

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
    report.check("the first one ends well", slow.returncode == 0 and shop.differences(read) == [])

    other = Shop(s3_target(port, "no-such-bucket"))
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
    purge = f'purge = {{ kind = "cloudfront", distribution = "{distribution}", endpoint = "{endpoint}" }}'
    cached = Shop(s3_target(port, CACHED, purge))

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

    # Files that are large, and many: what is held of them is bounded.
    folder = Tiny('\n[[publish]]\nname = "live"\nkind = "folder"\npath = "www"\n')
    (folder.folder / "static").mkdir()
    for number in range(LARGE_FILES):
        with open(folder.folder / f"static/film-{number}.mp4", "wb") as film:
            film.write(f"film {number}".encode())
            film.truncate(LARGE_MIB << 20)
    folder.build()
    job = folder.start("publish")
    _, status, used = os.wait4(job.pid, 0)
    job.returncode = os.waitstatus_to_exitcode(status)
    out, told = job.communicate()
    held_mib = used.ru_maxrss / 1024
    print(f"# {LARGE_FILES} files of {LARGE_MIB} MiB: {held_mib:.0f} MiB held")
    report.check("what is held of large files is bounded", job.returncode == 0 and held_mib < HELD_MIB, (job.returncode, told, held_mib))
    lies = sum(path.stat().st_size for path in (folder.folder / "www").rglob("*.mp4"))
    report.check("and all of them lie there", lies == LARGE_FILES * LARGE_MIB << 20, lies)
    folder.remove()

    # An S3 that checks who asks: the first look and four calls set it up, all others need their signature.
    guarded, guarded_port = moto(INITIAL_NO_AUTH_ACTION_COUNT="5")
    others.append(guarded)
    client("s3", guarded_port).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    iam = client("iam", guarded_port)
    iam.create_user(UserName="ci")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="ci", PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    strict = Shop(s3_target(guarded_port))
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
