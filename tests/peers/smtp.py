"""Buys over the JSON contract and receives the confirmation with a real SMTP server that refuses twice before it accepts."""

import email
import threading

from aiosmtpd.controller import Controller

from shop import Report, Shop, buy, first_sku, free_port


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
