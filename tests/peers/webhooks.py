"""The library of Standard Webhooks as the judge of what is sent to a merchant's own system, and the README's few lines beside it.

`webhooks.py --write` makes tests/it/webhook_vectors.json anew, against which the Rust tests sign without the library."""

import base64
import datetime
import http.server
import json
import re
import subprocess
import sys
import threading

from standardwebhooks import Webhook, WebhookVerificationError

from shop import BINARY, ROOT, Report, Shop, buy, first_sku

VECTORS = ROOT / "tests/it/webhook_vectors.json"
SECRETS = ["whsec_" + base64.b64encode(bytes((seed + step) % 256 for step in range(size))).decode()
           for seed, size in ((1, 24), (100, 32), (200, 64))]
BODIES = ['{"type":"order.paid","timestamp":"2026-09-21T14:13:20Z","data":{"sequence":1,"order":{}}}',
          '{"note":"Grüße, 日本, \U0001f6d2"}', " {}\n", "p" * 5000]
OLD, NEW = SECRETS[0], SECRETS[1]


def vectors():
    made = []
    for number, (secret, body) in enumerate((secret, body) for secret in SECRETS for body in BODIES):
        at = 1790000000 + 60 * number
        moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        signature = Webhook(secret).sign(f"order-paid-{number}", moment, body)
        made.append({"secret": secret, "id": f"order-paid-{number}", "timestamp": at, "body": body, "signature": signature})
    return made


class Receiver(http.server.BaseHTTPRequestHandler):
    received = []
    answers = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(Receiver.answers.pop(0) if Receiver.answers else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()
        arrived.set()

    def log_message(self, *_):
        pass


def is_taken(secret, headers, body):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def readme_check():
    """The function that the README shows."""
    shown = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    names = {}
    exec(shown, names)
    return names["is_genuine"]


def wait_for(count):
    while len(Receiver.received) < count:
        if not arrived.wait(30):
            raise SystemExit(f"{len(Receiver.received)} of {count} events came:\n{shop.read_log()[-3000:]}")
        arrived.clear()


if "--write" in sys.argv:
    VECTORS.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n")
    raise SystemExit(0)

report = Report()
report.check("the signatures in tests/it/webhook_vectors.json are the library's own", json.loads(VECTORS.read_text()) == vectors())
arrived = threading.Event()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
hooks = f'[[webhooks]]\nname = "erp"\nurl = "http://127.0.0.1:{server.server_port}/hooks"\n\n[payment]'
shop = Shop(settings={"[payment]": hooks}, VITRINE_WEBHOOK_SECRET_ERP=f"{NEW},{OLD}")
genuine = readme_check()
try:
    Receiver.answers = [500]
    buy(shop, report, first_sku(shop))
    wait_for(3)
    for secret in (NEW, OLD):
        name = "the new" if secret == NEW else "the old"
        report.check(f"the library takes all with {name} secret", all(is_taken(secret, *one) for one in Receiver.received))
        report.check(f"so do the README's lines with {name} secret", all(genuine(*one, secret) for one in Receiver.received))
    for headers, body in Receiver.received[:1]:
        for name, changed in (("other bytes", (headers, body + b" ")),
                              ("another id", ({**headers, "webhook-id": "x"}, body)),
                              ("another time", ({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}, body)),
                              ("an old time", ({**headers, "webhook-timestamp": "1790000000"}, body))):
            report.check(f"the library refuses {name}", not is_taken(NEW, *changed))
            report.check(f"the README's lines refuse {name}", not genuine(*changed, NEW))
        report.check("the library refuses a stranger's secret", not is_taken(SECRETS[2], headers, body))
        report.check("the README's lines refuse a stranger's secret", not genuine(headers, body, SECRETS[2]))
    first, again, second = Receiver.received
    report.check("what was refused comes again as it was", (first[0]["webhook-id"], first[1]) == (again[0]["webhook-id"], again[1]))
    told = [(json.loads(body)["type"], json.loads(body)["data"]["sequence"]) for _, body in (again, second)]
    report.check("in order", told == [("order.placed", 1), ("order.paid", 2)], told)
    run = subprocess.run([BINARY, "webhooks", "test", "erp"], cwd=shop.folder, capture_output=True, text=True,
                         env={"VITRINE_WEBHOOK_SECRET_ERP": OLD})
    report.check("a test is accepted", run.returncode == 0 and "204" in run.stdout, (run.stdout, run.stderr))
    report.check("the library takes it", is_taken(OLD, *Receiver.received[-1]) and not is_taken(NEW, *Receiver.received[-1]))
    order = json.loads(second[1])["data"]["order"]
    run = subprocess.run([BINARY, "orders", "list", "--json"], cwd=shop.folder, capture_output=True, text=True)
    # The list says beside it how much of it left the house by now.
    listed = [{**order, "fulfillment": "unfulfilled"}]
    report.check("the order is told as `vitrine orders list --json` prints it", json.loads(run.stdout) == listed, run.stdout[:500])
    report.check("no secret is in the log", "whsec_" not in shop.read_log())
finally:
    shop.stop()
    server.shutdown()
report.close()
