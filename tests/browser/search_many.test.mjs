// Search in a shop of 3,000 products, whose index is cut into many files: words of all of them, several filters at once, every order.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { asShopper as visit, exportedShop, launch, serve } from './shop.mjs';

const COUNT = 3000;
const syllables = [...'bdfgklmnprst'].flatMap((one) => [...'aeiou'].map((two) => one + two));
// A word of twelve letters for each number; no two are near each other.
const word = (number) =>
  [1, 1 / 60, 7, 11 / 60, 13, 17].map((times) => syllables[Math.floor(number * times) % syllables.length]).join('');
const day = (number) => new Date(Date.UTC(2010, 0, 1 + number)).toISOString().slice(0, 10);
const products = Array.from({ length: COUNT }, (_, number) => ({
  slug: `p${number}`,
  title: `${word(number)} ${number % 2 ? 'bowl' : 'lamp'}`,
  sku: `SKU-${number}`,
  brand: ['North', 'South', 'East'][number % 3],
  attributes: { Material: ['Oak', 'Steel', 'Glass', 'Wool'][number % 4] },
  price: `${10 + (number % 90)}.00`,
  stock: number % 5 ? 3 : 0,
  publish_at: day(number),
}));
const facets = `
[[facets]]
name = "brand"
source = "brand"

[[facets]]
name = "material"
label = "Material"
source = "attribute"

[[facets]]
name = "price"
source = "price"
bands = ["50"]
`;

let browser, shop, bulk;
before(async () => {
  bulk = await mkdtemp(join(tmpdir(), 'vitrine-bulk-'));
  const file = join(bulk, 'products.jsonl');
  await writeFile(file, products.map((product) => JSON.stringify(product)).join('\n'));
  [browser, shop] = [await launch(), await serve(await exportedShop(file, 'jsonl', facets))];
});
after(async () => {
  await browser?.close();
  await shop?.stop();
  await rm(bulk, { recursive: true, force: true });
});

// Steps on the search page; `asked` are names of the index's files without their hashes.
const searching = (steps) =>
  visit(browser, shop, {}, async (page) => {
    const asked = new Set();
    page.on('request', (request) => {
      const [, name] = /\/a\/search\/([^.]+)\./.exec(request.url()) ?? [];
      if (name) asked.add(name);
    });
    await page.goto(`${shop.url}/search`);
    await steps(page, asked);
  });
const field = (page) => page.locator('main input[type=search]');
const status = (page, count) => page.locator('[data-status]', { hasText: new RegExp(`^${count.toLocaleString('en')} `) }).waitFor();
const slugs = (page) => page.locator('[data-results] li a').evaluateAll((links) => links.map((link) => link.pathname.split('/').pop()));
// Waits until the first results are these.
const begins = async (page, expected) => {
  await page.locator(`[data-results] li:first-child a[href="/products/${expected[0].slug}"]`).waitFor();
  await page.locator(`[data-results] li:nth-child(${expected.length})`).waitFor();
  assert.deepEqual((await slugs(page)).slice(0, expected.length), expected.map(({ slug }) => slug));
};
const kind = (asked, name) => [...asked].filter((file) => file.startsWith(`${name}-`)).length;

test('words are found in whichever file they stand, mistyped ones too', () =>
  searching(async (page, asked) => {
    const sorted = [...products].sort((one, other) => (one.title < other.title ? -1 : 1));
    for (const product of [sorted[0], sorted[COUNT / 2], sorted[COUNT - 1], products[COUNT - 1]]) {
      const [own] = product.title.split(' ');
      await field(page).fill(own);
      await page.locator(`[data-results] li:only-child a[href="/products/${product.slug}"]`).waitFor();
      await status(page, 1);
    }
    assert.ok(kind(asked, 'words') > 1 && kind(asked, 'postings') > 1 && kind(asked, 'cards') > 1, [...asked].join(' '));
    assert.equal(kind(asked, 'columns'), 0, 'nobody filtered or sorted');
    const [own] = sorted[COUNT - 1].title.split(' ');
    await field(page).fill(`${own.slice(0, 5)}x${own.slice(6)}`);
    await page.locator(`[data-results] li:only-child a[href="/products/${sorted[COUNT - 1].slug}"]`).waitFor();
    await field(page).fill('SKU-2999');
    await page.locator('[data-results] li:only-child a[href="/products/p2999"]').waitFor();
  }));

