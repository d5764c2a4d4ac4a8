// Search in the sample shop: a mistyped word finds, filters narrow, nothing is fetched before somebody asks, and shelves stand without script.
import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { asShopper as visit, launch, picture, sampleShop, serve } from './shop.mjs';

const facet = `
[[facets]]
name = "price"
source = "price"
bands = ["20", "50"]
min_products = 1

[[facets]]
name = "brand"
source = "brand"
min_products = 1
`;

let browser, shop;
before(async () => {
  const folder = await sampleShop();
  await appendFile(join(folder, 'site.toml'), facet);
  [browser, shop] = [await launch(), await serve(folder)];
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

const asShopper = (options, steps) =>
  visit(browser, shop, options, (page) => {
    const asked = [];
    page.on('request', (request) => /search[^/]*\.js(on)?$|\/a\/search\//.test(request.url()) && asked.push(request.url()));
    return steps(page, asked);
  });

test('a mistyped word is found on the search page, and an address with it is answered on arrival', () =>
  asShopper({}, async (page, asked) => {
    await page.goto(`${shop.url}/search`);
    assert.deepEqual(asked, [], 'nothing before the focus');
    await page.locator('main input[type=search]').fill('lmap harbuor');
    await page.locator('[data-results] a[href="/products/harbour-table-lamp"]').waitFor();
    assert.equal(await page.locator('[data-results] li').count(), 1);
    assert.match(await page.locator('[data-results] .price').innerText(), /€89\.00/);
    assert.equal(await page.locator('nav.tree').isVisible(), false);
    await page.goto(`${shop.url}/search?q=staedy%20teapto`);
    await page.locator('[data-results] a[href="/products/steady-teapot"]').waitFor();
    await picture(page, 'search');
  }));

test('filters and sorting narrow and order a shelf where it stands', () =>
  asShopper({}, async (page, asked) => {
    await page.goto(`${shop.url}/categories/light`);
    assert.deepEqual(asked, []);
    await page.locator('[name=sort]').selectOption('price_down');
    await page.locator('[data-results] li').first().locator('.name', { hasText: 'Heron reading lamp' }).waitFor();
    assert.equal(await page.locator('[data-static] .card').first().isVisible(), false, 'in place of what stood there');
    await page.locator('summary', { hasText: 'Filter' }).click();
    await page.locator('.filters details', { hasText: 'Price' }).locator('summary').click();
    await page.locator('input[name=price][value="20-to-50"]').check();
    await page.locator('[data-results] li:only-child', { hasText: 'Storm lantern' }).waitFor();
    await page.waitForURL(/sort=price_down&price=20-to-50/);
    await page.reload();
    await page.locator('[data-results] li:only-child', { hasText: 'Storm lantern' }).waitFor();
    await picture(page, 'shelf-filtered');
  }));

test('what filters choose on a shelf is no page of its own for crawlers', () =>
  asShopper({}, async (page) => {
    const chosen = '?sort=name&availability=stocked&price=20-to-50';
    await page.goto(`${shop.url}/categories/light${chosen}`);
    await page.locator('[data-results] li').first().waitFor();
    const canonical = await page.locator('link[rel=canonical]').getAttribute('href');
    assert.equal(new URL(canonical).pathname + new URL(canonical).search, '/categories/light');
    await page.locator('summary', { hasText: 'Filter' }).click();
    assert.equal(await page.locator('input[name=availability]').isChecked(), true);
    assert.equal(await page.locator('input[name=price][value="20-to-50"]').isChecked(), true);
  }));

test('the field at the top suggests in another market, by keyboard', () =>
  asShopper({ phone: true, dark: true }, async (page, asked) => {
    await page.goto(`${shop.url}/de/products/morning-cup`);
    assert.deepEqual(asked, [], 'nothing before the focus');
    const field = page.locator('header input[type=search]');
    await field.pressSequentially('pendelluechte');
    const option = page.locator('[role=option]', { hasText: 'Pendelleuchte Düne' });
    await option.waitFor();
    assert.match(await option.innerText(), /148,00\s€/);
    await picture(page, 'suggestions', false);
    await field.press('ArrowDown');
    assert.equal(await field.getAttribute('aria-activedescendant'), await option.getAttribute('id'));
    await field.press('Enter');
    await page.waitForURL(`${shop.url}/de/products/dune-pendant`);
  }));

test('without script the search page shows the shelves', () =>
  asShopper({ script: false }, async (page, asked) => {
    await page.goto(shop.url);
    await page.locator('header input[type=search]').fill('lamp');
    await page.locator('header input[type=search]').press('Enter');
    await page.waitForURL(/\/search\?q=lamp/);
    assert.equal(await page.locator('[name=sort]').isVisible(), false);
    await page.locator('nav.tree a[href="/categories/light/lamps"]').click();
    await page.waitForURL(`${shop.url}/categories/light/lamps`);
    await page.goto(`${shop.url}/categories/light`);
    await page.locator('summary', { hasText: 'Price' }).click();
    await page.locator('nav.facets a[href$="/price/from-50"]').click();
    await page.waitForURL(/\/categories\/light\/price\/from-50$/);
    assert.deepEqual(asked, []);
  }));
