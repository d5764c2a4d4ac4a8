// Whoever saves data gets no page in advance and smaller pictures; whoever does not, gets both. And nothing far below the fold is fetched
// before it is near.
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { host } from './host.mjs';
import { launch, sampleShop } from './shop.mjs';

let shop;
before(async () => {
  const browser = await launch();
  const folder = await sampleShop();
  // Drawings have no sets: every product gets a photograph, and each its own, since a browser that has a larger one in its memory shows that.
  const page = await browser.newPage({ viewport: { width: 800, height: 1000 } });
  await page.setContent('<body style="margin:0;height:100vh;background:linear-gradient(45deg,#234,#fa6,#9cf)">');
  const photo = await page.screenshot({ type: 'jpeg' });
  await browser.close();
  const products = join(folder, 'content/products');
  for (const name of (await readdir(products, { recursive: true })).filter((name) => name.endsWith('.md'))) {
    const text = await readFile(join(products, name), 'utf8');
    // A translation shows its original's. What follows the end of a JPEG is no part of its picture.
    const own = basename(name).split('.')[0];
    await writeFile(join(folder, `static/images/photo-${own}.jpg`), Buffer.concat([photo, Buffer.from(own)]));
    await writeFile(join(products, name), text.replaceAll(/src = "images\/[a-z-]+\.svg"/g, `src = "images/photo-${own}.jpg"`));
  }
  shop = await host(folder);
});
after(() => shop?.stop());

// On the home page: how wide the picture is that was chosen for the last card, which is far away at first, and the pages that were fetched in
// advance once its link was pointed at.
async function seen(isSaving) {
  // A browser of its own: pictures that one has in its memory are not chosen anew.
  const browser = await launch();
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 3 });
  const page = await context.newPage();
  try {
    const session = await context.newCDPSession(page);
    await session.send('Emulation.setDataSaverOverride', { dataSaverEnabled: isSaving });
    await page.goto(shop.url);
    const lazy = page.locator('.card img[loading=lazy]').last();
    await lazy.scrollIntoViewIfNeeded();
    await page.waitForFunction((image) => image.complete && image.currentSrc, await lazy.elementHandle());
    // Its file is named by how wide it is.
    const width = Number(/-(\d+)\.\w+$/.exec(await lazy.evaluate((image) => image.currentSrc))[1]);
    shop.asked.length = 0;
    await page.locator('.card a').last().hover();
    const deadline = Date.now() + (isSaving ? 1_000 : 10_000);
    const fetched = () => shop.asked.filter(({ purpose }) => purpose?.includes('prefetch')).map(({ path }) => path);
    while (Date.now() < deadline && !fetched().length) await page.evaluate(() => new Promise(requestAnimationFrame));
    return { width, fetched: fetched(), rules: await page.locator('script[type=speculationrules]').count() };
  } finally {
    await browser.close();
  }
}

test('a page that is pointed at is fetched in advance, and pictures fit the screen', async () => {
  const { width, fetched, rules } = await seen(false);
  assert.equal(rules, 1);
  assert.equal(fetched.length, 1, 'one page in advance');
  assert.match(fetched[0], /^\/products\//);
  assert.ok(width >= 3 * 150, `a picture for three dots a pixel: ${width}`);
});

test('with data saver on, nothing is fetched in advance and pictures are smaller', async () => {
  const { width, fetched, rules } = await seen(true);
  assert.deepEqual(fetched, []);
  assert.equal(rules, 0, 'the rules are gone, whatever the browser would do with them');
  assert.ok(width < 3 * 150, `a picture for one dot a pixel: ${width}`);
});