test('availability, a brand, a material and a price are joined, and each tells what it would leave', () =>
  searching(async (page, asked) => {
    await field(page).fill('lamp');
    let left = products.filter(({ title }) => title.endsWith('lamp'));
    await status(page, left.length);
    await page.locator('summary', { hasText: 'Filter' }).click();
    const group = (label) => page.locator('.filters details', { has: page.locator('summary', { hasText: label }) });
    const narrow = async (input, rule) => {
      left = left.filter(rule);
      await page.locator(input).check();
      await status(page, left.length);
    };
    await narrow('input[name=availability]', ({ stock }) => stock > 0);
    await group('Brand').locator('summary').click();
    await narrow('input[name=brand][value=north]', ({ brand }) => brand === 'North');
    await group('Material').locator('summary').click();
    await narrow('input[name=material][value=oak]', ({ attributes }) => attributes.Material === 'Oak');
    // Another of the same facet adds to it.
    const steel = products.filter(({ title, stock, brand, attributes }) =>
      title.endsWith('lamp') && stock && brand === 'North' && ['Oak', 'Glass'].includes(attributes.Material));
    await page.locator('input[name=material][value=glass]').check();
    await status(page, steel.length);
    left = steel;
    await group('Price').locator('summary').click();
    const dear = left.filter(({ price }) => +price >= 50);
    const label = page.locator('label', { has: page.locator('input[name=price][value=from-50]') });
    assert.match(await label.innerText(), new RegExp(`\\s${dear.length}$`), 'what a filter would leave stands beside it');
    await narrow('input[name=price][value=from-50]', ({ price }) => +price >= 50);
    await page.waitForURL(/\?q=lamp&availability=stocked&brand=north&material=oak&material=glass&price=from-50$/);
    assert.equal(kind(asked, 'columns'), 2, 'of both halves of the catalogue');
    await page.reload();
    await status(page, left.length);
    await page.locator('[data-results] li:nth-child(24)').waitFor();
    const shown = new Set(await slugs(page)), meant = new Set(left.map(({ slug }) => slug));
    assert.deepEqual([shown.size, [...shown].filter((slug) => !meant.has(slug))], [24, []]);
    const robots = await page.locator('meta[name=robots]').getAttribute('content');
    assert.match(robots, /noindex/, 'what somebody searched for is no page for crawlers');
  }));

test('every order is that of its name', () =>
  searching(async (page) => {
    const sort = (order) => page.locator('[name=sort]').selectOption(order);
    const bowls = products.filter(({ title }) => title.endsWith('bowl'));
    await field(page).fill('bowl');
    await status(page, bowls.length);
    await sort('newest');
    await begins(page, [...bowls].reverse().slice(0, 24));
    await sort('name');
    await begins(page, [...bowls].sort((one, other) => (one.title < other.title ? -1 : 1)).slice(0, 24));
    const numbered = (way) => (one, other) => way * (one.price - other.price) || one.slug.slice(1) - other.slug.slice(1);
    for (const [order, way] of [['price', 1], ['price_down', -1]]) {
      await sort(order);
      const [cheapest] = [...bowls].sort(numbered(way));
      await page.locator('[data-results] li:first-child .price', { hasText: cheapest.price }).waitFor();
      const prices = await page.locator('[data-results] li .price').allInnerTexts();
      const amounts = prices.map((text) => +text.replace(/[^0-9.]/g, ''));
      assert.deepEqual(amounts, [...amounts].sort((one, other) => way * (one - other)), order);
    }
  }));
