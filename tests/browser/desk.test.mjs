// Operators' pages: a whole refund by keys and without script, and what assistive technology is told of each page, in light and dark, on a phone
// and on a desktop.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import { addToCart, card, fillDetails, openCheckout, orderNumber, pay, payWithCard } from './purchase.mjs';
import { asShopper as visit, binary, launch, picture, sampleShop, serve } from './shop.mjs';

const goods = JSON.parse(await readFile(new URL('./goods.json', import.meta.url)));
const password = 'five small words of mine';
let browser, shop, desk, number;

function addOperator(folder) {
  return new Promise((done) => {
    const words = ['operators', 'add', 'ada', '--store', join(folder, '.vitrine/shop.db')];
    const child = spawn(binary, words, { cwd: folder, stdio: ['pipe', 'ignore', 'inherit'] });
    child.on('exit', done);
    child.stdin.end(`${password}\n`);
  });
}

before(async () => {
  [browser, shop] = [await launch(), await serve(await sampleShop())];
  for (let looks = 0; !/http:\/\/[\d.:]+\/desk/.test(shop.output()); looks++) {
    assert.ok(looks < 500, shop.output());
    await new Promise((done) => setTimeout(done, 20));
  }
  desk = shop.output().match(/http:\/\/[\d.:]+\/desk/)[0];
  assert.equal(await addOperator(shop.folder), 0);
  await visit(browser, shop, {}, async (page) => {
    await addToCart(page, shop, goods.variants.slug, { variant: goods.variants.sku });
    await openCheckout(page, shop);
    await fillDetails(page);
    await pay(page);
    await payWithCard(page, card.good);
    number = await orderNumber(page);
  });
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

async function signIn(page) {
  await page.goto(desk);
  await page.getByLabel('Name').fill('ada');
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
}

// Goes on by keys until something of that name has the focus.
async function keysTo(page, role, name) {
  const wanted = page.getByRole(role, { name }).first();
  for (let presses = 0; presses < 120; presses++) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`no way by keys to ${name}`);
}

test('a whole refund by keys and without script', () =>
  visit(browser, shop, { script: false }, async (page) => {
    await signIn(page);
    await keysTo(page, 'searchbox', 'Find an order');
    await page.keyboard.type(number);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Orders' }).waitFor();
    await keysTo(page, 'link', number);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: `Order ${number}` }).waitFor();
    await keysTo(page, 'button', 'See what will happen');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /^Give back/ }).waitFor();
    await keysTo(page, 'button', 'Give back');
    await page.keyboard.press('Enter');
    await page.getByText('The refund is promised.').waitFor();
    assert.ok(await page.getByText('refunded', { exact: false }).first().isVisible());
  }));

test('every page is told to assistive technology as it is seen, on a phone and a desktop, in light and dark', async () => {
  for (const look of [{ phone: true }, { phone: true, dark: true }, { dark: true }, {}]) {
    await visit(browser, shop, { ...look, policy: false }, async (page) => {
      if (!look.phone) await page.setViewportSize({ width: 1440, height: 900 });
      const judge = async (name) => {
        const { violations } = await new AxeBuilder({ page }).analyze();
        const told = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`);
        assert.deepEqual(told, [], `${name} ${JSON.stringify(look)}`);
        const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(width, 0, `${name} is no wider than the screen: ${JSON.stringify(look)}`);
        await picture(page, `desk-${name}-${look.phone ? 'phone' : 'desktop'}-${look.dark ? 'dark' : 'light'}`);
      };
      await page.goto(desk);
      await judge('sign-in');
      await signIn(page);
      await judge('overview');
      for (const name of ['orders', 'stock', 'coupons', 'stuck', 'webhooks', 'state', 'audit']) {
        await page.goto(`${desk}/${name}`);
        await judge(name);
      }
      await page.goto(`${desk}/orders/${number}`);
      await judge('order');
      await page.goto(`${desk}/stock/${goods.variants.sku}`);
      await judge('sku');
      await page.goto(`${desk}/orders?since=never`);
      await judge('fault');
    });
  }
});
