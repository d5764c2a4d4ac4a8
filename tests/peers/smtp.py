"""Buys over the JSON contract while a real SMTP server refuses, drops and hangs before it accepts."""

import asyncio
import email
import threading

from aiosmtpd.controller import Controller

from shop import Report, Shop, buy, first_sku, free_port


class Sink:
    """Of each mail it refuses the first try, takes the second and drops the line before it says so, says nothing to the third, and
    accepts the fourth; keeps what it was given."""

    def __init__(self):
        self.tries, self.accepted, self.arrived, self.hangs = {}, [], threading.Event(), threading.Event()

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content)
        tries = self.tries.setdefault(message["Message-ID"], [])
        tries.append((envelope.rcpt_tos, message))
        match len(tries):
            case 1:
                return "451 try again later"
            case 2:
                server.transport.abort()
                return "250 nobody hears this"
            case 3:
                self.hangs.set()
                await asyncio.Event().wait()
        self.accepted.append(message)
        if len(self.accepted) == 2:
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
    report.check("a server that says nothing is waited for", sink.hangs.wait(30), shop.read_log()[-2000:])
    buy(shop, report, first_sku(shop), "while it hangs")
    report.check("both mails are accepted in the end", sink.arrived.wait(120), shop.read_log()[-2000:])
    counts = [len(tries) for tries in sink.tries.values()]
    report.check("every try of a mail carries its Message-ID", counts == [4, 4], counts)
    bodies = {name: {message.as_bytes() for _, message in tries} for name, tries in sink.tries.items()}
    report.check("and the same bytes", all(len(each) == 1 for each in bodies.values()))
    tried = [to for tries in sink.tries.values() for to, _ in tries]
    report.check("they go to the shopper", all(to == ["ada@example.com"] for to in tried), tried)
    parts = [{part.get_content_type() for part in message.walk()} for message in sink.accepted]
    report.check("they are text and HTML", all({"text/plain", "text/html"} <= each for each in parts), parts)
finally:
    shop.stop()
    controller.stop()
report.close()
