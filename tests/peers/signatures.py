"""Stripe's own SDKs, Python and Node, as the judge of webhook signatures: what they sign the edge hears, and nothing else.

`signatures.py --write` makes tests/it/signatures.json anew, from which the Rust tests read the same signatures without the SDKs."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import stripe

from shop import BINARY, ROOT, Report, Shop, free_port

VECTORS = ROOT / "tests/it/signatures.json"
SECRET = "whsec_vectors"

EVENT = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "created": 1790000000, "livemode": False,
         "data": {"object": {"id": "pi_1", "object": "payment_intent", "metadata": {}}}}

PAYLOADS = [
    json.dumps(EVENT),
    json.dumps(EVENT, indent=2),
    json.dumps({**EVENT, "id": "evt_2", "note": "Grüße, 日本, \U0001f6d2"}, ensure_ascii=False),
    ' {"id":"evt_3",\n\t"id":"evt_4","object":"event","type":"x.y","created":1,"livemode":false}  \n',
    json.dumps({**EVENT, "id": "evt_5", "pad": "p" * 5000}),
]


def by_python(asked):
    return [stripe.WebhookSignature.generate_signature_header(one["payload"], one["secret"], one["timestamp"]) for one in asked]


def by_node(asked):
    run = subprocess.run(["node", str(ROOT / "tests/peers/signatures.mjs")], input=json.dumps(asked).encode(), capture_output=True)
    if run.returncode != 0:
        raise SystemExit(run.stderr.decode())
    return json.loads(run.stdout)


def vectors():
    asked = [{"payload": payload, "secret": secret, "timestamp": 1790000000 + 60 * index}
             for index, payload in enumerate(PAYLOADS) for secret in (SECRET, "whsec_Ünusual +/= key")]
    made = []
    for name, sign in (("python", by_python), ("node", by_node)):
        made += [{"by": name, **one, "header": header} for one, header in zip(asked, sign(asked))]
    return made


def faulty():
    """The gateway of the tests, so that the edge has an API to talk to."""
    program = pathlib.Path(BINARY).parent / "examples/faulty"
    folder = tempfile.mkdtemp(prefix="vitrine-faulty-")
    process = subprocess.Popen([str(program), f"{folder}/ledger.db", "0"], stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip(), folder


if "--write" in sys.argv:
    VECTORS.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n")
    raise SystemExit(0)

report = Report()
report.check("the signatures in tests/it/signatures.json are the SDKs' own", json.loads(VECTORS.read_text()) == vectors())
gateway, api_base, ledger = faulty()
shop = Shop(
    settings={'gateway = "sandbox"': 'gateway = "stripe"'},
    VITRINE_STRIPE_SECRET_KEY="sk_test_faulty", VITRINE_STRIPE_WEBHOOK_SECRETS=f"whsec_rolled,{SECRET}",
    VITRINE_STRIPE_API_BASE=api_base)


def sent(payload, header):
    status, _, _ = shop.call("POST", "/api/v1/webhooks/stripe", payload.encode(), {"Stripe-Signature": header})
    return status


try:
    for name, sign in (("Python", by_python), ("Node", by_node)):
        for index, payload in enumerate(PAYLOADS):
            def header(secret=SECRET, seconds=0):
                return sign([{"payload": payload, "secret": secret, "timestamp": int(time.time()) + seconds}])[0]
            report.check(f"{name} {index}: a signature of now is heard", sent(payload, header()) == 204)
            report.check(f"{name} {index}: one of another secret is not", sent(payload, header("whsec_other")) == 400)
            report.check(f"{name} {index}: one of the future is not", sent(payload, header(seconds=330)) == 400)
            report.check(f"{name} {index}: one of the past is not", sent(payload, header(seconds=-330)) == 400)
            report.check(f"{name} {index}: other bytes are not", sent(payload.replace("evt", "evu"), header()) == 400)
    log = shop.read_log()
    report.check("no secret is in the log", "whsec_" not in log and "sk_test_" not in log)
finally:
    shop.stop()
    gateway.kill()
    gateway.wait()
    shutil.rmtree(ledger, ignore_errors=True)
report.close()
