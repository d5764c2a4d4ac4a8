// What a page tells of itself: the same as the library `web-vitals` measures in the same browser, once, and nothing where nobody is to be
// measured. How the page was goes along with the first change of a cart.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addToCart } from './purchase.mjs';
import { asShopper as visit, launch, root, sampleShop, serve } from './shop.mjs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

let browser, shop, library;
before(async () => {
  [browser, shop] = [await launch(), await serve(await sampleShop())];
  library = await readFile(join(root, 'tests/browser/node_modules/web-vitals/dist/web-vitals.iife.js'), 'utf8');
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});
const asShopper = (options, steps) => visit(browser, shop, options, steps);
const goods = JSON.parse(await readFile(new URL('./goods.json', import.meta.url)));
const isBeacon = (request) => request.url().endsWith('/api/v1/beacon');

// Keeps what is sent, beside the library's own measures.
const listen = (page) =>
  page.addInitScript(`${library}
    window.told = []; window.known = {};
    for (const name of ['LCP', 'CLS', 'INP', 'TTFB']) webVitals['on' + name]((metric) => (known[name] = metric.value), { reportAllChanges: false });
    const send = navigator.sendBeacon.bind(navigator);
    navigator.sendBeacon = (to, body) => (told.push(JSON.parse(body)), send(to, body));`);

// A browser without windows hides no page: it is told that it does.
const hide = (page) =>
  page.evaluate(() => {
    for (const [name, value] of [['hidden', true], ['visibilityState', 'hidden']]) Object.defineProperty(document, name, { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    return { told, known };
  });

for (const phone of [false, true]) {
  for (const path of ['/', goods.category, `/products/${goods.variants.slug}`, '/search', '/shipping', '/cart']) {
    test(`${path} tells what web-vitals measures${phone ? ', on a phone' : ''}`, () =>
      asShopper({ phone }, async (page) => {
        await listen(page);
        await page.goto(shop.url + path);
        await page.waitForLoadState('load');
        await page.waitForTimeout(300);
        if (path === goods.category) {
          // A shift that nobody asked for, of what was painted before.
          await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
          await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
          // Nothing counts within half a second of a change of the window, and a telephone's changes while the page is loaded.
          await page.waitForFunction(() => performance.now() > 1200);
          await page.evaluate(() => new Promise((done) => {
            document.querySelector('main').prepend(Object.assign(document.createElement('div'), { innerHTML: '<p>'.repeat(9) }));
            requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100)));
          }));
        }
        // The library tells its LCP once somebody acts.
        await page.locator('h1').first().click();
        await page.waitForTimeout(200);
        const answered = page.waitForResponse((response) => isBeacon(response.request()));
        const { told, known } = await hide(page);
        assert.equal((await answered).status(), 204);
        assert.equal(told.length, 1, 'once');
        const [beacon] = told;
        assert.ok(Math.abs(beacon.lcp - known.LCP) <= 1, `LCP ${beacon.lcp}, the library's ${known.LCP}`);
        assert.ok(Math.abs(beacon.cls / 1e3 - known.CLS) <= 0.001, `CLS ${beacon.cls}, the library's ${known.CLS}`);
        assert.ok(Math.abs(beacon.ttfb - known.TTFB) <= 1, `TTFB ${beacon.ttfb}, the library's ${known.TTFB}`);
        if (known.INP !== undefined) assert.ok(Math.abs(beacon.inp - known.INP) <= 8, `INP ${beacon.inp}, the library's ${known.INP}`);
        if (path === goods.category) assert.ok(known.CLS > 0.01 && beacon.first_product > 0, `${known.CLS} ${beacon.first_product}`);
        assert.equal(beacon.device, phone ? 'phone' : 'desktop');
        const names = ['page', 'market', 'device', 'connection', 'lcp', 'inp', 'cls', 'ttfb', 'first_product'];
        assert.deepEqual(Object.keys(beacon).filter((name) => !names.includes(name)), []);
        assert.equal((await hide(page)).told.length, 1, 'and not again');
      }));
  }
}

test('a shopper who looks around has nothing kept on the device', () =>
  asShopper({}, async (page, context) => {
    for (const path of [goods.category, `/products/${goods.plain.slug}`, '/shipping']) await page.goto(shop.url + path);
    assert.deepEqual(await context.storageState(), { cookies: [], origins: [] });
  }));

const asks = [
  ['Do Not Track', { doNotTrack: '1' }],
  ['Global Privacy Control', { globalPrivacyControl: true }],
];
for (const [name, values] of asks) {
  test(`${name}: nothing is told, and a cart takes nothing along`, () =>
    asShopper({}, async (page) => {
      const sent = [];
      page.on('request', (request) => sent.push(request));
      await page.addInitScript((values) => {
        for (const [key, value] of Object.entries(values)) Object.defineProperty(Navigator.prototype, key, { configurable: true, get: () => value });
      }, values);
      await addToCart(page, shop, goods.plain.slug);
      await page.locator('dialog[open] li').first().waitFor();
      await page.goto(`${shop.url}/cart`);
      await page.goto(`${shop.url}/shipping`);
      assert.deepEqual(sent.filter(isBeacon).map((request) => request.url()), []);
      const added = sent.find((request) => request.url().endsWith('/api/v1/cart/lines'));
      assert.equal('vitals' in added.postDataJSON(), false);
    }));
}

