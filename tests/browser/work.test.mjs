// The merchant's day: another shop's export becomes a shop one can buy from, and a mistake is shown where it is looked at.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { addToCart, card, fillDetails, openCheckout, orderNumber, pay, payWithCard, text } from './purchase.mjs';
import { exportedShop, launch, picture, root, sampleShop, serve, shopper } from './shop.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

test('an export of another shop is bought from without script', async () => {
  const shop = await serve(await exportedShop(join(root, 'tests/it/export.csv')));
  // Its pictures lie elsewhere and are not fetched here; everything else is ours.
  const { page, context, trouble } = await shopper(browser, { script: false, pictures: false });
  try {
    await page.goto(`${shop.url}/categories/seats`);
    await picture(page, 'export-category');
    await addToCart(page, shop, 'wool-rug', { variant: 'RUG-S' });
    await openCheckout(page, shop);
    await fillDetails(page);
    await pay(page);
    await payWithCard(page, card.good);
    assert.match(await orderNumber(page), /^LL-\d+$/);
    assert.match(await text(page), /€49\.90/);
    await picture(page, 'export-order');
    assert.deepEqual(trouble, []);
  } finally {
    await context.close();
    await shop.stop();
  }
});

test('a mistake covers the page with what is wrong, and goes when it is mended', async () => {
  const shop = await serve(await sampleShop());
  const { page, context } = await shopper(browser);
  try {
    await page.goto(`${shop.url}/products/morning-cup`);
    const file = join(shop.folder, 'content/products/table/morning-cup.md');
    const before = await readFile(file, 'utf8');
    await writeFile(file, before.replace('"18.00"', '"18.001"'));
    const overlay = page.getByText('morning-cup.md');
    await overlay.first().waitFor();
    await picture(page, 'overlay', false);
    await writeFile(file, before.replace('"18.00"', '"18.50"'));
    await page.getByText('€18.50').first().waitFor();
    assert.equal(await overlay.count(), 0);
  } finally {
    await context.close();
    await shop.stop();
  }
});
