// The pages as a host sends them, judged by checkers that are not ours: axe, the Nu HTML checker, Lighthouse; and by the rules of search
// engines for structured data, sitemaps and headers. VITRINE_LIGHTHOUSE_RUNS: runs per page, of which the median counts.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { host } from './host.mjs';
import { address, root, sampleShop } from './shop.mjs';

const out = join(process.env.VITRINE_ARTEFACTS ?? join(root, 'tests/artefacts'), 'web');
const runs = process.env.VITRINE_LIGHTHOUSE_RUNS ?? '1';
const goods = JSON.parse(await readFile(new URL('./goods.json', import.meta.url)));
const product = `/products/${goods.variants.slug}`;
const pages = ['/', goods.category, product, '/search', '/shipping'];
// More of the same kinds: a shelf's second page, a shelf that is cut, and another language.
const more = ['/categories/garden/2', '/categories/light/price/20-to-50', '/de', `/de${product}`];
const facet = '\n[[facets]]\nname = "price"\nsource = "price"\nbands = ["20", "50"]\nmin_products = 1\n';

let shop, cart, checkout, pay, order;
before(async () => {
  const folder = await sampleShop(), settings = join(folder, 'site.toml');
  const text = await readFile(settings, 'utf8');
  assert.match(text, /page_size = 12/);
  await writeFile(settings, text.replace('page_size = 12', 'page_size = 5') + facet);
  shop = await host(folder);
  await mkdir(out, { recursive: true });
  // Somebody with something in the cart, at the checkout.
  const ask = (path, body, headers = {}) =>
    fetch(shop.url + path, { method: 'POST', headers: { 'content-type': 'application/json', origin: shop.url, ...headers }, body: JSON.stringify(body) });
  const fill = async () => {
    const added = await ask('/api/v1/cart/lines', { sku: goods.variants.sku, quantity: 1 });
    assert.equal(added.status, 200, await added.clone().text());
    return added.headers.getSetCookie().map((one) => one.split(';')[0]).find((one) => !one.startsWith('cart-count'));
  };
  cart = await fill();
  const opened = await ask('/api/v1/checkouts', {}, { cookie: cart });
  const { continue_url: to } = await opened.json();
  checkout = to.slice(shop.url.length);
  // Somebody who is about to pay, and somebody who has paid.
  const begins = async () => {
    const cookie = await fill(), { email, name, line1, city, postal_code } = address;
    const details = { contact: { email }, address: { name, line1, city, postal_code, country: 'DE' } };
    const { id, quote } = await (await ask('/api/v1/checkouts', details, { cookie })).json();
    const paying = await ask(`/api/v1/checkouts/${id}/payment`, { quote_hash: quote.hash, method: 'sandbox' }, { cookie, 'idempotency-key': id });
    return (await paying.json()).payment.redirect_url.replace(shop.url, '');
  };
  pay = await begins();
  const form = { 'content-type': 'application/x-www-form-urlencoded', origin: shop.url };
  let answer = await fetch(shop.url + (await begins()), { method: 'POST', headers: form, body: 'number=4242424242424242' });
  // A payment that is being checked is looked at again.
  for (let looks = 0; looks < 50 && !answer.url.startsWith(`${shop.url}/orders/`); looks++) answer = await fetch(answer.url);
  order = answer.url.slice(shop.url.length);
  assert.match(order, /^\/orders\//, await answer.text());
});
after(() => shop?.stop());

// One of the checks of checks/, with its report in the artefacts.
function check(name, ...words) {
  return new Promise((done, failed) => {
    const script = new URL(`./checks/${name}.mjs`, import.meta.url).pathname;
    execFile(process.execPath, [script, '--base', shop.url, '--out', out, ...words], { maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      error ? failed(new Error(`${stdout}\n${stderr}`)) : done(stdout));
  });
}
const budgets = new URL('./checks/budgets.json', import.meta.url).pathname;

test('every kind of page is accessible: phone, dark desktop, 320 px', () =>
  check('axe', '--paths', [...pages, `/products/${goods.plain.slug}`, '/search?q=lamp', '/nothing-here', '/cart'].join()));
test('more pages of these kinds, and what comes after the checkout, are accessible', async () => {
  await check('axe', '--paths', more.join(), '--modes', 'phone-light');
  await check('axe', '--paths', ['/accessibility', pay, order].join());
});
test('a cart with something in it, and the checkout, are accessible', () => check('axe', '--paths', ['/cart', checkout].join(), '--cookie', cart));
test('every kind of page is HTML without an error', async () => {
  await check('vnu', '--paths', [...pages, ...more, '/accessibility', '/nothing-here', '/cart', pay, order].join());
  await check('vnu', '--paths', ['/cart', checkout].join(), '--cookie', cart);
});
test('headers: caches, compression, and a policy that names what stands in the page', () =>
  check('headers', '--paths', pages.join(), '--api', '/api/v1/cart/lines'));
test('structured data is what search engines ask for, and says what the page says', () =>
  check('jsonld', '--paths', ['/', goods.category, product, `/products/${goods.plain.slug}`, '/products/storm-lantern'].join()));
test('sitemaps and robots.txt agree with the pages', () => check('sitemap', '--origin', shop.url));
test('weight: bytes, requests, no shift, back from the memory of the browser', async (t) => {
  t.diagnostic(await check('weight', '--paths', [...pages.slice(0, 4)].join(), '--budgets', budgets));
});
test('Lighthouse gives all pages full marks', async (t) => {
  t.diagnostic(await check('lighthouse', '--paths', ['/', goods.category, product, '/search'].join(), '--budgets', budgets, '--runs', runs));
  t.diagnostic(await check('lighthouse', '--paths', ['/cart', checkout].join(), '--budgets', budgets, '--runs', runs, '--cookie', cart));
});
