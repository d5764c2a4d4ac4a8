// The next checkout: what a shopper lets the browser keep, what it fills in, and what it never does.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { addToCart, card, fillDetails, openCheckout, orderNumber, pay, payWithCard } from './purchase.mjs';
import { address, asShopper as visit, launch, picture, sampleShop, serve } from './shop.mjs';

const goods = JSON.parse(await readFile(new URL('./goods.json', import.meta.url)));
const key = 'vitrine-details';

let browser, shop;
before(async () => {
  [browser, shop] = [await launch(), await serve(await sampleShop())];
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

const asShopper = (options, steps) => visit(browser, shop, options, steps);

async function toCheckout(page, market = '') {
  await addToCart(page, { url: shop.url + market }, goods.plain.slug);
  await page.locator('dialog[open]').waitFor();
  await openCheckout(page, shop);
}
const stored = (page) => page.evaluate(() => ({ ...localStorage }));
const filled = (page) =>
  page.evaluate(() => Object.fromEntries([...document.querySelector('[data-express]').elements].filter((one) => one.name).map((one) => [one.name, one.value])));
const put = (page, value) => page.evaluate(([key, value]) => localStorage.setItem(key, value), [key, value]);
const year = 365 * 24 * 60 * 60 * 1000;
// Countries of the sample shop have no regions, so neither has its form.
const { region, ...details } = { ...address, country: 'DE' };
const written = (change = {}) => JSON.stringify({ version: 1, at: Date.now() - 1000, details, ...change });

test('nothing is kept of a shopper who did not ask for it', () =>
  asShopper({}, async (page) => {
    await toCheckout(page);
    assert.equal(await page.locator('#keep').isChecked(), false);
    assert.equal(await page.locator('[data-kept]').isVisible(), false);
    await fillDetails(page);
    await page.locator('form[action$="/payment"] button').waitFor();
    assert.deepEqual(await stored(page), {});
  }));

test('a shopper who asked for it pays in one step the next time, and can have it forgotten', () =>
  asShopper({}, async (page) => {
    await toCheckout(page);
    await page.locator('#keep').check();
    await fillDetails(page);
    await pay(page);
    await payWithCard(page, card.good);
    await orderNumber(page);
    const { [key]: text, ...rest } = await stored(page);
    assert.deepEqual(rest, {});
    const { at, ...kept } = JSON.parse(text);
    assert.deepEqual(kept, { version: 1, details }, 'the fields of the form, and nothing else');
    assert.ok(Math.abs(Date.now() - at) < year);

    await toCheckout(page);
    const { shipping, ...values } = await filled(page);
    assert.deepEqual(values, details);
    await picture(page, 'express');
    await page.locator('[data-ready]').click();
    await page.locator('form[action$="/payment"] button').waitFor();
    await page.locator('[data-forget]').click();
    assert.deepEqual(await stored(page), {});
    assert.equal(await page.locator('[data-kept]').isVisible(), false);
    assert.equal(await page.locator('#keep').isChecked(), false);
    await pay(page);
    await payWithCard(page, card.good);
    await orderNumber(page);
    assert.deepEqual(await stored(page), {});
  }));

test('an address stays away from a market that does not go to its country', () =>
  asShopper({}, async (page) => {
    await page.goto(shop.url);
    await put(page, written({ details: { ...details, city: 'Lyon', country: 'FR' } }));
    await toCheckout(page, '/de');
    const values = await filled(page);
    assert.deepEqual([values.email, values.name], [address.email, address.name]);
    assert.deepEqual([values.country, values.line1, values.city, values.postal_code], ['', '', '', '']);
    assert.equal(await page.locator('[data-ready]').isVisible(), false, 'something is left to fill in');
  }));

test('an address stays away where the cart goes to another country', () =>
  asShopper({}, async (page) => {
    await page.goto(shop.url);
    await put(page, written());
    await addToCart(page, shop, goods.plain.slug);
    await page.locator('dialog[open]').waitFor();
    await page.goto(`${shop.url}/cart`);
    await page.locator('#country').selectOption('FR');
    await page.locator('form[action="/cart/destination"] button').click();
    await openCheckout(page, shop);
    const values = await filled(page);
    assert.deepEqual([values.email, values.country, values.line1], [address.email, 'FR', '']);
  }));

test('what is old, of another version or broken is dropped, and the checkout is as ever', () =>
  asShopper({}, async (page) => {
    await toCheckout(page);
    for (const text of ['{', 'null', '[]', '"x"', written({ version: 2 }), written({ at: Date.now() - year - 1000 }), written({ at: 'x' }), written({ details: null })]) {
      await put(page, text);
      await page.reload();
      await page.locator('[data-choice]').waitFor();
      assert.deepEqual(await stored(page), {}, text);
      assert.equal((await filled(page)).email, '', text);
      assert.equal(await page.locator('[data-kept]').isVisible(), false, text);
    }
    await put(page, written({ details: { email: 7, name: { a: 1 }, country: 'DE', line1: 'x'.repeat(999) } }));
    await page.reload();
    await page.locator('[data-kept]').waitFor();
    const values = await filled(page);
    assert.deepEqual([values.email, values.name, values.line1.length], ['', '', 200]);
  }));

test('without script there is nothing to keep and nothing of it to see', () =>
  asShopper({ script: false }, async (page) => {
    await addToCart(page, shop, goods.plain.slug);
    await openCheckout(page, shop);
    assert.equal(await page.locator('[data-choice]').isVisible(), false);
    assert.equal(await page.locator('[data-kept]').isVisible(), false);
  }));
