// Stripe's form on the checkout's page, in a browser: the faulty gateway stands for Stripe's API, and a stub of a few lines for its script.
// Stripe's addresses are answered inside the browser, after its Content Security Policy has let the requests pass.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { addToCart, card, fillDetails, openCheckout, orderNumber } from './purchase.mjs';
import { asShopper as visit, binary, launch, picture, sampleShop, serve } from './shop.mjs';

const goods = JSON.parse(await readFile(new URL('./goods.json', import.meta.url)));

// The parts of Stripe.js that the shop uses, as its reference has them. The card is typed into a frame of Stripe's, and goes to Stripe.
const script = `
window.Stripe = (key, { locale }) => {
  const typed = () => document.querySelector('iframe[name=stripe]').dataset.number;
  const heard = {};
  return {
    elements(options) {
      window.told = { key, locale, ...options };
      return {
        create: (kind) => ({
          on: (event, hear) => (heard[event] = hear),
          mount(box) {
            const frame = Object.assign(document.createElement('iframe'), { name: 'stripe', src: 'https://js.stripe.com/' + kind });
            frame.onload = () => heard.ready();
            box.append(frame);
          },
        }),
        submit: async () => (typed() ? {} : { error: { message: 'Your card number is incomplete.' } }),
      };
    },
    async createConfirmationToken() {
      const answer = await fetch('https://api.stripe.com/v1/confirmation_tokens', { method: 'POST', body: typed() });
      return { confirmationToken: await answer.json() };
    },
  };
};`;

let browser, shop, gateway, ledger;
before(async () => {
  ledger = await mkdtemp(join(tmpdir(), 'vitrine-faulty-'));
  gateway = spawn(join(dirname(binary), 'examples/faulty'), [join(ledger, 'ledger.db'), '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const base = await new Promise((told) => gateway.stdout.once('data', (line) => told(String(line).trim())));
  const folder = await sampleShop();
  const site = await readFile(join(folder, 'site.toml'), 'utf8');
  assert.ok(site.includes('gateway = "sandbox"'));
  await writeFile(join(folder, 'site.toml'), site.replace('gateway = "sandbox"', 'gateway = "stripe"\nstripe.page = "element"'));
  browser = await launch();
  shop = await serve(folder, {
    VITRINE_STRIPE_SECRET_KEY: 'sk_test_faulty', VITRINE_STRIPE_PUBLISHABLE_KEY: 'pk_test_faulty', VITRINE_STRIPE_API_BASE: base,
  });
});
after(async () => {
  await browser?.close();
  await shop?.stop();
  gateway?.kill();
  await rm(ledger, { recursive: true, force: true });
});

// A shopper with something in the cart and all details told. `stripe`: what is answered in Stripe's place; false: nothing.
async function asShopper({ stripe = true, ...options }, steps) {
  const made = [];
  const isMeant = (line) => /^request to (js|api)\.stripe\.com$/.test(line) || (!stripe && /ERR_FAILED/.test(line));
  const buys = async (page, context) => {
    await context.route(/^https:\/\/(js|api)\.stripe\.com\//, (route) => {
      const url = route.request().url();
      if (!stripe) return route.abort();
      if (url === 'https://js.stripe.com/endive/stripe.js') return route.fulfill({ contentType: 'text/javascript', body: script });
      if (url.startsWith('https://js.stripe.com/')) return route.fulfill({ contentType: 'text/html', body: '<p>Card' });
      made.push(`ctoken_${route.request().postData().replaceAll(' ', '')}_${made.length}${Date.now()}`);
      return route.fulfill({ json: { id: made.at(-1) }, headers: { 'access-control-allow-origin': '*' } });
    });
    await addToCart(page, shop, goods.plain.slug);
    if (options.script !== false) await page.locator('dialog[open]').waitFor();
    await openCheckout(page, shop);
    assert.equal(await page.locator('script[src*="stripe.com"]').count(), 0, 'before there is something to pay there is no script of others');
    await fillDetails(page);
    await steps(page, made);
  };
  await visit(browser, shop, options, buys, isMeant);
}

const type = (page, number) => page.locator('iframe[name=stripe]').evaluate((frame, typed) => (frame.dataset.number = typed), number);
const buy = (page) => page.locator('form[data-element] button').click();

test('a card is typed into the form on the checkout page, and buys', () =>
  asShopper({}, async (page, made) => {
    await page.locator('iframe[name=stripe]').waitFor();
    const told = await page.evaluate(() => window.told);
    const shown = await page.locator('form[data-element] .price').last().innerText();
    assert.deepEqual(
      { ...told, amount: `€${(told.amount / 100).toFixed(2)}` },
      { key: 'pk_test_faulty', locale: 'en', mode: 'payment', amount: shown, currency: 'eur', captureMethod: 'manual', paymentMethodTypes: ['card'] },
    );
    await buy(page);
    await page.getByRole('alert').filter({ hasText: 'incomplete' }).waitFor();
    assert.equal(made.length, 0, 'nothing was sent');
    await picture(page, 'element');
    await type(page, card.good);
    await buy(page);
    await orderNumber(page);
    assert.equal(made.length, 1);
  }));

// The pages of the faulty gateway are on plain HTTP, where the policy of the checkout lets no form lead.
const policy = false;

test('a refused card charges nothing, and the next one buys after its second step', () =>
  asShopper({ policy }, async (page) => {
    await page.locator('iframe[name=stripe]').waitFor();
    await type(page, card.declined);
    await buy(page);
    await page.getByText(/not (been )?charged/i).first().waitFor();
    await type(page, card.secure);
    await buy(page);
    await page.locator('button[value=authenticate]').click();
    await orderNumber(page);
  }));

for (const [who, options, note] of [
  ['without script', { script: false, policy }, 'needs script'],
  ['whom the script of Stripe does not reach', { stripe: false, policy }, 'could not be loaded'],
]) {
  test(`a shopper ${who} is told, and pays on the page of Stripe`, () =>
    asShopper(options, async (page) => {
      // Where script is switched off from outside, this browser reads <noscript> and does not draw it.
      if (options.script !== false) await page.getByText(note).waitFor();
      assert.match(await page.locator(options.script === false ? 'noscript' : 'main').last().textContent(), new RegExp(note));
      await buy(page);
      await page.locator('[name=number]').fill(card.good);
      await page.locator('button').click();
      await orderNumber(page);
    }));
}
