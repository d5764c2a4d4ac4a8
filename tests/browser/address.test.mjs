// Addresses of all countries and of none: a field that a country does not have is out of the way, and a download asks for no street.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { addToCart, openCheckout } from './purchase.mjs';
import { address, asShopper as visit, launch, picture, sampleShop, serve } from './shop.mjs';

const goods = JSON.parse(await readFile(new URL('./goods.json', import.meta.url)));
const download = 'wall-calendar';

let browser, shop;
before(async () => {
  const folder = await sampleShop();
  const edit = async (path, changes) => {
    const file = join(folder, path);
    let text = await readFile(file, 'utf8');
    for (const [from, to] of changes) {
      assert.ok(text.includes(from), `${path} is as expected`);
      text = text.replace(from, to);
    }
    await writeFile(file, text);
  };
  // Ireland has no postal codes that people must know, the Emirates have none at all, and emirates.
  const rates = ['IE', 'AE'].map((code) => `  { country = "${code}", name = "VAT", standard = "20", reduced = "5" },\n`).join('');
  await edit('site.toml', [
    ['"BE", "CH"]\ncurrency', '"BE", "CH", "IE", "AE"]\ncurrency'],
    ['  { country = "CH"', `${rates}  { country = "CH"`],
    ['countries = ["CH"]\nrates', 'countries = ["CH", "IE", "AE"]\nrates'],
  ]);
  await edit(`content/products/paper/${download}.md`, [['\nsku = ', '\nrequires_shipping = false\nsku = ']]);
  [browser, shop] = [await launch(), await serve(folder)];
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

const asShopper = (options, steps) =>
  visit(browser, shop, options, async (page) => {
    await addToCart(page, shop, goods.plain.slug);
    if (options.script !== false) await page.locator('dialog[open]').waitFor();
    await openCheckout(page, shop);
    await steps(page);
  });

const code = (page) => page.locator('#postal_code');
const isRequired = (field) => field.evaluate((input) => input.required);
const write = async (page, details) => {
  for (const [name, text] of Object.entries(details)) await page.locator(`[name=${name}]`).fill(text);
};
const goOn = async (page) => {
  await page.locator('[data-express] button.wide').click();
  await page.waitForLoadState();
};
const isReady = (page) => page.locator('form[action$="/payment"]').waitFor();
const { region, postal_code, phone, line2, ...irish } = { ...address, city: 'Dublin' };

test('fields that addresses of a country do not have are out of the way', () =>
  asShopper({}, async (page) => {
    const country = page.locator('#country'), mark = page.locator('label[for=postal_code] .fine'), part = page.locator('#region');
    const shown = async (of) => {
      await country.selectOption(of);
      return { code: await code(page).isVisible(), required: await isRequired(code(page)), optional: await mark.isVisible(), region: await part.isVisible() };
    };
    assert.deepEqual(await shown('DE'), { code: true, required: true, optional: false, region: false });
    assert.deepEqual(await shown('IE'), { code: false, required: false, optional: false, region: false });
    assert.deepEqual(await shown('AE'), { code: false, required: false, optional: false, region: true });
    await picture(page, 'checkout-emirates');
    assert.deepEqual(await shown('AT'), { code: true, required: true, optional: false, region: false });
    await code(page).fill('D02 AF30');
    assert.deepEqual(await shown('IE'), { code: true, required: false, optional: true, region: false }, 'what was written is seen');
  }));

for (const script of [true, false]) {
  test(`an address without a postal code is good where there are none (script: ${script})`, () =>
    asShopper({ script }, async (page) => {
      if (!script) assert.equal(await isRequired(code(page)), false);
      await page.locator('#country').selectOption('IE');
      await write(page, irish);
      await goOn(page);
      if (await page.locator('#shipping input:not(:checked)').count()) {
        await page.locator('#shipping label').first().click();
        await goOn(page);
      }
      await isReady(page);
    }));
}

test('a country with postal codes wants one', () =>
  asShopper({ script: false }, async (page) => {
    await page.locator('#country').selectOption('DE');
    await write(page, irish);
    await goOn(page);
    await page.locator('#postal_code[aria-invalid]').waitFor();
  }));

test('a download asks for name, mail and country alone', () =>
  visit(browser, shop, {}, async (page) => {
    await addToCart(page, shop, download);
    await page.locator('dialog[open]').waitFor();
    await openCheckout(page, shop);
    await page.locator('#country').selectOption('DE');
    for (const name of ['line1', 'city', 'postal_code']) {
      assert.equal(await isRequired(page.locator(`[name=${name}]`)), false, name);
      assert.ok(await page.locator(`label[for=${name}] .fine`).isVisible(), name);
    }
    await write(page, { email: address.email, name: address.name });
    await goOn(page);
    await isReady(page);
  }));
