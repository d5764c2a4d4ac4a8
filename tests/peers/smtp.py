"""Buys over the JSON contract and receives the confirmation with a real SMTP server that refuses twice before it accepts."""

import email
import re
import threading
import urllib.parse

from aiosmtpd.controller import Controller

from shop import Report, Shop, free_port


class Sink:
    """Says 451 to the first two attempts, then accepts; keeps what it was given."""

    def __init__(self):
        self.attempts, self.accepted, self.arrived = [], [], threading.Event()

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content)
        self.attempts.append((envelope.rcpt_tos, message))
        if len(self.attempts) <= 2:
            return "451 try again later"
        self.accepted.append(message)
        self.arrived.set()
        return "250 kept"


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


def buy(shop, report, sku):
    status, headers, cart = shop.call("POST", "/api/v1/cart/lines", {"sku": sku, "quantity": 1})
    report.check("a line is added", status in (200, 201), (status, cart))
    token = {"Cart-Token": headers["Cart-Token"]}
    status, headers, checkout = shop.call("POST", "/api/v1/checkouts", {}, {**token, "Idempotency-Key": "smtp-open"})
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
        {**token, "Idempotency-Key": "smtp-pay"})
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


report = Report()
sink = Sink()
controller = Controller(sink, hostname="127.0.0.1", port=free_port())
controller.start()
shop = Shop(VITRINE_SMTP_URL=f"smtp://127.0.0.1:{controller.port}")
try:
    status, _, stock = shop.call("GET", "/api/v1/cart")
    report.check("the edge answers", status == 200)
    buy(shop, report, first_sku(shop))
    report.check("the mail is accepted at the third try", sink.arrived.wait(30), shop.read_log()[-2000:])
    names = {message["Message-ID"] for _, message in sink.attempts}
    report.check("every try carries the same Message-ID", len(names) == 1 and len(sink.attempts) == 3, (names, len(sink.attempts)))
    report.check("it goes to the shopper", all(to == ["ada@example.com"] for to, _ in sink.attempts))
    parts = {part.get_content_type() for part in sink.accepted[0].walk()} if sink.accepted else set()
    report.check("it is text and HTML", {"text/plain", "text/html"} <= parts, parts)
finally:
    shop.stop()
    controller.stop()
report.close()
