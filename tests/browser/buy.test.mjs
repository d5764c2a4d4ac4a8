// Whole purchases in the sample shop, by people of every kind: with script, without it, on a phone, with bad luck.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { addToCart, card, fillDetails, openCheckout, orderNumber, pay, payWithCard, text } from './purchase.mjs';
import { asShopper as visit, launch, picture, sampleShop, serve } from './shop.mjs';

let browser, shop;
before(async () => {
  [browser, shop] = [await launch(), await serve(await sampleShop())];
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

// What the tests buy. Names of the sample shop's own products: see content/products.
const goods = JSON.parse(await readFile(new URL('./goods.json', import.meta.url)));

const asShopper = (options, steps) => visit(browser, shop, options, steps);

async function mailFor(number) {
  // The confirmation is written by the outbox, after the order page may already stand.
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const found = (await shop.mails()).filter((mail) => mail.includes(number));
    if (found.length) return found;
    await new Promise((again) => setTimeout(again, 50));
  }
  return [];
}

test('a shopper without script buys, and gets an order page and one mail', () =>
  asShopper({ script: false }, async (page) => {
    await addToCart(page, shop, goods.plain.slug, { quantity: 2 });
    await page.waitForURL(`${shop.url}/cart`);
    await picture(page, 'cart-without-script');
    await openCheckout(page, shop);
    await picture(page, 'checkout-empty');
    await fillDetails(page);
    assert.match(await text(page), /VAT/);
    await picture(page, 'checkout-ready');
    await pay(page);
    await picture(page, 'sandbox');
    await payWithCard(page, card.good);
    const number = await orderNumber(page);
    await picture(page, 'order');
    assert.match(await text(page), new RegExp(goods.plain.title));
    const mails = await mailFor(number);
    assert.equal(mails.length, 1, 'one confirmation');
    assert.match(mails[0], /ada@example\.com/);
    await page.goto(`${shop.url}/cart`);
    assert.doesNotMatch(await text(page), new RegExp(goods.plain.title), 'the cart is empty again');
  }));

test('a shopper with script sees the drawer, the badge, and buys', () =>
  asShopper({}, async (page) => {
    await addToCart(page, shop, goods.plain.slug);
    const drawer = page.locator('dialog[open]');
    await drawer.waitFor();
    assert.match(await drawer.innerText(), new RegExp(goods.plain.title));
    await picture(page, 'drawer', false);
    await drawer.locator('a[href="/cart"]').first().click();
    await page.waitForURL(`${shop.url}/cart`);
    await openCheckout(page, shop);
    await fillDetails(page, { email: 'grace@example.com' });
    await pay(page);
    await payWithCard(page, card.good);
    assert.equal((await mailFor(await orderNumber(page))).length, 1);
  }));

test('a declined card charges nothing, and the next card buys', () =>
  asShopper({ script: false }, async (page) => {
    await addToCart(page, shop, goods.plain.slug);
    await openCheckout(page, shop);
    await fillDetails(page);
    await pay(page);
    await payWithCard(page, card.declined);
    await page.waitForURL(/\/checkout\/[0-9a-f-]{36}/);
    assert.match(await text(page), /not (been )?charged/i);
    await picture(page, 'declined');
    await pay(page);
    await payWithCard(page, card.good);
    assert.equal((await mailFor(await orderNumber(page))).length, 1);
  }));

test('a card that asks for a second step buys after it', () =>
  asShopper({ script: false }, async (page) => {
    await addToCart(page, shop, goods.plain.slug);
    await openCheckout(page, shop);
    await fillDetails(page);
    await pay(page);
    await payWithCard(page, card.secure);
    await picture(page, 'second-step');
    await page.locator('button[value=authenticate], button[value=complete], button[value=approve]').first().click();
    await orderNumber(page);
  }));

test('a sold-out product cannot be put into the cart and says so', () =>
  asShopper({ script: false }, async (page) => {
    await page.goto(`${shop.url}/products/${goods.soldOut.slug}`);
    assert.match(await text(page), /sold out/i);
    assert.equal(await page.locator('form[action="/cart/lines"] button:not([disabled])').count(), 0);
    await picture(page, 'sold-out');
  }));

test('a coupon takes its part off, and a wrong one says why', () =>
  asShopper({ script: false }, async (page) => {
    await addToCart(page, shop, goods.plain.slug);
    await page.goto(`${shop.url}/cart`);
    await page.locator('summary', { hasText: 'Code' }).click();
    await page.locator('form[action="/cart/coupons"] [name=code]').fill('NO-SUCH-CODE');
    await page.locator('form[action="/cart/coupons"] button').click();
    assert.match(await text(page), /not known/i);
    await page.locator('form[action="/cart/coupons"] [name=code]').fill(goods.coupon.code);
    await page.locator('form[action="/cart/coupons"] button').click();
    assert.match(await text(page), new RegExp(goods.coupon.title));
    await picture(page, 'coupon');
  }));

test('a price that changed since the page was built is told before paying', () =>
  asShopper({ script: false }, async (page) => {
    await addToCart(page, shop, goods.repriced.slug);
    const file = join(shop.folder, goods.repriced.file);
    const before = await readFile(file, 'utf8');
    assert.ok(before.includes(goods.repriced.from), 'the price stands in the file as goods.json says');
    await writeFile(file, before.replace(goods.repriced.from, goods.repriced.to));
    // The build and the swap need their time; the shopper only reloads.
    const deadline = Date.now() + 20_000;
    let seen = '';
    while (!/price/i.test(seen) || !seen.includes(goods.repriced.shown)) {
      assert.ok(Date.now() < deadline, `the cart tells the new price: ${seen}`);
      await page.goto(`${shop.url}/cart`);
      seen = await text(page);
    }
    await picture(page, 'price-changed');
    await writeFile(file, before);
  }));

test('a phone shows every page without sideways scrolling, and buys', () =>
  asShopper({ phone: true }, async (page) => {
    const fits = async (name) => {
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${name} scrolls sideways by ${wide} px`);
      await picture(page, `phone-${name}`);
    };
    await page.goto(shop.url);
    await fits('home');
    await page.goto(`${shop.url}${goods.category}`);
    await fits('category');
    await page.goto(`${shop.url}/products/${goods.variants.slug}`);
    await fits('product');
    await addToCart(page, shop, goods.variants.slug, { variant: goods.variants.sku });
    await page.goto(`${shop.url}/cart`);
    await fits('cart');
    await openCheckout(page, shop);
    await fillDetails(page);
    await fits('checkout');
    await pay(page);
    await fits('sandbox');
    await payWithCard(page, card.good);
    await orderNumber(page);
    await fits('order');
  }));
