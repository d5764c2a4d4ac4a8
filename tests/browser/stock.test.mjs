// What a page says while stock and prices change: a page may be a day old, and asks once what holds now.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { asShopper as visit, launch, picture, sampleShop, serve } from './shop.mjs';

let browser, shop;
before(async () => {
  const folder = await sampleShop();
  const edit = async (path, change) => {
    const file = join(folder, 'content/products', path);
    const text = await readFile(file, 'utf8');
    assert.notEqual(change(text), text, `${path} is as expected`);
    await writeFile(file, change(text));
  };
  // Nothing of the pendant is left when the shop is built, and the large lamp has a picture that the others do not show.
  await edit('light/dune-pendant.md', (text) => text.replace(/^stock = \d+$/gm, 'stock = 0'));
  await edit('table/steady-teapot.md', (text) => text.replace('stock = 5', 'stock = 0'));
  await edit('light/harbour-table-lamp.md', (text) => text.replace('sku = "HAR-L"', 'sku = "HAR-L"\nimage = "images/dune-pendant.svg"'));
  [browser, shop] = [await launch(), await serve(folder)];
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

const euro = (amount) => ({ amount, currency: 'EUR' });

// A page whose question after stock and prices is answered so: by SKU, the stock class and, where it is another, the price.
const told = (path, answers, steps, options = {}) =>
  visit(browser, shop, options, async (page) => {
    const variants = Object.entries(answers).map(([sku, [availability, price]]) => ({ sku, availability, price: price ? euro(price) : null, compare_at: null }));
    let asked = 0;
    await page.route(/\/api\/v1\/availability\//, (route) => {
      asked++;
      return route.fulfill({ json: { variants } });
    });
    const answered = page.waitForResponse(/\/api\/v1\/availability\//);
    await page.goto(`${shop.url}${path}`);
    await (await answered).finished();
    // The answer is taken in by the time that another one is.
    await page.evaluate(() => fetch('/api/v1/availability/none').then((answer) => answer.text()));
    assert.equal(asked, 2, 'the page asks once');
    await steps(page);
  });

const button = (page) => page.locator('[data-submit]');
const state = (page) => page.locator('[data-state]');
const cost = async (page) => (await page.locator('[data-cost]').innerText()).trim();
const choice = (page, sku) => page.locator(`input[name=sku][value="${sku}"]`);
const label = (page, sku) => page.locator('label.choice', { has: page.locator(`input[value="${sku}"]`) });

test('what was sold out when the page was built can be put into the cart once it is there again', () =>
  told('/products/candle-snuffer', { 'SNUFF-1': ['in_stock', 1900] }, async (page) => {
    assert.ok(await button(page).isVisible() && (await button(page).isEnabled()));
    assert.ok(await page.locator('#quantity').isVisible());
    assert.equal(await state(page).innerText(), 'In stock, ready to leave.');
    await picture(page, 'sold-out-and-there-again', false);
    const asked = page.waitForRequest((request) => request.method() === 'POST');
    await button(page).click();
    assert.equal((await asked).postDataJSON().sku, 'SNUFF-1');
  }));

test('what is still sold out has no button and says so', () =>
  told('/products/candle-snuffer', { 'SNUFF-1': ['sold_out', 1900] }, async (page) => {
    assert.ok(await button(page).isHidden());
    assert.match(await state(page).innerText(), /^Sold out for now\./);
  }));

test('of several that were gone the first that is there again is chosen, or the one that the address names', async () => {
  const answers = { 'DUN-CLAY': ['sold_out', 14800], 'DUN-MOSS': ['low_stock', 14800], 'DUN-CHALK': ['in_stock', 14800] };
  await told('/products/dune-pendant', answers, async (page) => {
    assert.ok(await choice(page, 'DUN-MOSS').isChecked());
    assert.ok(await choice(page, 'DUN-CLAY').isDisabled() && (await choice(page, 'DUN-CHALK').isEnabled()));
    assert.deepEqual(await Promise.all(Object.keys(answers).map((sku) => label(page, sku).locator('[data-gone]').isVisible())), [true, false, false]);
    assert.equal(await state(page).innerText(), 'Only a few left.');
    assert.ok(await button(page).isVisible() && (await button(page).isEnabled()));
    await label(page, 'DUN-CHALK').click();
    assert.equal(await state(page).innerText(), 'In stock, ready to leave.');
  });
  await told('/products/dune-pendant?variant=DUN-CHALK', answers, async (page) => {
    assert.ok(await choice(page, 'DUN-CHALK').isChecked());
    assert.ok(await button(page).isEnabled());
  });
  const gone = Object.fromEntries(Object.keys(answers).map((sku) => [sku, ['sold_out', 14800]]));
  await told('/products/dune-pendant', gone, async (page) => {
    assert.equal(await page.locator('[name=sku]:checked').count(), 0);
    assert.ok(await button(page).isHidden());
  });
});

test('a variant that the address names and that is there again goes before the one that the page chose in its place', async () => {
  const back = { 'POT-OAT': ['in_stock', 6800], 'POT-INK': ['low_stock', 7200] };
  await told('/products/steady-teapot?variant=POT-INK', back, async (page) => {
    assert.ok(await choice(page, 'POT-INK').isChecked());
    assert.equal(await cost(page), '€72.00');
    const asked = page.waitForRequest((request) => request.method() === 'POST');
    await button(page).click();
    assert.equal((await asked).postDataJSON().sku, 'POT-INK');
  });
  await told('/products/steady-teapot', back, async (page) => {
    assert.ok(await choice(page, 'POT-OAT').isChecked(), 'nobody asked for the other');
  });
  const gone = { 'POT-OAT': ['in_stock', 6800], 'POT-INK': ['sold_out', 6800] };
  await told('/products/steady-teapot?variant=POT-INK', gone, async (page) => {
    assert.ok(await choice(page, 'POT-OAT').isChecked());
    assert.equal(await cost(page), '€68.00');
  });
});

test('what sold out since the page was built cannot be chosen any more, and another can', () =>
  told('/products/harbour-table-lamp', { 'HAR-S': ['sold_out', 8900], 'HAR-L': ['in_stock', 12900] }, async (page) => {
    assert.ok(await choice(page, 'HAR-S').isDisabled());
    assert.ok(await label(page, 'HAR-S').locator('[data-gone]').isVisible());
    assert.ok(await button(page).isDisabled(), 'the small one was chosen');
    await label(page, 'HAR-L').click();
    assert.ok(await button(page).isEnabled());
    assert.equal(await state(page).innerText(), 'In stock, ready to leave.');
  }));

test('a price that changed since the page was built is shown and is what the cart is told', async () => {
  await told('/products/dish-brush', { 'BRUSH-1': ['low_stock', 1250] }, async (page) => {
    assert.equal(await state(page).innerText(), 'Only a few left.');
    assert.equal(await cost(page), '€12.50');
    assert.equal(await page.locator('[name=seen_price_minor]').inputValue(), '1250');
    const asked = page.waitForRequest((request) => request.method() === 'POST');
    await button(page).click();
    assert.equal((await asked).postDataJSON().seen_price_minor, 1250);
  });
  await told('/products/harbour-table-lamp', { 'HAR-S': ['in_stock', 8900], 'HAR-L': ['in_stock', 11900] }, async (page) => {
    assert.match(await label(page, 'HAR-L').innerText(), /€119\.00/);
    assert.equal(await cost(page), '€89.00', 'of the chosen one nothing changed');
    await label(page, 'HAR-L').click();
    assert.equal(await cost(page), '€119.00');
  });
});

test("a variant's own picture goes before the others, which stay", () =>
  told('/products/harbour-table-lamp', {}, async (page) => {
    const files = () => page.locator('[data-gallery] a').evaluateAll((links) => links.map((link) => link.href.match(/(harbour|dune)/)?.[0]));
    assert.deepEqual(await files(), ['harbour']);
    await label(page, 'HAR-L').click();
    assert.deepEqual(await files(), ['dune', 'harbour']);
    await page.locator('[data-gallery] img').first().evaluate((image) => image.decode());
    await label(page, 'HAR-S').click();
    await label(page, 'HAR-L').click();
    assert.deepEqual(await files(), ['dune', 'harbour'], 'once');
    await page.locator('[data-gallery] a').first().click();
    assert.match(await page.locator('dialog[open] img').getAttribute('src'), /dune/);
  }));

test('what the browser puts back when one comes back is what the page shows and the cart is told', () =>
  visit(browser, shop, {}, async (page) => {
    await page.goto(`${shop.url}/products/harbour-table-lamp`);
    await label(page, 'HAR-L').click();
    await page.goto(`${shop.url}/shipping`);
    await page.goBack();
    assert.ok(await choice(page, 'HAR-L').isChecked(), 'by the browser');
    assert.equal(await cost(page), '€129.00');
    const asked = page.waitForRequest((request) => request.method() === 'POST');
    await button(page).click();
    const { sku, seen_price_minor } = (await asked).postDataJSON();
    assert.deepEqual([sku, seen_price_minor], ['HAR-L', 12900]);
  }));

test("a page that comes back out of the browser's memory asks again, and leaves what somebody chose", () =>
  told('/products/steady-teapot?variant=POT-INK', { 'POT-OAT': ['in_stock', 6800], 'POT-INK': ['in_stock', 6800] }, async (page) => {
    await label(page, 'POT-OAT').click();
    await page.unroute(/\/api\/v1\/availability\//);
    const variants = [{ sku: 'POT-OAT', availability: 'low_stock', price: euro(7000), compare_at: null }, { sku: 'POT-INK', availability: 'in_stock', price: euro(6800), compare_at: null }];
    await page.route(/\/api\/v1\/availability\//, (route) => route.fulfill({ json: { variants } }));
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
    await page.locator('[data-cost]', { hasText: '€70.00' }).waitFor();
    assert.equal(await state(page).innerText(), 'Only a few left.');
    assert.ok(await choice(page, 'POT-OAT').isChecked());
  }));
