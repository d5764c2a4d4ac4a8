"""localstripe, a Stripe server of others, as the judge of the adapter's wire form: what the adapter asks for happens there, and what it
reads is what stands there.

localstripe has neither sessions nor confirmation tokens, so a thin proxy keeps sessions itself, says a good card for a token, and passes on
what is about intents, refunds and events; it leaves out what localstripe refuses and adds what it does not show, each by name, and both
lists are printed."""

import http.client
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.parse

from shop import BINARY, Report, free_port

SECRET = "whsec_peers"
# What localstripe refuses, by the end of the path that is asked.
REFUSED = {"cancel": {"cancellation_reason"}, "events": {"types"},
           "payment_intents": {"confirmation_token", "use_stripe_sdk", "return_url", "description", "created"}}
left_out, added = set(), set()


class Peer:
    """localstripe itself, and one call to it."""

    def __init__(self):
        self.port = free_port()
        program = pathlib.Path(sys.executable).with_name("localstripe")
        self.process = subprocess.Popen([str(program), "--port", str(self.port), "--from-scratch"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if self.call("GET", "/v1/payment_intents")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("localstripe did not start")

    def call(self, method, path, fields=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        text = urllib.parse.urlencode(list(fields))
        headers = {"Authorization": "Bearer sk_test_peers", "Content-Type": "application/x-www-form-urlencoded"}
        if method == "GET":
            connection.request("GET", f"{path}?{text}", headers=headers)
        else:
            connection.request(method, path, text, headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def intents(self):
        return self.call("GET", "/v1/payment_intents", [("limit", "100")])[1]["data"]


class Proxy(http.server.BaseHTTPRequestHandler):
    """Sessions are kept here; all else is localstripe's."""

    peer, sessions, asked = None, {}, []

    def do_GET(self):
        address = urllib.parse.urlparse(self.path)
        self.reply(*self.respond("GET", address.path, urllib.parse.parse_qsl(address.query, strict_parsing=bool(address.query))))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        assert self.headers["Content-Type"] == "application/x-www-form-urlencoded" and self.headers["Idempotency-Key"]
        self.reply(*self.respond("POST", self.path, urllib.parse.parse_qsl(body, strict_parsing=bool(body))))

    def respond(self, method, path, fields):
        self.asked.append(f"{method} {path}")
        match method, path.split("/")[2:]:
            case "POST", ["checkout", "sessions"]:
                form, name = dict(fields), f"cs_test_{len(self.sessions) + 1}"
                self.sessions[name] = {"form": form, "status": "open", "intent": None, "created": int(time.time())}
                return 200, self.shown(name, [])
            case "GET", ["checkout", "sessions"]:
                # Paths into a list begin with it.
                below = [(key, value.removeprefix("data.")) for key, value in fields if key.startswith("expand")]
                data = [self.shown(name, below) for name in reversed(self.sessions)]
                return 200, {"object": "list", "has_more": False, "data": data}
            case "GET", ["checkout", "sessions", name]:
                return 200, self.shown(name, fields)
            case "POST", ["checkout", "sessions", name, "expire"]:
                self.sessions[name]["status"] = "expired"
                return 200, self.shown(name, fields)
        refused = REFUSED.get(path.rsplit("/", 1)[1], set())
        left_out.update(f"{path.rsplit('/', 1)[1]}: {key.split('[')[0]}" for key, _ in fields if key.split("[")[0] in refused)
        token = dict(fields).get("confirmation_token")
        fields = [(key, value) for key, value in fields if key.split("[")[0] not in refused]
        if token:
            fields.append(("payment_method", "pm_card_visa"))
        status, answer = self.peer.call(method, path, fields)
        return status, completed(answer) if status == 200 else answer

    def shown(self, name, fields):
        """A session with its intent as localstripe shows it, by whatever of `expand` is below that."""
        session, form = self.sessions[name], self.sessions[name]["form"]
        below = [(key, value.removeprefix("payment_intent.")) for key, value in fields if value.startswith("payment_intent.")]
        intent = session["intent"] and completed(self.peer.call("GET", f"/v1/payment_intents/{session['intent']}", below)[1])
        return {
            "id": name, "object": "checkout.session", "status": session["status"], "livemode": False, "payment_intent": intent,
            "url": f"http://127.0.0.1/pay/{name}" if session["status"] == "open" else None, "created": session["created"],
            "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
            "currency": form["line_items[0][price_data][currency]"], "client_reference_id": form["client_reference_id"],
            "metadata": metadata(form, "metadata"),
        }

    @classmethod
    def pay(cls, name):
        """The shopper pays on the page that localstripe has not: the session's own words about its intent make one there."""
        session, form = cls.sessions[name], cls.sessions[name]["form"]
        of_intent = "payment_intent_data"
        fields = {"amount": form["line_items[0][price_data][unit_amount]"], "currency": form["line_items[0][price_data][currency]"],
                  "capture_method": form[f"{of_intent}[capture_method]"], "payment_method": "pm_card_visa", "confirm": "true"}
        fields |= {f"metadata[{key}]": value for key, value in metadata(form, f"{of_intent}[metadata]").items()}
        status, intent = cls.peer.call("POST", "/v1/payment_intents", fields.items())
        assert status == 200, intent
        session["intent"], session["status"] = intent["id"], "complete"
        return intent["id"]

    def reply(self, status, answer):
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def metadata(form, place):
    return {key[len(place) + 1:-1]: value for key, value in form.items() if key.startswith(f"{place}[")}


def completed(answer):
    """Amounts that localstripe does not show, as Stripe's reference derives them."""
    if answer.get("object") == "list":
        answer["data"] = [completed(one) for one in answer["data"]]
    if answer.get("object") == "payment_intent":
        added.update({"payment_intent: amount_received", "payment_intent: amount_capturable"})
        answer["amount_received"] = answer["amount"] if answer["status"] == "succeeded" else 0
        answer["amount_capturable"] = answer["amount"] if answer["status"] == "requires_capture" else 0
    return answer


class Hooks(http.server.BaseHTTPRequestHandler):
    """Keeps the webhooks that localstripe sends."""

    heard, arrived = [], threading.Event()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.heard.append((self.headers["Stripe-Signature"], body))
        self.send_response(204)
        self.end_headers()
        self.arrived.set()

    def log_message(self, *_):
        pass


def listening(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


report = Report()
Proxy.peer = peer = Peer()
adapter = subprocess.Popen([str(pathlib.Path(BINARY).parent / "examples/adapter"), listening(Proxy)],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"})


def call(name, **words):
    adapter.stdin.write(json.dumps({"call": name, **words}) + "\n")
    adapter.stdin.flush()
    return json.loads(adapter.stdout.readline())


def is_done(name, answer, **expected):
    seen = {key: (answer.get("value") or {}).get(key) for key in expected}
    report.check(name, answer["outcome"] == "done" and seen == expected, (answer, expected))


def intent(name):
    return peer.call("GET", f"/v1/payment_intents/{Proxy.sessions[name]['intent']}")[1]


try:
    peer.call("POST", "/_config/webhooks/shop", [("url", listening(Hooks)), ("secret", SECRET)])
    until = int(time.time()) + 3600
    opened = {key: call("create", key=key, amount=amount, expires_at=until) for key, amount in (("one", 1990), ("two", 480), ("three", 99))}
    one, two, three = (answer["value"]["reference"] for answer in opened.values())
    is_done("a payment is opened", opened["one"], state="open", amount={"amount": 1990, "currency": "EUR"})
    Proxy.pay(one)
    Proxy.pay(two)
    report.check("the intent is over the agreed amount, held and not taken",
                 (intent(one)["amount"], intent(one)["currency"], intent(one)["status"]) == (1990, "eur", "requires_capture"), intent(one))
    report.check("the intent names shop, checkout, attempt and quote",
                 intent(one)["metadata"] == {"shop": "peers", "checkout": "one", "attempt": "1", "quote_hash": "ab"}, intent(one))
    is_done("a held payment is read as held", call("fetch", reference=one), state="authorized",
            amount={"amount": 1990, "currency": "EUR"}, live=False, metadata=intent(one)["metadata"])
    is_done("it is found by its key", call("lookup", key="one"), reference=one)
    is_done("it is captured", call("capture", key="c1", reference=one), state="captured", amount={"amount": 1990, "currency": "EUR"})
    report.check("the money is taken there", intent(one)["status"] == "succeeded", intent(one))
    is_done("what is captured stays so when it is asked again", call("capture", key="c1", reference=one), state="captured")
    is_done("a held payment is called off", call("cancel", key="x2", reference=two), state="canceled")
    report.check("the hold is let go there", intent(two)["status"] == "canceled", intent(two))
    answer = call("cancel", key="x1", reference=one)
    report.check("what is taken is not called off", answer["outcome"] == "rejected" and intent(one)["status"] == "succeeded", answer)
    answer = call("capture", key="c2", reference=two)
    report.check("what is called off is not taken", answer["outcome"] == "rejected" and intent(two)["status"] == "canceled", answer)
    is_done("a part is given back", call("refund", key="r1", reference=one, amount=480), state="captured", refunded_minor=480)
    refunds = peer.call("GET", "/v1/refunds")[1]["data"]
    of_payment = {"shop": "peers", "checkout": "one", "attempt": "1"}
    report.check("the refund stands there, over that part, with its key and the names of its payment",
                 [(one_refund["amount"], one_refund["metadata"], one_refund["currency"]) for one_refund in refunds] == [(480, {"key": "r1"} | of_payment, "eur")],
                 refunds)
    answer = call("refund", key="r3", reference=three, amount=99)
    report.check("what was never paid is not given back", answer["outcome"] == "rejected", answer)
    is_done("a page that nobody pays on is closed", call("cancel", key="x3", reference=three), state="canceled")
    four = call("create", key="four", amount=1500, expires_at=until, confirmation="ctoken_1")
    is_done("what was typed into the form is confirmed and held", four, state="authorized", amount={"amount": 1500, "currency": "EUR"})
    four = four["value"]["reference"]
    stands = peer.call("GET", f"/v1/payment_intents/{four}")[1]
    report.check("it is held there, and names its key, shop, checkout, attempt and quote",
                 (stands["status"], stands["metadata"]) == ("requires_capture", {"key": "four", "shop": "peers", "checkout": "four", "attempt": "1",
                                                                                 "quote_hash": "ab"}), stands)
    is_done("it is found by its key among intents", call("lookup", key="four"), reference=four, state="authorized")
    is_done("it is captured by itself", call("capture", key="c4", reference=four), state="captured", amount={"amount": 1500, "currency": "EUR"})
    is_done("and given back", call("refund", key="r4", reference=four, amount=1500), refunded_minor=1500)
    five = call("create", key="five", amount=700, expires_at=until, confirmation="ctoken_2")["value"]["reference"]
    is_done("another one is called off", call("cancel", key="x5", reference=five), state="canceled")
    report.check("its hold is let go there", peer.call("GET", f"/v1/payment_intents/{five}")[1]["status"] == "canceled")
    answer = call("payments")
    report.check("every payment is listed as it stands",
                 [(payment["reference"], payment["state"], payment["refunded_minor"]) for payment in answer["value"]]
                 == [(three, "canceled", 0), (two, "canceled", 0), (one, "captured", 480), (four, "captured", 1500), (five, "canceled", 0)], answer)
    events = call("events")
    ours = 'Attempt { shop: "peers", checkout: "one", number: 1 }'
    report.check("its events are read, and name the attempt",
                 [(event["kind"], event["about"], event["is_ours"]) for event in events["value"]]
                 == [("payment_intent.succeeded", ours.replace("one", name), True) for name in ("one", "four")], events)
    report.check("its webhook comes", Hooks.arrived.wait(20))
    signature, body = Hooks.heard[0]
    heard = call("hear", signature=signature, body=body, at=int(time.time()))
    report.check("it is heard, and is the event of the list", heard["outcome"] == "done" and heard["value"] == events["value"][:1], heard)
    for name, changed in (("another body", {"body": body.replace("1990", "1991")}), ("the past", {"at": int(time.time()) + 400}),
                          ("the future", {"at": int(time.time()) - 400})):
        answer = call("hear", **{"signature": signature, "body": body, "at": int(time.time())} | changed)
        report.check(f"one of {name} is not heard", answer["outcome"] == "rejected", answer)
    for name, fields in sorted(REFUSED.items()):
        for field in sorted(fields):
            report.check(f"localstripe was not told `{field}` of {name}, which the adapter says", f"{name}: {field}" in left_out, left_out)
    passed_on = [line for line in Proxy.asked if "/sessions" not in line]
    print(f"asked of localstripe: {len(passed_on)} calls beside looks at intents: {', '.join(sorted(set(line.split('/pi_')[0] for line in passed_on)))}")
    print(f"left out: {', '.join(sorted(left_out))}")
    print(f"added: {', '.join(sorted(added))}")
finally:
    adapter.stdin.close()
    adapter.wait(10)
    peer.process.terminate()
    peer.process.wait(10)
report.close()
