// The pages as a host sends them, judged by checkers that are not ours: axe, the Nu HTML checker, Lighthouse; and by the rules of search
// engines for structured data, sitemaps and headers. VITRINE_LIGHTHOUSE_RUNS: runs per page, of which the median counts.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { host } from './host.mjs';
import { root, sampleShop } from './shop.mjs';

const out = join(process.env.VITRINE_ARTEFACTS ?? join(root, 'tests/artefacts'), 'web');
const runs = process.env.VITRINE_LIGHTHOUSE_RUNS ?? '1';
const goods = JSON.parse(await readFile(new URL('./goods.json', import.meta.url)));
const product = `/products/${goods.variants.slug}`;
const pages = ['/', goods.category, product, '/search', '/shipping'];

let shop, cart, checkout;
before(async () => {
  shop = await host(await sampleShop());
  await mkdir(out, { recursive: true });
  // Somebody with something in the cart, at the checkout.
  const ask = (path, body, headers = {}) =>
    fetch(shop.url + path, { method: 'POST', headers: { 'content-type': 'application/json', origin: shop.url, ...headers }, body: JSON.stringify(body) });
  const added = await ask('/api/v1/cart/lines', { sku: goods.variants.sku, quantity: 1 });
  assert.equal(added.status, 200, await added.clone().text());
  cart = added.headers.getSetCookie().map((one) => one.split(';')[0]).find((one) => !one.startsWith('cart-count'));
  const opened = await ask('/api/v1/checkouts', {}, { cookie: cart });
  const { continue_url: to } = await opened.json();
  checkout = to.slice(shop.url.length);
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
test('a cart with something in it, and the checkout, are accessible', () => check('axe', '--paths', ['/cart', checkout].join(), '--cookie', cart));
test('every kind of page is HTML without an error', async () => {
  await check('vnu', '--paths', [...pages, '/categories/light', '/nothing-here', '/cart'].join());
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
