"""Publications to moto's S3 over HTTP that are killed at every write, answered with every fault at every request, and made by machines whose
clocks are wrong, while a crawler walks the bucket: no reference is ever broken, and whoever comes next has its bytes everywhere."""

import concurrent.futures
import datetime
import html.parser
import json
import re
import shutil
import signal
import subprocess
import threading
import time

from botocore.exceptions import ClientError

from publishing import BINARY, Proxy, Tiny, client, moto, product, s3_target
from shop import Report

ORIGIN = "https://tiny.example"
# What the edge answers, and patterns that are no addresses.
OF_THE_EDGE = re.compile(r"^/(api|cart|checkout|orders)(/|$)|[*{]")
# Ways of being refused that pass by themselves.
FAULTS = ("slow", "broken", "reset", "lost")
report = Report()


class References(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src", "poster", "action"):
                self.found.add(value or "")
            elif name == "srcset":
                self.found |= {part.split()[0] for part in (value or "").split(",") if part.strip()}


def references(key, text):
    """What an object of the bucket leads to, as keys."""
    if key.endswith((".xml", ".txt")):
        found = set(re.findall(re.escape(ORIGIN) + r"[^<>\s\"']*", text))
    elif key.endswith((".js", ".css", ".json")):
        found = {f"/{name}" for name in re.findall(r"[\"'(]/?(a/[^\"')]+\.\w+)[\"')]", text)}
    else:
        reader = References()
        reader.feed(text)
        found = reader.found
    paths = {reference.removeprefix(ORIGIN).split("#")[0].split("?")[0] for reference in found if reference.startswith(("/", ORIGIN))}
    return {path.lstrip("/") or "index.html" for path in paths if not path.startswith("//") and not OF_THE_EDGE.search(path)}


class World:
    """A bucket of its own behind a proxy of its own, and two builds of one shop: before and after a change of everything that can change."""

    def __init__(self, s3, port, number, builds):
        self.s3, self.bucket = s3, f"world-{number}"
        s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.proxy = Proxy(port)
        self.builds = {}
        self.environment = builds[0].environment
        for name, build in zip("ab", builds):
            folder = build.folder.with_name(f"{build.folder.name}-{number}")
            shutil.copytree(build.folder, folder)
            settings = (folder / "site.toml").read_text()
            (folder / "site.toml").write_text(settings.replace("endpoint-of-the-world", f"http://127.0.0.1:{self.proxy.server_address[1]}")
                                              .replace("bucket-of-the-world", self.bucket))
            self.builds[name] = folder

    def start(self, build, *words, program=(BINARY,)):
        return subprocess.Popen(
            [*program, "publish", "--json", "--allow", "changes", *words], cwd=self.builds[build], env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def publish(self, build, *words, program=(BINARY,)):
        job = self.start(build, *words, program=program)
        out, told = job.communicate(timeout=120)
        return job.returncode, out, told

    def read(self, key):
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError:
            return None

    def differences(self, build):
        paths = json.loads((self.builds[build] / "public/manifest.json").read_text())["files"]
        return [path for path in paths if self.read(Tiny.key(None, path)) != (self.builds[build] / "public" / path).read_bytes()]

    def broken(self):
        """References that lead nowhere, from the home page, robots.txt and what the search begins with on."""
        left = [key for key in ("index.html", "robots.txt", "search.json") if self.read(key) is not None]
        seen, broken = set(left), []
        while left:
            key = left.pop()
            bytes = self.read(key)
            if bytes is None:
                broken.append(key)
                continue
            new = references(key, bytes.decode(errors="replace")) - seen
            seen |= new
            left += new
        return broken

    def outlive(self):
        """A dead job's lease runs out."""
        self.s3.delete_object(Bucket=self.bucket, Key="_vitrine/lease.json")

    def remove(self):
        self.proxy.shutdown()
        self.proxy.server_close()
        for folder in self.builds.values():
            shutil.rmtree(folder, ignore_errors=True)


def is_write(method, path):
    return method in ("PUT", "POST", "DELETE") and "lease.json" not in path


def put(world, method, path):
    return method == "PUT" and "_vitrine" not in path


def kill(world, at, is_answer_lost, following):
    """Killed at one write, before or after it is done; gives what is wrong with what came of it. None: there was no such write."""
    count, lock, killed = [0], threading.Lock(), threading.Event()
    world.proxy.reset()
    job = world.start("b")

    def fault(method, path, _):
        # What the dead one has still to send is not passed either.
        if killed.is_set():
            return "reset"
        with lock:
            count[0] += is_write(method, path)
            if not is_write(method, path) or count[0] != at:
                return None
        killed.set()
        job.send_signal(signal.SIGKILL)
        return "lost" if is_answer_lost else "reset"

    world.proxy.fault = fault
    job.communicate(timeout=60)
    is_quiet = world.proxy.is_quiet()
    world.proxy.fault = None
    if not killed.is_set():
        return None
    wrong = [] if is_quiet else ["requests do not end"]
    wrong += [f"{key} is missing" for key in world.broken()]
    world.outlive()
    code, out, told = world.publish(following)
    wrong += [] if code == 0 else [f"the next job fails: {told}"]
    wrong += [f"{path} has other bytes" for path in world.differences(following)]
    wrong += [f"{key} is missing after the next job" for key in world.broken()]
    puts = [path for method, path in world.proxy.passed if put(world, method, path)]
    if following == "b" and len(puts) != len(set(puts)):
        wrong.append(f"put twice: {sorted(path for path in set(puts) if puts.count(path) > 1)}")
    return [f"killed at write {at}{', its answer lost' if is_answer_lost else ''}, then {following}: {text}" for text in wrong]


def main():
    server, port = moto()
    s3 = client("s3", port)
    target = s3_target("0", "bucket-of-the-world", "").replace("http://127.0.0.1:0", "endpoint-of-the-world").replace("lease_seconds = 5", "")
    # Built before their addresses are known: no build depends on them.
    before, after = Tiny(""), Tiny("")
    worlds, number = [], iter(range(1_000_000))
    try:
        after.environment = before.environment
        for build, color in ((before, "red"), (after, "blue")):
            (build.folder / "static").mkdir()
            drawing = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="{color}"/></svg>'
            (build.folder / "static/mug.svg").write_text(drawing)
            build.write("mug", product("Mug", "9.00" if build is before else "9.50", "mug.svg"))
        after.write("bowl", product("Bowl", "7.00"))
        before.build()
        (after.folder / "content/products/lamp.md").unlink()
        after.build()
        for build in (before, after):
            with open(build.folder / "site.toml", "a") as file:
                file.write(target)

        def world():
            made = World(s3, port, next(number), (before, after))
            worlds.append(made)
            code, _, told = made.publish("a")
            assert code == 0, told
            return made

        check_walked(world())
        check_kills(world)
        check_faults(world)
        check_overtaken(world)
        check_clocks(world)
    finally:
        server.kill()
        server.wait()
        for made in worlds:
            made.remove()
        before.remove()
        after.remove()
    report.close()


def check_walked(world):
    """A crawler after every single write, none of which is done meanwhile."""
    writing, broken, walks = threading.Lock(), [], [0]
    world.proxy.fault = lambda method, path, _: writing.acquire() and None if is_write(method, path) else None

    def after(method, path):
        if is_write(method, path):
            broken.extend(world.broken())
            walks[0] += 1
            writing.release()

    world.proxy.after = after
    code, _, told = world.publish("b")
    world.proxy.fault = world.proxy.after = None
    print(f"# walked after each of {walks[0]} writes")
    report.check("a crawler never meets a reference that leads nowhere", code == 0 and not broken and walks[0] > 10, (code, told, broken))
    report.check("what was published is what was built", world.differences("b") == [], world.differences("b"))
    # The way home of a page that is gone, and of what it was made of, stays open for as long as caches may show it.
    report.check("what is no longer published stays for a while", world.read("products/lamp") is not None)


def check_kills(world):
    """At every write, before and after it is done, with either build after it."""
    started, points, wrong = time.monotonic(), 0, []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for first in range(1, 1000, 4):
            ways = [(at, is_lost, "ab"[(at + is_lost) % 2]) for at in range(first, first + 4) for is_lost in (False, True)]
            outcomes = list(pool.map(lambda way: kill(world(), *way), ways))
            points += sum(outcome is not None for outcome in outcomes)
            wrong += [text for outcome in outcomes for text in outcome or []]
            if any(outcome is None for outcome in outcomes):
                break
    print(f"# killed at {points} points in {time.monotonic() - started:.0f} s")
    report.check("a job that is killed at any write breaks nothing, and the next one has its way", points > 20 and not wrong, wrong[:10])


def check_faults(world):
    """Every request is answered with a fault once before it is answered."""
    for fault in FAULTS:
        made, seen, lock = world(), set(), threading.Lock()

        def once(method, path, _):
            with lock:
                is_new = (method, path) not in seen and "lease.json" not in path
                seen.add((method, path))
            return fault if is_new else None

        made.proxy.fault = once
        code, _, told = made.publish("b")
        made.proxy.fault = None
        wrong = made.differences("b") + made.broken()
        report.check(f"a publication in which every request is first {fault} ends well", code == 0 and not wrong, (code, told, wrong))

    # What does not pass: told with the object, nothing half live, and gone on from.
    made = world()
    denied = (403, [("Content-Type", "application/xml")], b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
    made.proxy.fault = lambda method, path, _: denied if put(made, method, path) and "/products/" in path else None
    code, _, told = made.publish("b")
    made.proxy.fault = None
    pointed = [path for method, path in made.proxy.passed if method == "PUT" and path.endswith("published.json")]
    is_told = code == 3 and "put products/" in told and "credentials may not do that" in told
    report.check("what is refused for good is named", is_told and len(pointed) == 1 and made.broken() == [], (code, told, pointed))
    code, _, told = made.publish("b")
    report.check("and gone on from", code == 0 and made.differences("b") == [], (code, told))

    # An answer that never comes.
    made, ended, once, patient = world(), threading.Event(), threading.Lock(), []

    def hold(method, path, _):
        if put(made, method, path) and once.acquire(blocking=False):
            # Until the job has ended, if it asks again meanwhile; one that waits for this answer ends after it alone.
            patient.append(not ended.wait(100))
        return None

    made.proxy.fault = hold
    code, _, told = made.publish("b")
    made.proxy.fault = None
    is_well = code == 0 and True not in patient and made.differences("b") == []
    ended.set()
    report.check("an answer that never comes is waited for, and then asked for again", is_well, (code, told, patient))


def check_overtaken(world):
    """Somebody without a lease changes what was planned from, after it was read."""
    for name in ("published.json", "live.pointer", "price-history.jsonl"):
        made, once = world(), threading.Lock()
        key = f"_vitrine/{name}"

        def meddle(method, path):
            if method == "GET" and path.endswith(name) and once.acquire(blocking=False):
                made.s3.put_object(Bucket=made.bucket, Key=key, Body=made.read(key) + b"\n")

        made.proxy.after, good = meddle, made.read(key)
        before = made.read("_vitrine/published.json")
        code, _, told = made.publish("b")
        made.proxy.after = None
        is_told = code == 3 and "another job has published since this one read the target; publish again" in told
        is_as_it_was = made.read("_vitrine/published.json").rstrip() == before.rstrip() and made.broken() == []
        report.check(f"a job whose {name} was changed meanwhile publishes nothing", is_told and is_as_it_was, (code, told))
        made.s3.put_object(Bucket=made.bucket, Key=key, Body=good)
        code, _, told = made.publish("b")
        report.check("and the next one goes on", code == 0 and made.differences("b") == [], (code, told))


def check_clocks(world):
    """The target's clock counts, since a machine's may be anything."""
    made = world()
    code, _, told = made.publish("b")
    assert code == 0, told
    fast = ("faketime", "-f", "+60d", BINARY)
    code, out, told = made.publish("b", program=fast)
    is_told = "this machine's clock is 51840" in told and "ahead of the target's, which counts; set it" in told
    kept = made.read("products/lamp") is not None and json.loads(out or "{}").get("removed") == 0
    report.check("a clock that is two months fast removes nothing before its time", code == 0 and is_told and kept, (code, out, told))
    code, _, told = made.publish("a", program=("faketime", "-f", "-60d", BINARY))
    record = json.loads(made.read("_vitrine/published.json"))
    at = datetime.datetime.fromisoformat(record["published_at"])
    off = abs((datetime.datetime.now(datetime.timezone.utc) - at).total_seconds())
    report.check("nor does a slow one date its publication back", code == 0 and "behind the target's" in told and off < 120, (code, told, at))
    skewed = (403, [("Content-Type", "application/xml")], b"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the "
              b"request time and the current time is too large.</Message></Error>")
    made.proxy.fault = lambda *_: skewed
    code, _, told = made.publish("b", "--wait", "0")
    made.proxy.fault = None
    report.check("a service that refuses another time's request has the clock named", code == 3 and "clock is wrong" in told, (code, told))


main()
