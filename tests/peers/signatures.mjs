// Signs with Stripe's Node SDK: reads [{payload, secret, timestamp}] from stdin, writes the headers.
import Stripe from 'stripe';

const stripe = new Stripe('sk_test_none');
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const asked = JSON.parse(Buffer.concat(chunks).toString());
const headers = asked.map((one) => stripe.webhooks.generateTestHeaderString(one));
process.stdout.write(JSON.stringify(headers));
