// What a kilogram costs stands beside every price, also where the script draws it: in the drawer of the cart and in what is found.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { asShopper as visit, launch, picture, sampleShop, serve } from './shop.mjs';

let browser, shop;
before(async () => {
  [browser, shop] = [await launch(), await serve(await sampleShop())];
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});
const asShopper = (options, steps) => visit(browser, shop, options, steps);

// What the page of the honey says of its small jar, in each market.
const markets = [
  { prefix: '', told: /€27\.60 \/ kg/, word: 'honey' },
  { prefix: '/de', told: /27,60\s€ \/ kg/, word: 'lindenblütenhonig' },
];

for (const { prefix, told, word } of markets) {
  test(`the drawer tells the price of a measure (market ${prefix || '/'})`, () =>
    asShopper({}, async (page) => {
      await page.goto(`${shop.url}${prefix}/products/lime-honey`);
      assert.match(await page.locator('p[data-unit]').innerText(), told);
      await page.locator('[data-submit]').click();
      const drawer = page.locator('dialog[open]');
      await drawer.locator('li').first().waitFor();
      assert.match(await drawer.locator('li').first().innerText(), told);
      await picture(page, `drawer-measure${prefix.replace('/', '-')}`, false);
    }));

  test(`what is found tells the price of a measure (market ${prefix || '/'})`, () =>
    asShopper({}, async (page) => {
      await page.goto(`${shop.url}${prefix}/search?q=${word}`);
      const card = page.locator('[data-results] li', { has: page.locator('a[href$="/products/lime-honey"]') });
      assert.match(await card.innerText(), told);
      const without = page.locator('[data-results] li', { hasNot: page.locator('.per') });
      await page.goto(`${shop.url}${prefix}/search?q=lamp`);
      await without.first().waitFor();
      assert.equal(await page.locator('[data-results] .per').count(), 0, 'a lamp has no measure');
      await page.goto(`${shop.url}${prefix}/products/morning-cup`);
      await page.locator('header input[type=search]').pressSequentially(word);
      const option = page.locator('[role=option]', { hasText: told });
      await option.waitFor();
    }));
}