test('how the page was goes along with the first change of a cart', () =>
  asShopper({}, async (page) => {
    const added = page.waitForRequest((request) => request.url().endsWith('/api/v1/cart/lines'));
    await addToCart(page, shop, goods.plain.slug);
    const { vitals } = (await added).postDataJSON();
    const place = vitals - 1;
    assert.ok(vitals >= 1 && vitals <= 240, `${vitals}`);
    assert.equal(place % 4, 0, 'from a product');
    assert.equal(Math.floor(place / 16) % 3, 2, 'at a desk');
    await page.locator('dialog[open] li').first().waitFor();
  }));

test('without script nothing is told', () =>
  asShopper({ script: false }, async (page) => {
    const sent = [];
    page.on('request', (request) => sent.push(request.url()));
    await page.goto(shop.url + goods.category);
    await page.goto(`${shop.url}/shipping`);
    assert.deepEqual(sent.filter((url) => /beacon/.test(url)), []);
  }));

// Leaves the page once everything on it has been seen.
async function left(page) {
  await page.waitForLoadState('load');
  await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const answered = page.waitForResponse((response) => isBeacon(response.request()));
  const { told } = await hide(page);
  assert.equal((await answered).status(), 204);
  return told.at(-1);
}

test('a page that was opened behind another one tells nothing that somebody would have waited for', () =>
  asShopper({}, async (page) => {
    await listen(page);
    await page.addInitScript(() => Object.defineProperty(document, 'hidden', { configurable: true, get: () => true }));
    await page.goto(shop.url + goods.category);
    const beacon = await left(page);
    assert.deepEqual(Object.keys(beacon).filter((name) => ['lcp', 'first_product'].includes(name)), []);
    assert.ok(beacon.ttfb >= 0 && beacon.page === 'category');
  }));

test('a measure of more than two minutes is left out, and the others are told', () =>
  asShopper({}, async (page) => {
    await listen(page);
    await page.addInitScript(() => Object.defineProperty(PerformanceElementTiming.prototype, 'startTime', { get: () => 150_000 }));
    await page.addInitScript(() => Object.defineProperty(PerformanceEntry.prototype, 'duration', { get: () => 130_000 }));
    await page.goto(shop.url + goods.category);
    await page.locator('h1').first().click();
    const beacon = await left(page);
    assert.equal('inp' in beacon, false);
    assert.ok(beacon.lcp > 0 && beacon.ttfb >= 0);
  }));

test("a page that comes back out of the browser's memory is another view, without what it did not wait for", () =>
  asShopper({}, async (page) => {
    await listen(page);
    await page.goto(shop.url + goods.category);
    const first = await left(page);
    assert.ok(first.lcp > 0 && first.ttfb >= 0 && first.first_product > 0, JSON.stringify(first));
    await page.evaluate(() => new Promise((done) => {
      for (const name of ['hidden', 'visibilityState']) delete document[name];
      dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
      requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)));
    }));
    const again = await left(page);
    assert.deepEqual(Object.keys(again).sort(), ['cls', 'connection', 'device', 'lcp', 'market', 'page']);
    assert.equal((await hide(page)).told.length, 2, 'each view once');
  }));

for (const [name, answer] of [['has no sendBeacon', undefined], ['takes no more for now', () => false]]) {
  test(`a browser that ${name} fetches`, () =>
    asShopper({}, async (page) => {
      await page.addInitScript(`window.known = {}; window.told = [];`);
      await page.addInitScript(`Object.defineProperty(Navigator.prototype, 'sendBeacon', { value: ${answer} });`);
      await page.goto(`${shop.url}/shipping`);
      await page.waitForLoadState('load');
      const sent = page.waitForRequest(isBeacon);
      const answered = page.waitForResponse((response) => isBeacon(response.request()));
      await hide(page);
      assert.equal((await sent).postDataJSON().page, 'other');
      assert.equal((await answered).status(), 204);
    }));
}

test('where the edge is away nothing is said of it', () =>
  visit(browser, shop, {}, async (page) => {
    await page.addInitScript(`window.known = {}; window.told = [];`);
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'sendBeacon', { value: undefined }));
    await page.route('**/api/v1/beacon', (route) => route.abort());
    await page.goto(`${shop.url}/shipping`);
    const failed = page.waitForEvent('requestfailed', isBeacon);
    await hide(page);
    await failed;
    // What nobody caught is told by the time that another answer is there.
    await page.evaluate(() => fetch('/shipping').then((answer) => answer.text()));
  }, (line) => /ERR_FAILED/.test(line)));

test('a browser that knows none of the measures tells where it was, and no shift that it did not see', () =>
  asShopper({}, async (page) => {
    await page.addInitScript(() => {
      window.told = []; window.known = {};
      navigator.sendBeacon = (to, body) => !!told.push(JSON.parse(body));
      Object.defineProperty(PerformanceObserver, 'supportedEntryTypes', { get: () => [] });
      PerformanceObserver.prototype.observe = () => {};
      Performance.prototype.getEntriesByType = Performance.prototype.getEntriesByName = () => [];
      for (const [name, holder] of [['interactionCount', Performance], ['connection', Navigator]]) Object.defineProperty(holder.prototype, name, { get: () => undefined });
    });
    await page.goto(shop.url + goods.category);
    await page.waitForLoadState('load');
    await page.locator('h1').first().click();
    assert.deepEqual((await hide(page)).told, [{ page: 'category', market: 'eu', device: 'desktop', connection: 'unknown' }]);
  }));
