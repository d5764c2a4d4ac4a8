// The steps of a purchase, as a shopper does them.
import assert from 'node:assert/strict';
import { address } from './shop.mjs';

export const card = {
  good: '4242 4242 4242 4242',
  declined: '4000 0000 0000 0002',
  poor: '4000 0000 0000 9995',
  secure: '4000 0027 6000 3184',
};

// Puts what the product page offers into the cart and ends on the cart page.
export async function addToCart(page, shop, slug, { variant, quantity } = {}) {
  await page.goto(`${shop.url}/products/${slug}`);
  const form = page.locator('form[action="/cart/lines"]').first();
  if (variant) await chooseVariant(form, variant);
  if (quantity) await form.locator('[name=quantity]').fill(String(quantity));
  await form.locator('button[type=submit], button:not([type])').first().click();
}

export async function chooseVariant(form, sku) {
  const select = form.locator('select[name=sku]');
  if (await select.count()) return select.selectOption(sku);
  // The radio itself may be drawn by its label.
  return form.locator(`input[name=sku][value="${sku}"]`).check({ force: true });
}

export async function openCheckout(page, shop) {
  await page.goto(`${shop.url}/cart`);
  await page.locator('form[action="/checkout"] button').click();
  await page.waitForURL(/\/checkout\/[0-9a-f-]{36}/);
}

// Fills contact and address, and chooses a shipping rate where there is a choice; ends on the page with the pay button.
export async function fillDetails(page, details = {}) {
  const fields = { ...address, ...details };
  const country = fields.country ?? 'DE';
  delete fields.country;
  for (const [name, value] of Object.entries(fields)) {
    const field = page.locator(`[name=${name}]`);
    if (await field.count()) await field.first().fill(value);
  }
  await page.locator('select[name=country]').selectOption(country);
  await page.locator('form:has([name=email]) button[type=submit], form:has([name=email]) button:not([type])').last().click();
  await page.waitForLoadState();
}

// Presses the pay button and ends on the sandbox's page.
export async function pay(page) {
  await page.locator('form[action$="/payment"] button').click();
  await page.waitForURL(/\/checkout\/sandbox\//);
}

export async function payWithCard(page, number) {
  await page.locator('[name=number]').fill(number);
  const expiry = page.locator('[name=expiry]');
  if (await expiry.count()) await expiry.fill('12/34');
  const code = page.locator('[name=cvc]');
  if (await code.count()) await code.fill('123');
  await page.locator('form:has([name=number]) button').first().click();
}

// Waits out the page that checks a payment and gives the order number.
export async function orderNumber(page) {
  await page.waitForURL(/\/orders\//);
  const text = await page.locator('main').innerText();
  const number = text.match(/[A-Z]+-?\d{3,}/)?.[0];
  assert.ok(number, `the order page names an order: ${text.slice(0, 400)}`);
  return number;
}

export const text = async (page) => page.locator('main').innerText();
