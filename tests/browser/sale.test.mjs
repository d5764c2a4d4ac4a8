// What a page says while time goes on: a sale ends at its second on a page that stands open, and an address names a variant.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, picture, sampleShop, serve, shopper } from './shop.mjs';

// The shop's own clock is the real one: the sale ends in an hour, and only the browser's clock is moved.
const end = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
// The merchant's clock is eleven hours behind, and names the last day.
const behind = new Date(end.getTime() - 11 * 3_600_000);
const until = behind.toISOString().replace('Z', '-11:00');
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' }).format(behind.getTime() - 1_000);

let browser, shop;
before(async () => {
  const folder = await sampleShop();
  const edit = async (path, change) => {
    const file = join(folder, 'content/products', path);
    const text = await readFile(file, 'utf8');
    assert.notEqual(change(text), text, `${path} is as expected`);
    await writeFile(file, change(text));
  };
  const sale = (price) => `sales = [{ price = "${price}", until = "${until}" }]`;
  await edit('light/storm-lantern.md', (text) => text.replace(/^sales = .*$/m, sale('49.00')));
  await edit('light/dune-pendant.md', (text) => text.replace('sku = "DUN-MOSS"', `sku = "DUN-MOSS"\nprice = "148.00"\n${sale('99.00')}`));
  [browser, shop] = [await launch(), await serve(folder)];
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

// A page whose clock stands, until it is moved, so many milliseconds from the end of the sale.
async function at(milliseconds, path, steps, options = {}) {
  const { page, context, trouble } = await shopper(browser, options);
  try {
    const time = end.getTime() + milliseconds;
    await page.clock.install({ time: time - 1_000 });
    await page.clock.pauseAt(time);
    if (options.silent) await page.route(/\/api\/v1\/availability\//, (route) => route.fulfill({ json: { variants: [] } }));
    const answered = options.script === false || !path.startsWith('/products/') ? null : page.waitForResponse(/\/api\/v1\/availability\//);
    await page.goto(`${shop.url}${path}`);
    // Whatever the edge tells is on the page before anything is looked at.
    await (await answered)?.finished();
    await steps(page);
    assert.deepEqual(trouble, []);
  } finally {
    await context.close();
  }
}

const cost = (page) => page.locator('[data-cost]').innerText();

test('a sale ends at its second on a page that stands open', () =>
  at(-150_000, '/products/storm-lantern', async (page) => {
    assert.match(await cost(page), /€49\.00.*€64\.00/s);
    assert.ok(await page.locator('p[data-until]').isVisible());
    await picture(page, 'sale-before-its-end', false);
    await page.clock.runFor(149_999);
    assert.match(await cost(page), /€49\.00/);
    await page.clock.runFor(1);
    assert.match(await cost(page), /^\s*€64\.00\s*$/);
    assert.ok(await page.locator('p[data-until]').isHidden(), 'nothing is reduced any more');
    assert.equal(await page.locator('[name=seen_price_minor]').inputValue(), '6400', 'the cart is told what was seen');
    await picture(page, 'sale-after-its-end', false);
  }));

test('a page that is opened after the sale says so at once, though neither a build nor the edge does', () =>
  at(0, '/products/dune-pendant', async (page) => {
    assert.match(await page.locator('label', { hasText: 'Moss' }).innerText(), /€148\.00/);
  }, { silent: true }));

test('one variant of several ends its sale alone', () =>
  at(-30_000, '/products/dune-pendant?variant=DUN%2DMOSS', async (page) => {
    const moss = page.locator('label', { hasText: 'Moss' }), clay = page.locator('label', { hasText: 'Clay' });
    assert.ok(await moss.locator('input').isChecked(), 'the address names it');
    assert.match(await cost(page), /€99\.00.*€148\.00/s);
    await clay.click();
    assert.match(await cost(page), /^\s*€148\.00\s*$/);
    await page.clock.runFor(30_000);
    assert.match(await moss.innerText(), /€148\.00/);
    await moss.click();
    assert.match(await cost(page), /^\s*€148\.00\s*$/);
  }));

test('an address that names a variant which is gone, or none, leaves the page as it is', async () => {
  for (const variant of ['DUN-CHALK', 'NOTHING', '']) {
    await at(-30_000, `/products/dune-pendant?variant=${variant}`, async (page) => {
      assert.ok(await page.locator('label', { hasText: 'Clay' }).locator('input').isChecked(), variant);
    });
  }
});

test('without script the page says until when the price holds', () =>
  at(-30_000, '/products/storm-lantern', async (page) => {
    assert.equal((await page.locator('p[data-until]').innerText()).trim(), `Reduced until ${day}`);
    assert.match(await cost(page), /€49\.00/);
  }, { script: false }));

// A card with a sale that ends in half a minute.
const switches = async (page, card) => {
  assert.match(await card.innerText(), new RegExp(`Reduced.*€49\\.00.*€64\\.00.*until ${day}`, 's'));
  await page.clock.runFor(29_999);
  assert.match(await card.innerText(), /€49\.00/);
  await page.clock.runFor(1);
  const text = await card.innerText();
  assert.match(text, /€64\.00/);
  assert.doesNotMatch(text, /€49\.00|until|Reduced/);
  assert.equal(await card.locator('s').count(), 0, 'nothing is struck out');
};

test('a card on a shelf says until when its price holds, and shows the next one at that second', () =>
  at(-30_000, '/categories/light', async (page) => {
    const card = page.locator('.card', { has: page.locator('a[href="/products/storm-lantern"]') });
    await switches(page, card);
    // A lamp with one variant on sale: the others cost what it costs then.
    const pendant = page.locator('.card', { has: page.locator('a[href="/products/dune-pendant"]') });
    assert.match(await pendant.innerText(), /€148\.00/);
    assert.doesNotMatch(await pendant.innerText(), /from|€99/);
  }));

test('without script a card on a shelf says until when its price holds', () =>
  at(-30_000, '/categories/light', async (page) => {
    const card = page.locator('.card', { has: page.locator('a[href="/products/storm-lantern"]') });
    assert.match(await card.innerText(), new RegExp(`€49\\.00.*until ${day}`, 's'));
  }, { script: false }));

const result = (page, slug) => page.locator('[data-results] .card', { has: page.locator(`a[href="/products/${slug}"]`) });

test('a result of the search says until when its price holds, and shows the next one at that second', () =>
  at(-30_000, '/categories/light', async (page) => {
    await page.locator('[name=sort]').selectOption('price');
    const card = result(page, 'storm-lantern'), link = card.locator('a');
    await card.waitFor();
    await link.focus();
    await switches(page, card);
    assert.ok(await link.evaluate((link) => link === document.activeElement), 'the focus stays where it was');
    const pendant = await result(page, 'dune-pendant').innerText();
    assert.match(pendant, /€148\.00/);
    assert.doesNotMatch(pendant, /from|€99/);
  }));

test('a result that is drawn after the sale shows nothing of it, whatever the index was made for', () =>
  at(0, '/categories/light', async (page) => {
    await page.locator('[name=sort]').selectOption('price');
    await result(page, 'storm-lantern').waitFor();
    const text = await result(page, 'storm-lantern').innerText();
    assert.match(text, /€64\.00/);
    assert.doesNotMatch(text, /€49\.00|until|Reduced/);
  }));

test('a suggestion says until when its price holds, and shows the next one at that second', () =>
  at(-30_000, '/shipping', async (page) => {
    const field = page.locator('header input[type=search]');
    await field.focus();
    await page.waitForFunction(() => document.querySelector('header [role=combobox]'));
    await field.fill('storm lantern');
    await page.clock.runFor(100);
    const option = page.locator('[role=option]', { hasText: 'Storm lantern' });
    await option.waitFor();
    assert.match(await option.innerText(), new RegExp(`€49\\.00.*€64\\.00.*until ${day}`, 's'));
    await page.clock.runFor(29_900);
    await page.locator('[role=option]:not(:has(s))', { hasText: '€64.00' }).waitFor();
    assert.doesNotMatch(await option.innerText(), /€49\.00|until/);
  }));
