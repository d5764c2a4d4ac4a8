// People who use no mouse, no sight of the page, a large print, or want no motion: a whole purchase by keys, and what assistive technology
// is told of each kind of page.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { addToCart, card, openCheckout, orderNumber } from './purchase.mjs';
import { address, asShopper as visit, launch, sampleShop, serve } from './shop.mjs';

const goods = JSON.parse(await readFile(new URL('./goods.json', import.meta.url)));
const pages = ['/', goods.category, `/products/${goods.variants.slug}`, '/search', '/shipping', '/nothing-here', '/cart', '/orders/none'];

let browser, shop;
before(async () => {
  [browser, shop] = [await launch(), await serve(await sampleShop())];
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

// Pages that are not there are looked at on purpose.
const asShopper = (options, steps) => visit(browser, shop, options, steps, (line) => /status of 404/.test(line));

// What has the focus; `problem`: why somebody could not see that it has.
const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    // A radio or box may be drawn by what stands beside it.
    const drawn = element.matches('.choice input') ? element.nextElementSibling : element;
    const { outlineStyle, outlineWidth } = getComputedStyle(drawn);
    const box = drawn.getBoundingClientRect();
    const problems = [];
    if (outlineStyle === 'none' || (outlineStyle !== 'auto' && parseFloat(outlineWidth) < 2)) problems.push(`no outline: ${outlineStyle} ${outlineWidth}`);
    if (box.width < 1 || box.height < 1) problems.push('no size');
    if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth) problems.push(`out of sight: ${JSON.stringify(box)}`);
    window.stops ??= [];
    const place = window.stops.indexOf(element);
    // The order of the keys is the order of the page.
    const last = window.stops.at(-1);
    if (place < 0 && last && !(last.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING)) problems.push(`comes before ${last.outerHTML.slice(0, 80)}`);
    if (place < 0) window.stops.push(element);
    const { tagName: tag, name, type, value, href } = element;
    const path = href && new URL(href).pathname + new URL(href).hash;
    return { tag, name, type, value, path, isNew: place < 0, text: element.textContent.trim().slice(0, 40), problem: problems.length ? `${element.outerHTML.slice(0, 120)}: ${problems.join(', ')}` : '' };
  });

async function tab(page) {
  await page.keyboard.press('Tab');
  const stop = await focused(page);
  assert.equal(stop?.problem ?? '', '');
  return stop;
}

async function tabTo(page, what, isIt) {
  for (let presses = 0; presses < 150; presses++) {
    const stop = await tab(page);
    if (stop && isIt(stop)) return stop;
  }
  assert.fail(`no way by keys to ${what}`);
}

async function follow(page, what, isIt) {
  await tabTo(page, what, isIt);
  const left = page.waitForEvent('framenavigated');
  await page.keyboard.press('Enter');
  await left;
  await page.waitForLoadState();
}

// The first stop leads past the head of the page.
async function skip(page) {
  const first = await tab(page);
  assert.equal(first.path?.endsWith('#main'), true, JSON.stringify(first));
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.evaluate(() => (window.stops = []));
}

