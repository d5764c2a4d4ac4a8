// Cold-load weight, third parties, CLS, LCP element, first-product time, bfcache, add-to-cart response, per path. Own code.
// node weight.mjs --base URL --paths ... --budgets budgets.json [--cart-button 'button']
import { chromium } from 'playwright-core';
import { readFileSync } from 'node:fs';
import { args, budgetOf, chromeFlags, chromePath, finish } from './lib.mjs';
const a = args({ cartButton: '[data-submit]', device: 'phone' }),
  fails = [],
  report = {};
const B = a.budgets ? JSON.parse(readFileSync(a.budgets, 'utf8')) : {};
const browser = await chromium.launch({
  executablePath: chromePath(),
  args: [...chromeFlags.filter((f) => f !== '--headless'), '--enable-features=BackForwardCache'],
  ignoreDefaultArgs: ['--disable-back-forward-cache'],
});
for (const p of a.paths) {
  const ctx = await browser.newContext(
    a.device === 'phone'
      ? { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }
      : { viewport: { width: 1280, height: 900 } },
  );
  const page = await ctx.newPage(),
    cdp = await ctx.newCDPSession(page),
    reqs = new Map();
  await cdp.send('Network.enable');
  cdp.on('Network.responseReceived', (e) =>
    reqs.set(e.requestId, {
      url: e.response.url,
      type: e.type,
      status: e.response.status,
      enc: e.response.headers['content-encoding'],
      cc: e.response.headers['cache-control'],
      head: e.response.encodedDataLength,
      n: 0,
    }),
  );
  cdp.on('Network.loadingFinished', (e) => {
    const r = reqs.get(e.requestId);
    if (r) r.n = e.encodedDataLength - r.head; // what is read, without its headers
  });
  await page.addInitScript(() => {
    window.__w = { cls: 0, lcp: null, el: [], inp: 0 };
    new PerformanceObserver((l) => {
      for (const e of l.getEntries()) if (!e.hadRecentInput) window.__w.cls += e.value;
    }).observe({ type: 'layout-shift', buffered: true });
    new PerformanceObserver((l) => {
      const e = l.getEntries().at(-1);
      window.__w.lcp = { t: e.startTime, tag: e.element?.tagName, url: e.url, size: e.size };
    }).observe({ type: 'largest-contentful-paint', buffered: true });
    new PerformanceObserver((l) => {
      for (const e of l.getEntries()) window.__w.el.push({ id: e.identifier, t: e.startTime });
    }).observe({ type: 'element', buffered: true });
    new PerformanceObserver((l) => {
      for (const e of l.getEntries()) if (e.interactionId) window.__w.inp = Math.max(window.__w.inp, e.duration);
    }).observe({ type: 'event', buffered: true, durationThreshold: 16 });
    addEventListener('pageshow', (e) => {
      window.__bf = e.persisted;
    });
  });
  await page.goto(a.base + p, { waitUntil: 'load' });
  await page.waitForTimeout(400);
  const first = [...reqs.values()],
    by = {};
  for (const r of first) {
    by[r.type] ??= { n: 0, bytes: 0 };
    by[r.type].n++;
    by[r.type].bytes += r.n;
  }
  const host = new URL(a.base).host,
    third = first.filter((r) => new URL(r.url).host !== host && /^http/.test(r.url)).map((r) => r.url);
  const w1 = await page.evaluate(() => ({
    ...window.__w,
    dom: document.querySelectorAll('*').length,
    cookies: document.cookie,
    nav: performance.getEntriesByType('navigation')[0].toJSON(),
  }));
  let cart = null;
  const btn = page.locator(a.cartButton).first();
  if (await btn.count()) {
    const t0 = Date.now();
    await btn.click();
    await page.waitForTimeout(300);
    cart = {
      inp: await page.evaluate(() => window.__w.inp),
      status: await page
        .locator('[role=status]')
        .first()
        .textContent()
        .catch(() => null),
      ms: Date.now() - t0,
    };
  }
  // back/forward cache: go to another page of the list and come back
  const other = a.paths.find((x) => x !== p);
  let bf = null;
  if (other) {
    await page.goto(a.base + other, { waitUntil: 'load' });
    await page.goBack({ waitUntil: 'commit' });
    await page.waitForTimeout(500);
    bf = await page.evaluate(() => ({
      persisted: window.__bf ?? null,
      why: performance.getEntriesByType('navigation')[0].notRestoredReasons?.toJSON?.() ?? null,
    }));
  }
  const total = first.reduce((s, r) => s + r.n, 0),
    m = {
      requests: first.length,
      bytes: total,
      html: by.Document?.bytes ?? 0,
      css: by.Stylesheet?.bytes ?? 0,
      js: by.Script?.bytes ?? 0,
      text: (by.Document?.bytes ?? 0) + (by.Stylesheet?.bytes ?? 0) + (by.Script?.bytes ?? 0),
      img: by.Image?.bytes ?? 0,
      font: by.Font?.bytes ?? 0,
      third: third.length,
      cls: w1.cls,
      dom: w1.dom,
      inp: cart?.inp ?? 0,
    };
  report[p] = {
    m,
    by,
    lcp: w1.lcp,
    element: w1.el,
    cart,
    bf,
    third,
    uncompressed: first
      .filter((r) => ['Document', 'Script', 'Stylesheet'].includes(r.type) && !r.enc && r.n > 1400)
      .map((r) => r.url),
    noCache: first.filter((r) => !r.cc && r.status === 200).map((r) => r.url),
    cookies: w1.cookies,
  };
  console.log(
    p,
    JSON.stringify(m),
    'LCP',
    w1.lcp?.tag,
    Math.round(w1.lcp?.t ?? -1),
    'first-product',
    Math.round(w1.el.find((e) => e.id === 'first-product')?.t ?? -1),
    'bfcache',
    bf?.persisted,
    JSON.stringify(bf?.why?.reasons ?? ''),
    cart ? `cart "${cart.status}" inp ${cart.inp}` : '',
  );
  const b = budgetOf(B, p);
  if (a.budgets && !b) fails.push(`${p} has no budget`);
  for (const [k, lim] of Object.entries(b?.weight ?? {})) if (!(m[k] <= lim)) fails.push(`${p} ${k}=${m[k]} > ${lim}`);
  if (report[p].uncompressed.length) fails.push(`${p} uncompressed text: ${report[p].uncompressed}`);
  if (report[p].noCache.length) fails.push(`${p} no cache-control: ${report[p].noCache}`);
  if (w1.cookies) fails.push(`${p} static page sets a script-visible cookie`);
  if (bf && bf.persisted !== true) fails.push(`${p} not restored from the back/forward cache`);
  await ctx.close();
}
await browser.close();
finish(a, 'weight', report, fails);