test('a purchase by keys alone', () =>
  asShopper({}, async (page) => {
    await page.goto(shop.url);
    await follow(page, 'a category', ({ path }) => path === goods.category);
    await skip(page);
    await follow(page, 'a product', ({ path }) => path === `/products/${goods.variants.slug}`);
    await skip(page);
    await tabTo(page, 'the choice of variants', ({ name }) => name === 'sku');
    for (let presses = 0; (await focused(page)).value !== goods.variants.sku; presses++) {
      assert.ok(presses < 20, 'arrows reach every variant');
      await page.keyboard.press('ArrowDown');
    }
    const isAdd = ({ tag, type }) => tag === 'BUTTON' && type === 'submit';
    await tabTo(page, 'the button that adds', isAdd);
    await page.keyboard.press('Enter');
    await page.locator('dialog[open]').waitFor();
    // What lies behind the drawer is out of reach, and the drawer is no trap.
    await page.evaluate(() => (window.stops = []));
    for (let presses = 0; presses < 6; presses++) {
      await page.keyboard.press('Tab');
      assert.ok(await page.evaluate(() => document.activeElement === document.body || !!document.activeElement.closest('dialog')));
    }
    await page.keyboard.press('Escape');
    await page.locator('dialog[open]').waitFor({ state: 'hidden' });
    assert.ok(isAdd(await focused(page)), 'the focus is back where it was');
    await page.keyboard.press('Enter');
    await page.locator('dialog[open]').waitFor();
    await page.evaluate(() => (window.stops = []));
    await follow(page, 'the cart', ({ path }) => path === '/cart');
    await skip(page);
    await follow(page, 'the checkout', ({ tag, text }) => tag === 'BUTTON' && /checkout/i.test(text));
    await page.waitForURL(/\/checkout\/[0-9a-f-]{36}/);
    await skip(page);
    for (const [name, text] of Object.entries({ email: address.email, name: address.name, country: 'Germany', line1: address.line1, postal_code: address.postal_code, city: address.city })) {
      await tabTo(page, name, (stop) => stop.name === name);
      await page.keyboard.type(text);
    }
    await follow(page, 'the next step', isAdd);
    await follow(page, 'the button that buys', ({ tag, text }) => tag === 'BUTTON' && /buy/i.test(text));
    await page.waitForURL(/\/checkout\/sandbox\//);
    for (const [name, text] of [['number', card.good], ['expiry', '12/34'], ['cvc', '123']]) {
      if (!(await page.locator(`[name=${name}]`).count())) continue;
      if ((await focused(page))?.name !== name) await tabTo(page, name, (stop) => stop.name === name);
      await page.keyboard.type(text);
    }
    await follow(page, 'the button that pays', ({ tag }) => tag === 'BUTTON');
    await orderNumber(page);
  }));

test('keys reach everything that can be pressed, in the order of the page, and leave again', () =>
  asShopper({}, async (page) => {
    for (const path of pages) {
      await page.goto(shop.url + path);
      let stop = await tab(page);
      while (stop?.isNew) stop = await tab(page);
      const missed = await page.evaluate(() => {
        const visible = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled && element.tabIndex >= 0;
        const isSame = (one, other) => one.type === 'radio' && one.name === other.name;
        const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary')].filter(visible);
        return all.filter((element) => !window.stops.some((stop) => stop === element || isSame(element, stop))).map((element) => element.outerHTML.slice(0, 120));
      });
      assert.deepEqual(missed, [], path);
    }
  }));

// Roles, names and levels as a screen reader is told them.
async function told(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  // Told by level of the tree, wanted in the order of the page.
  const inOrder = (node) => [node, ...(node.childIds ?? []).flatMap((id) => (byId.has(id) ? inOrder(byId.get(id)) : []))];
  return inOrder(nodes[0]).filter((node) => !node.ignored).map(({ role, name, properties }) => ({
    role: role?.value, name: name?.value?.trim() ?? '', level: properties?.find((one) => one.name === 'level')?.value.value,
  }));
}

async function judge(page, what) {
  const nodes = await told(page);
  const all = (...roles) => nodes.filter(({ role }) => roles.includes(role));
  for (const role of ['banner', 'main', 'contentinfo']) assert.equal(all(role).length, 1, `${what}: one ${role}`);
  const regions = all('navigation', 'region', 'complementary', 'search', 'form').filter(({ role, name }) => role === 'navigation' || name);
  const names = regions.map(({ role, name }) => `${role} ${name}`);
  assert.deepEqual(names, [...new Set(names)], `${what}: landmarks of one kind have names of their own`);
  assert.ok(regions.every(({ name }) => name), `${what}: every navigation has a name`);
  const levels = all('heading').map(({ level }) => level);
  assert.equal(levels.filter((level) => level === 1).length, 1, `${what}: one heading of the first level`);
  assert.equal(levels[0], 1, `${what}: it comes first`);
  levels.forEach((level, index) => assert.ok(index === 0 || level <= levels[index - 1] + 1, `${what}: levels ${levels}`));
  const nameless = all('link', 'button', 'textbox', 'searchbox', 'combobox', 'radio', 'checkbox', 'spinbutton', 'heading', 'DisclosureTriangle', 'dialog').filter(({ name }) => !name);
  assert.deepEqual(nameless, [], `${what}: everything has a name`);
  assert.ok((await page.title()).length > 3, what);
}

const fits = async (page, what) => {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${what} scrolls sideways by ${wide} px`);
};

// Every kind of page, those with something in the cart too.
async function everyPage(page, look) {
  for (const path of pages) {
    await page.goto(shop.url + path);
    await look(page, path);
  }
  await addToCart(page, shop, goods.variants.slug, { variant: goods.variants.sku });
  await page.locator('dialog[open]').waitFor();
  await page.goto(`${shop.url}/cart`);
  await look(page, 'a cart with something in it');
  await openCheckout(page, shop);
  await look(page, 'the checkout');
}

test('assistive technology is told landmarks, headings and names on every kind of page', () => asShopper({}, (page) => everyPage(page, judge)));

for (const [what, viewport, scale] of [['320 px', { width: 320, height: 512 }, 1], ['twice the size', { width: 640, height: 450 }, 2]]) {
  test(`at ${what} no page scrolls sideways`, async () => {
    const context = await browser.newContext({ viewport, deviceScaleFactor: scale });
    const page = await context.newPage();
    await everyPage(page, fits).finally(() => context.close());
  });
}

test('who wants no motion gets none', async () => {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  try {
    const page = await context.newPage();
    await page.addInitScript(() => addEventListener('pagereveal', ({ viewTransition }) => (window.moved = !!viewTransition)));
    await page.goto(shop.url + goods.category);
    const slow = await page.evaluate(() => [...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).transitionDuration.split(', ').some((time) => time !== '0s')).map((one) => one.outerHTML.slice(0, 80)));
    assert.deepEqual(slow, []);
    await page.locator('.card a').first().click();
    await page.waitForURL(/\/products\//);
    assert.equal(await page.evaluate(() => window.moved), false);
    await page.locator('form[action="/cart/lines"] button').last().click();
    await page.locator('dialog[open]').waitFor();
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
  } finally {
    await context.close();
  }
});
